// Sandboxes and volumes on this machine: made for their users, shown in each other, removed.
//
// Tasks may be at work in all of them meanwhile. Boundary: nothing below a sandbox or a volume is reached but through
// directories that are held open (@meseta/containers/sandbox); the links made here are for people and tasks to follow,
// the agent follows none.
import { type Files, type HeldDirectory, type Owner, ok, type Result, type SystemResult } from '@meseta/base';
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
import { emptyDirectory, removeTree } from '@meseta/containers/sandbox/trees';
import type { Logger } from '@meseta/platform';
import type { AgentEffect, DirectoryBelow, VolumeLink } from '../core/io.js';

export interface SandboxPorts {
  readonly files: Files;
  readonly log: Logger;
  readonly workDir: string;
  /** Begins a removal when there are not too many of them. */
  readonly removing: <T>(work: () => Promise<T>) => Promise<T>;
  findUser(name: string): Promise<Result<Owner, string>>;
  exit(status: 0 | 1, message: string): void;
}

export type LaunchEffect = Extract<AgentEffect, { kind: 'launch' }>;

const PARENT_MODE = 0o755;
const VOLUME_MODE = 0o750;
/** Of what the agent makes in a sandbox for itself. */
const LINKS_MODE = 0o755;
const LATEST = 'latest';

const problemOf = (what: string, result: SystemResult<unknown>): string | undefined =>
  result.ok ? undefined : `${what}: ${result.error.message}`;

/** The sandbox with links to its volumes, all owned by the user; what went wrong, if something did. */
export async function prepareSandbox(
  ports: Pick<SandboxPorts, 'files' | 'findUser'>,
  { spec, volumes, pod }: LaunchEffect,
): Promise<string | undefined> {
  const { files } = ports;
  const found = spec.user === undefined ? undefined : await ports.findUser(spec.user);
  if (found?.ok === false) return found.error;
  // What the agent makes for its own user belongs to that user already.
  const isOwn = found?.value.uid === process.getuid?.() && found?.value.gid === process.getgid?.();
  const owner = process.getuid?.() === 0 && !isOwn ? found?.value : undefined;
  if (pod !== undefined) {
    const problem = await podsInTurn(() => preparePod(files, pod.sandbox, owner));
    if (problem !== undefined) return problem;
  }
  const isRun = pod === undefined && !isNested(spec.sandbox);
  const sandbox = await makeSandbox(files, spec.sandbox, owner, isRun ? linkLatest(spec.sandbox) : undefined);
  if (!sandbox.ok) return problemOf('sandbox', sandbox);
  sandbox.value.close();
  if (pod !== undefined) await linkPodTask(files, pod.sandbox, pod.taskId, spec.sandbox);
  for (const volume of volumes) {
    const problem = await giveVolume(files, spec.sandbox, volume, owner);
    if (problem !== undefined) return `volume ${volume.containerPath}: ${problem}`;
  }
  return undefined;
}

/** A pod's tasks are launched together, and find its sandbox whole or not at all. */
const podsInTurn = createConcurrencyLimit(1);

/** The first of a pod's tasks decides whose the pod's own sandbox is. A container's streams are made by its launcher. */
async function preparePod(files: Files, path: string, owner: Owner | undefined): Promise<string | undefined> {
  const known = await openSandbox(files, path);
  if (known.ok) {
    known.value.close();
    return undefined;
  }
  const sandbox = await makeSandbox(files, path, owner, linkLatest(path));
  if (!sandbox.ok) return problemOf('sandbox', sandbox);
  const streams = await createStreams(sandbox.value, owner);
  sandbox.value.close();
  return problemOf('sandbox', streams);
}

/** People look for a pod's tasks by their ids. */
async function linkPodTask(files: Files, pod: string, taskId: string, sandbox: string): Promise<void> {
  await within(await openSandbox(files, pod), async (directory) =>
    within(requireProtected(await openOrMake(directory, 'tasks', { mode: LINKS_MODE })), (links) =>
      links.makeLink(taskId, sandbox),
    ),
  );
}

/** The link to an executor's newest run, which people look for. */
const linkLatest =
  (sandbox: string) =>
  async (around: HeldDirectory): Promise<void> => {
    const made = await around.makeLink(LATEST, sandbox);
    if (made.ok || made.error.code !== 'EEXIST') return;
    await around.removeFile(LATEST);
    await around.makeLink(LATEST, sandbox);
  };

/** A walk down from a directory, which is let go of on the way. */
async function descend(
  from: SystemResult<HeldDirectory>,
  names: readonly string[],
  step: (directory: HeldDirectory, name: string, isLast: boolean) => Promise<SystemResult<HeldDirectory>>,
): Promise<SystemResult<HeldDirectory>> {
  let at = from;
  for (const [index, name] of names.entries()) {
    at = await within(at, (directory) => step(directory, name, index === names.length - 1));
  }
  return at;
}

/** Shows a volume in a sandbox; what is wrong, if something is. */
async function giveVolume(
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
  const given = await within(made, async (volume) =>
    isPersistent && owner !== undefined ? volume.changeOwner(owner) : ok(undefined),
  );
  if (!given.ok) return given.error.message;
  const around = await descend(await openSandbox(files, sandbox), names, (directory, each) =>
    openOrMake(directory, each, { mode: VOLUME_MODE, owner }),
  );
  const linked = await within(around, (directory) => directory.makeLink(name, [place.root, ...place.names].join('/')));
  return linked.ok ? undefined : linked.error.message;
}

/** The directory of a persistent volume, made if it is not there; nobody else can change what leads to it. */
async function openVolume(
  files: Files,
  { root, names }: DirectoryBelow,
  mode: number,
): Promise<SystemResult<HeldDirectory>> {
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

/** An operation that has been told as done can't fail any more: then the agent ends, and tries again at its start. */
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

/** Removals of sandboxes that are under way: a container that is launched under the same id waits for them. */
export interface Removals {
  add(path: string, removal: Promise<unknown>): void;
  /** Resolves when nothing that is being removed has this path or leads to it. */
  endedAround(path: string): Promise<void>;
}

export function createRemovals(): Removals {
  const underWay = new Map<string, Promise<unknown>>();
  return {
    add(path, removal) {
      const all = Promise.all([underWay.get(path), removal]);
      underWay.set(path, all);
      void all.then(() => {
        if (underWay.get(path) === all) underWay.delete(path);
      });
    },
    async endedAround(path) {
      if (underWay.size === 0) return;
      for (let at = path; at !== ''; at = at.slice(0, at.lastIndexOf('/'))) await underWay.get(at);
    },
  };
}

/** Removes a sandbox and the directories above it that are empty then, up to work_dir. */
export function removeSandbox(
  { files, workDir, removing }: Pick<SandboxPorts, 'files' | 'workDir' | 'removing'>,
  path: string,
): Promise<SystemResult<void>> {
  return removing(async () => {
    const removed = await within(await openAroundSandbox(files, path), async (around) => {
      const done = await removeTree(around, sandboxName(path));
      const latest = done.ok ? await around.readLink(LATEST) : done;
      if (latest.ok && latest.value === path) await around.removeFile(LATEST);
      return done;
    });
    if (!removed.ok) return removed.error.code === 'ENOENT' ? ok(undefined) : removed;
    // What is above a nested one is its parent's.
    for (let at = path; !isNested(path); ) {
      at = at.slice(0, at.lastIndexOf('/'));
      if (!at.startsWith(`${workDir}/`) || !(await files.removeEmptyDirectory(at)).ok) break;
    }
    return removed;
  });
}
