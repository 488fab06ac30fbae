// Makes sandboxes and volumes for their users, links volumes into sandboxes, and removes both.
//
// Boundary: tasks may change sandboxes and volumes at any time, so they are worked in through open directories only
// (@meseta/containers/sandbox). People and tasks follow the links made here; the agent follows none.
import { type DirectoryHandle, type Files, type Owner, ok, type Result, type SystemResult } from '@meseta/base';
import { createConcurrencyLimit } from '@meseta/containers/concurrency';
import {
  createStreams,
  isNested,
  makeSandbox,
  openAroundSandbox,
  openOrMake,
  openSandbox,
  requireProtected,
  sandboxName,
  within,
} from '@meseta/containers/sandbox/sandbox';
import { emptyDirectory, type Progress, removeTree, removeTreePart } from '@meseta/containers/sandbox/trees';
import type { Logger } from '@meseta/platform';
import type { AgentEffect, DirectoryBelow, VolumeLink } from '../core/io.js';

export interface SandboxPorts {
  readonly files: Files;
  readonly log: Logger;
  readonly workDir: string;
  /** Limits how many removals run at the same time. */
  readonly limitRemovals: <T>(work: () => Promise<T>) => Promise<T>;
  findUser(name: string): Promise<Result<Owner, string>>;
  exit(status: 0 | 1, message: string): void;
}

export type LaunchEffect = Extract<AgentEffect, { kind: 'launch' }>;

const PARENT_MODE = 0o755;
const VOLUME_MODE = 0o750;
/** Of the directory of links to pod tasks. */
const LINKS_MODE = 0o755;
const LATEST = 'latest';

const describeFailure = (what: string, result: SystemResult<unknown>): string | undefined =>
  result.ok ? undefined : `${what}: ${result.error.message}`;

/** Makes a container's sandbox with links to its volumes, owned by its user. Returns why that failed. */
export async function prepareSandbox(
  ports: Pick<SandboxPorts, 'files' | 'findUser'>,
  { spec, volumes, pod }: LaunchEffect,
): Promise<string | undefined> {
  const { files } = ports;
  const found = spec.user === undefined ? undefined : await ports.findUser(spec.user);
  if (found?.ok === false) return found.error;
  // Files that the agent makes belong to its own user already.
  const isOwn = found?.value.uid === process.getuid?.() && found?.value.gid === process.getgid?.();
  const owner = process.getuid?.() === 0 && !isOwn ? found?.value : undefined;
  if (pod !== undefined) {
    const problem = await serializePods(() => preparePod(files, pod.sandbox, owner));
    if (problem !== undefined) return problem;
  }
  const isRun = pod === undefined && !isNested(spec.sandbox);
  const sandbox = await makeSandbox(files, spec.sandbox, owner, isRun ? linkLatest(spec.sandbox) : undefined);
  if (!sandbox.ok) return describeFailure('sandbox', sandbox);
  sandbox.value.close();
  if (pod !== undefined) await linkPodTask(files, pod.sandbox, pod.taskId, spec.sandbox);
  for (const volume of volumes) {
    const problem = await linkVolume(files, spec.sandbox, volume, owner);
    if (problem !== undefined) return `volume ${volume.containerPath}: ${problem}`;
  }
  return undefined;
}

/** A pod's tasks are launched at the same time: each must find the pod's sandbox complete or missing. */
const serializePods = createConcurrencyLimit(1);

/** Makes a pod's sandbox with its streams. It belongs to the user of the first pod task. */
async function preparePod(files: Files, path: string, owner: Owner | undefined): Promise<string | undefined> {
  const known = await openSandbox(files, path);
  if (known.ok) {
    known.value.close();
    return undefined;
  }
  const sandbox = await makeSandbox(files, path, owner, linkLatest(path));
  if (!sandbox.ok) return describeFailure('sandbox', sandbox);
  const streams = await createStreams(sandbox.value, owner);
  sandbox.value.close();
  return describeFailure('sandbox', streams);
}

/** Links a pod task's sandbox under the task's id, by which people look for it. */
async function linkPodTask(files: Files, pod: string, taskId: string, sandbox: string): Promise<void> {
  await within(await openSandbox(files, pod), async (directory) =>
    within(requireProtected(await openOrMake(directory, 'tasks', { mode: LINKS_MODE })), (links) =>
      links.makeLink(taskId, sandbox),
    ),
  );
}

/** Makes the link `latest` to an executor's newest run. */
const linkLatest =
  (sandbox: string) =>
  async (around: DirectoryHandle): Promise<void> => {
    const made = await around.makeLink(LATEST, sandbox);
    if (made.ok || made.error.code !== 'EEXIST') return;
    await around.removeFile(LATEST);
    await around.makeLink(LATEST, sandbox);
  };

/** Walks down from a directory name by name, and closes each directory on the way. */
async function descend(
  from: SystemResult<DirectoryHandle>,
  names: readonly string[],
  step: (directory: DirectoryHandle, name: string, isLast: boolean) => Promise<SystemResult<DirectoryHandle>>,
): Promise<SystemResult<DirectoryHandle>> {
  let directory = from;
  for (const [index, name] of names.entries()) {
    directory = await within(directory, (parent) => step(parent, name, index === names.length - 1));
  }
  return directory;
}

