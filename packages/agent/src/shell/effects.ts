// Carries out what the core decided: each effect once, its answer an input.
import { mkdir, readlink, symlink } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import type { ContainerId, Files, Result, TaskId } from '@meseta/base';
import { createSandbox, createStreams, diskFullness, removeTree } from '@meseta/containers/sandbox';
import type { ContainerSpec, Containers } from '@meseta/containers/types';
import type { Host, Logger } from '@meseta/platform';
import { makeToken } from '@meseta/security';
import type { AgentEffect, AgentInput } from '../core/io.js';
import type { Sender } from './authentication.js';
import type { Checkpoint } from './checkpoint.js';
import type { ContainerCalls } from './container-calls.js';
import type { ExecutorApi } from './executor-api.js';

export interface EffectPorts {
  readonly host: Host;
  readonly sender: Sender;
  readonly checkpoint: Checkpoint;
  readonly containers: Containers;
  readonly executorApi: ExecutorApi;
  /** Signs the tokens of executors; undefined: they don't authenticate. */
  readonly executorKey: Uint8Array | undefined;
  readonly containerCalls: ContainerCalls;
  readonly files: Files;
  readonly log: Logger;
  readonly workDir: string;
  /** Containers whose sandboxes are being made: the launcher doesn't know them yet. True: destroyed already. */
  readonly preparing: Map<ContainerId, boolean>;
  findUser(name: string): Promise<Result<{ readonly uid: number; readonly gid: number }, string>>;
  push(input: AgentInput): void;
  exit(status: 0 | 1, message: string): void;
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
      void removeSandbox(ports, effect);
      return;
    case 'volume':
      void changeVolume(ports, effect);
      return;
    case 'log':
      ports.log[effect.level](effect.text);
      return;
    case 'exit':
      ports.exit(effect.status, effect.message);
      return;
  }
}

/** Makes the sandbox, then hands the container over; a sandbox that can't be made is a failed launch. */
async function launch(ports: EffectPorts, effect: LaunchEffect): Promise<void> {
  const { spec } = effect;
  const { containerId } = spec;
  ports.preparing.set(containerId, false);
  const problem = await prepareSandbox(ports, effect);
  const destroyed = ports.preparing.get(containerId) === true;
  ports.preparing.delete(containerId);
  if (problem === undefined && !destroyed) {
    ports.containers.launch(withToken(ports.executorKey, effect));
    return;
  }
  const message = problem ?? 'destroyed before it was launched';
  ports.push({ kind: 'containerEvent', event: { kind: 'launchFailed', containerId, stage: 'launch', message } });
}

/** Mesos' claims and Mesos' variable, which executors know. */
function withToken(key: Uint8Array | undefined, { spec, executor }: LaunchEffect): ContainerSpec {
  if (key === undefined || executor === undefined) return spec;
  const token = makeToken({ cid: spec.containerId, eid: executor.executorId, fid: executor.frameworkId }, key);
  return { ...spec, environment: { ...spec.environment, MESOS_EXECUTOR_AUTHENTICATION_TOKEN: token } };
}

type LaunchEffect = Extract<AgentEffect, { kind: 'launch' }>;

