// Carries out the core's effects. The result of an effect becomes an input of the core.
//
// EFFECTS-1: a container is launched when no removal of its sandbox, or of a sandbox around it, is running.
import type { ContainerId } from '@meseta/base';
import { diskFullness } from '@meseta/containers/sandbox/sandbox';
import type { ContainerSpec, Containers } from '@meseta/containers/types';
import type { Host } from '@meseta/platform';
import { writeCoreLine } from '@meseta/platform/core-log';
import { makeToken } from '@meseta/security';
import type { AgentEffect, AgentInput } from '../core/io.js';
import type { Sender } from './authentication.js';
import type { Checkpoint } from './checkpoint.js';
import type { ContainerCalls } from './container-calls.js';
import type { ExecutorApi } from './executor-api.js';
import {
  changeVolume,
  type LaunchEffect,
  prepareSandbox,
  type Removals,
  removeSandbox,
  type SandboxPorts,
} from './sandboxes.js';

export interface EffectPorts extends SandboxPorts {
  readonly host: Host;
  readonly sender: Sender;
  readonly checkpoint: Checkpoint;
  readonly containers: Containers;
  readonly executorApi: ExecutorApi;
  /** Signs the tokens of executors; undefined: executors don't authenticate. */
  readonly executorKey: Uint8Array | undefined;
  readonly containerCalls: ContainerCalls;
  /** Containers whose sandboxes are being made, so that the launcher doesn't know them yet. True: already destroyed. */
  readonly preparing: Map<ContainerId, boolean>;
  readonly removals: Removals;
  /** Limits how many sandboxes are made at the same time. */
  readonly limitPreparations: <T>(work: () => Promise<T>) => Promise<T>;
  push(input: AgentInput): void;
}

export function performEffect(ports: EffectPorts, effect: AgentEffect): void {
  const { host, containers, push } = ports;
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
      void launch(ports, effect);
      return;
    case 'signal':
      containers.signal(effect.containerId, effect.signal);
      return;
    case 'destroy':
      if (ports.preparing.has(effect.containerId)) ports.preparing.set(effect.containerId, true);
      else containers.destroy(effect.containerId);
      return;
    case 'removeContainer':
      containers.remove(effect.containerId);
      return;
    case 'probe': {
      const { containerId, check } = effect;
      void containers
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
      removeAndReport(ports, effect);
      return;
    case 'volume':
      void changeVolume(ports, effect);
      return;
    case 'log':
      writeCoreLine(ports.log, effect);
      return;
    case 'exit':
      ports.exit(effect.status, effect.message);
      return;
  }
}

export type RemovalPorts = Pick<EffectPorts, 'files' | 'workDir' | 'limitRemovals' | 'removals' | 'push'>;

/** Removes a sandbox; a launch in it waits for the removal (EFFECTS-1). */
export function removeAndReport(
  ports: RemovalPorts,
  { containerId, path }: Extract<AgentEffect, { kind: 'removeSandbox' }>,
): void {
  const removal = removeSandbox(ports, path);
  ports.removals.add(path, removal);
  void removal.then((removed) => {
    const error = removed.ok ? undefined : removed.error.message;
    ports.push({ kind: 'sandboxRemoved', containerId, error });
  });
}

export type LaunchPorts = Pick<
  EffectPorts,
  'files' | 'findUser' | 'preparing' | 'removals' | 'limitPreparations' | 'executorKey' | 'push'
> & { readonly containers: Pick<Containers, 'launch'> };

/** Makes the sandbox, then launches the container. A sandbox that can't be made fails the launch. */
export async function launch(ports: LaunchPorts, effect: LaunchEffect): Promise<void> {
  const { spec } = effect;
  const { containerId } = spec;
  ports.preparing.set(containerId, false);
  await ports.removals.endedAround(spec.sandbox);
  const problem = await ports.limitPreparations(() => prepareSandbox(ports, effect));
  const destroyed = ports.preparing.get(containerId) === true;
  ports.preparing.delete(containerId);
  if (problem === undefined && !destroyed) {
    ports.containers.launch(withToken(ports.executorKey, effect));
    return;
  }
  const message = problem ?? 'destroyed before it was launched';
  ports.push({ kind: 'containerEvent', event: { kind: 'launchFailed', containerId, stage: 'launch', message } });
}

/** Adds the executor's token, with the claims and in the variable that Mesos' executors use. */
function withToken(key: Uint8Array | undefined, { spec, executor }: LaunchEffect): ContainerSpec {
  if (key === undefined || executor === undefined) return spec;
  const token = makeToken({ cid: spec.containerId, eid: executor.executorId, fid: executor.frameworkId }, key);
  return { ...spec, environment: { ...spec.environment, MESOS_EXECUTOR_AUTHENTICATION_TOKEN: token } };
}

async function measureDisk({ files, workDir, log, push }: EffectPorts): Promise<void> {
  const full = await diskFullness(files, workDir);
  if (full.ok) push({ kind: 'diskUsage', usedShare: full.value });
  else log.warning(`can't measure the disk of ${workDir}: ${full.error.message}`);
}