/** Links a volume into a sandbox. Returns why that failed. */
async function linkVolume(
  files: Files,
  sandbox: string,
  { containerPath, place, isPersistent }: VolumeLink,
  owner: Owner | undefined,
): Promise<string | undefined> {
  const names = containerPath.split('/').filter((name) => name !== '' && name !== '.');
  const name = names.pop();
  if (name === undefined || containerPath.startsWith('/')) return 'expected a path inside the sandbox';
  const made = isPersistent
    ? await openVolume(files, place, VOLUME_MODE)
    : await descend(await openSandbox(files, place.root), place.names, (directory, each) =>
        openOrMake(directory, each, { mode: VOLUME_MODE, owner }),
      );
  const changed = await within(made, async (volume) =>
    isPersistent && owner !== undefined ? volume.changeOwner(owner) : ok(undefined),
  );
  if (!changed.ok) return changed.error.message;
  const around = await descend(await openSandbox(files, sandbox), names, (directory, each) =>
    openOrMake(directory, each, { mode: VOLUME_MODE, owner }),
  );
  const linked = await within(around, (directory) => directory.makeLink(name, [place.root, ...place.names].join('/')));
  return linked.ok ? undefined : linked.error.message;
}

/** Opens the directory of a persistent volume, and makes it if it is missing. Only the agent can replace a directory above it. */
async function openVolume(
  files: Files,
  { root, names }: DirectoryBelow,
  mode: number,
): Promise<SystemResult<DirectoryHandle>> {
  const made = await files.makeDirectory(root);
  if (!made.ok) return made;
  return descend(await files.openDirectory(root), names, async (directory, name, isLast) =>
    isLast
      ? openOrMake(directory, name, { mode })
      : requireProtected(await openOrMake(directory, name, { mode: PARENT_MODE })),
  );
}

async function removeVolume(files: Files, { root, names }: DirectoryBelow): Promise<SystemResult<void>> {
  const name = names.at(-1);
  if (name === undefined) return within(await files.openDirectory(root), emptyDirectory);
  const around = await descend(await files.openDirectory(root), names.slice(0, -1), async (directory, each) =>
    requireProtected(await directory.openDirectory(each)),
  );
  const removed = await within(around, (directory) => removeTree(directory, name));
  return !removed.ok && removed.error.code === 'ENOENT' ? ok(undefined) : removed;
}

/** Makes or removes a volume. The operation was reported as done, so after a failure the agent ends and tries again. */
export async function changeVolume(
  { files, exit }: Pick<SandboxPorts, 'files' | 'exit'>,
  { place, remove, isShared }: Extract<AgentEffect, { kind: 'volume' }>,
): Promise<void> {
  const mode = isShared ? PARENT_MODE : VOLUME_MODE;
  const done = remove
    ? await removeVolume(files, place)
    : await within(await openVolume(files, place, mode), async () => ok(undefined));
  if (!done.ok) exit(1, `volume ${[place.root, ...place.names].join('/')}: ${done.error.message}`);
}

/** The running removals of sandboxes: a container that is launched under the same id waits for them. */
export interface Removals {
  add(path: string, removal: Promise<unknown>): void;
  /** Resolves when no removal of this path, or of a directory above it, runs any more. */
  endedAround(path: string): Promise<void>;
}

export function createRemovals(): Removals {
  const running = new Map<string, Promise<unknown>>();
  return {
    add(path, removal) {
      const all = Promise.all([running.get(path), removal]);
      running.set(path, all);
      void all.then(() => {
        if (running.get(path) === all) running.delete(path);
      });
    },
    async endedAround(path) {
      if (running.size === 0) return;
      for (let at = path; at !== ''; at = at.slice(0, at.lastIndexOf('/'))) await running.get(at);
    },
  };
}

/** Removes a part of a sandbox, and the link `latest` to a sandbox that is gone. */
const removeSandboxPart = async (files: Files, path: string): Promise<SystemResult<Progress>> =>
  within(await openAroundSandbox(files, path), async (around) => {
    const done = await removeTreePart(around, sandboxName(path));
    const latest = done.ok && done.value === 'removed' ? await around.readLink(LATEST) : undefined;
    if (latest?.ok && latest.value === path) await around.removeFile(LATEST);
    return done;
  });

/** Removes a sandbox, and the directories above it up to work_dir if they are empty then. */
export async function removeSandbox(
  { files, workDir, limitRemovals }: Pick<SandboxPorts, 'files' | 'workDir' | 'limitRemovals'>,
  path: string,
): Promise<SystemResult<void>> {
  for (;;) {
    // Each part waits for its turn, so that a large sandbox does not delay the removal of others (TREES-3).
    const removed = await limitRemovals(() => removeSandboxPart(files, path));
    if (!removed.ok) return removed.error.code === 'ENOENT' ? ok(undefined) : removed;
    if (removed.value === 'removed') break;
  }
  // The directories above a nested sandbox belong to its parent.
  for (let at = path; !isNested(path); ) {
    at = at.slice(0, at.lastIndexOf('/'));
    if (!at.startsWith(`${workDir}/`) || !(await files.removeEmptyDirectory(at)).ok) break;
  }
  return ok(undefined);
}