/** The sandbox with links to its volumes, all owned by the user; what went wrong, if something did. */
async function prepareSandbox(ports: EffectPorts, { spec, volumes, pod }: LaunchEffect): Promise<string | undefined> {
  const found = spec.user === undefined ? undefined : await ports.findUser(spec.user);
  if (found?.ok === false) return found.error;
  // What the agent makes for its own user belongs to that user already.
  const isOwn = found?.value.uid === process.getuid?.() && found?.value.gid === process.getgid?.();
  const owner = process.getuid?.() === 0 && !isOwn ? found?.value : undefined;
  const { files } = ports;
  for (const path of pod === undefined ? [spec.sandbox] : [pod.sandbox, spec.sandbox]) {
    const made = await createSandbox(files, path, owner);
    // A container's own streams are made by its launcher.
    const streams = made.ok && path === pod?.sandbox ? await createStreams(files, path, owner) : made;
    if (!streams.ok) return `sandbox: ${streams.error.message}`;
  }
  if (pod !== undefined) await linkMember(files, pod.sandbox, pod.taskId, spec.sandbox);
  else if (dirname(spec.sandbox).endsWith('/runs')) {
    await linkLatest(files, spec.sandbox);
  }
  for (const { containerPath, hostPath } of volumes) {
    const link = resolve(spec.sandbox, containerPath);
    if (!link.startsWith(`${spec.sandbox}/`)) return `volume ${containerPath}: expected a path inside the sandbox`;
    try {
      await mkdir(hostPath, { recursive: true });
      await mkdir(dirname(link), { recursive: true });
      await symlink(hostPath, link);
    } catch (cause) {
      return `volume ${containerPath}: ${(cause as Error).message}`;
    }
    if (owner !== undefined) await files.changeOwner(hostPath, owner.uid, owner.gid);
  }
  return undefined;
}

/** People look for a pod's tasks by their ids, and for the pod's newest run. */
async function linkMember(files: Files, pod: string, taskId: TaskId, sandbox: string): Promise<void> {
  await files.makeDirectory(`${pod}/tasks`, 0o755);
  await symlink(sandbox, `${pod}/tasks/${taskId}`).catch(() => undefined);
  if ((await readlink(latestOf(pod)).catch(() => '')) === pod) return;
  await linkLatest(files, pod);
}

async function linkLatest(files: Files, sandbox: string): Promise<void> {
  const link = (): Promise<unknown> => symlink(sandbox, latestOf(sandbox)).catch((cause: unknown) => cause);
  if ((await link()) === undefined) return;
  await files.removeFile(latestOf(sandbox));
  await link();
}

/** The link to an executor's newest run, which people look for. */
const latestOf = (sandbox: string): string => `${dirname(sandbox)}/latest`;

async function measureDisk({ files, workDir, log, push }: EffectPorts): Promise<void> {
  const full = await diskFullness(files, workDir);
  if (full.ok) push({ kind: 'diskUsage', usedShare: full.value });
  else log.warning(`can't measure the disk of ${workDir}: ${full.error.message}`);
}

/** Removes a sandbox and the directories above it that are empty then, up to work_dir. */
async function removeSandbox(
  { files, workDir, push }: EffectPorts,
  { containerId, path }: Extract<AgentEffect, { kind: 'removeSandbox' }>,
): Promise<void> {
  const removed = await removeTree(files, path);
  const latest = latestOf(path);
  if (removed.ok && (await readlink(latest).catch(() => '')) === path) await files.removeFile(latest);
  for (let at = path; removed.ok; ) {
    at = at.slice(0, at.lastIndexOf('/'));
    if (!at.startsWith(`${workDir}/`) || !(await files.removeEmptyDirectory(at)).ok) break;
  }
  push({ kind: 'sandboxRemoved', containerId, error: removed.ok ? undefined : removed.error.message });
}

/** An operation that has been told as done can't fail any more: then the agent ends, and tries again at its start. */
async function changeVolume(
  { files, exit }: EffectPorts,
  { path, remove, keepRoot }: Extract<AgentEffect, { kind: 'volume' }>,
): Promise<void> {
  const paths = remove && keepRoot ? await entriesOf(files, path) : [path];
  for (const each of paths) {
    const done = remove ? await removeTree(files, each) : await files.makeDirectory(each, 0o755);
    if (!done.ok) exit(1, `volume ${each}: ${done.error.message}`);
  }
}

async function entriesOf(files: Files, path: string): Promise<readonly string[]> {
  const entries = await files.list(path);
  return entries.ok ? entries.value.map(({ name }) => `${path}/${name}`) : [];
}
