// Carries out the core's effects. The result of an effect becomes an input of the core.
import type { Files } from '@meseta/base';
import type { Containerizer } from '@meseta/containers/containerizer';
import { diskFullness } from '@meseta/containers/sandbox/sandbox';
import type { ContainerSpec } from '@meseta/containers/types';
import type { Host, Logger } from '@meseta/platform';
import { writeCoreLine } from '@meseta/platform/core-log';
import { makeToken } from '@meseta/security';
import type { AgentEffect, AgentInput } from '../core/io.js';
import type { Sender } from './authentication.js';
import type { Checkpoint } from './checkpoint.js';
import type { ContainerCalls } from './container-calls.js';
import type { ExecutorApi } from './executor-api.js';

export interface EffectPorts {
  readonly host: Host;
  readonly files: Files;
  readonly log: Logger;
  readonly workDir: string;
  readonly sender: Sender;
  readonly checkpoint: Checkpoint;
  readonly containerizer: Containerizer;
  readonly executorApi: ExecutorApi;
  /** Signs the tokens of executors; undefined: executors don't authenticate. */
  readonly executorKey: Uint8Array | undefined;
  readonly containerCalls: ContainerCalls;
  push(input: AgentInput): void;
  exit(status: 0 | 1, message: string): void;
}

export function performEffect(ports: EffectPorts, effect: AgentEffect): void {
  const { host, containerizer, push } = ports;
  switch (effect.kind) {
    case 'send':
      ports.sender.send(effect.to, effect.message);
      return;
    case 'link':
      host.link(effect.to);
      return;
    case 'checkpoint':
      ports.checkpoint.write(effect.changes, () => push({ kind: 'persisted' }));
      return;
    case 'launch':
      containerizer.launch(withToken(ports.executorKey, effect));
      return;
    case 'updateContainer':
      containerizer.update(effect.containerId, effect);
      return;
    case 'signal':
      containerizer.signal(effect.containerId, effect.signal);
      return;
    case 'destroy':
      containerizer.destroy(effect.containerId);
      return;
    case 'removeContainer':
      containerizer.remove(effect.containerId);
      return;
    case 'probe': {
      const { containerId, check } = effect;
      void containerizer
        .probe(containerId, effect.probe, effect.timeoutMs)
        .then((result) => push({ kind: 'probeResult', containerId, check, result }));
      return;
    }
    case 'reply':
      ports.executorApi.reply(effect.connection, effect.status, effect.text);
      return;
    case 'openStream':
      ports.executorApi.open(effect.connection);
      return;
    case 'executorEvent':
      ports.executorApi.event(effect.connection, effect.event);
      return;
    case 'closeStream':
      ports.executorApi.close(effect.connection);
      return;
    case 'callReply':
      ports.containerCalls.reply(effect);
      return;
    case 'measureDisk':
      void measureDisk(ports);
      return;
    case 'removeSandbox':
      void containerizer
        .removeSandbox(effect.path)
        .then((error) => push({ kind: 'sandboxRemoved', containerId: effect.containerId, error }));
      return;
    case 'volume':
      // The operation was reported as done: after a failure the agent ends, and tries again when it starts.
      void containerizer.changeVolume(effect).then((problem) => problem !== undefined && ports.exit(1, problem));
      return;
    case 'log':
      writeCoreLine(ports.log, effect);
      return;
    case 'exit':
      ports.exit(effect.status, effect.message);
      return;
  }
}

/** Adds the executor's token, with the claims and in the variable that Mesos' executors use. */
function withToken(
  key: Uint8Array | undefined,
  { spec, executor }: Extract<AgentEffect, { kind: 'launch' }>,
): ContainerSpec {
  if (key === undefined || executor === undefined) return spec;
  const token = makeToken({ cid: spec.containerId, eid: executor.executorId, fid: executor.frameworkId }, key);
  return { ...spec, environment: { ...spec.environment, MESOS_EXECUTOR_AUTHENTICATION_TOKEN: token } };
}

async function measureDisk({ files, workDir, log, push }: EffectPorts): Promise<void> {
  const full = await diskFullness(files, workDir);
  if (full.ok) push({ kind: 'diskUsage', usedShare: full.value });
  else log.warning(`can't measure the disk of ${workDir}: ${full.error.message}`);
}
