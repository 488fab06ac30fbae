// Sandboxes: where they lie, made for their users, and given the files that a container writes to.
//
// SANDBOX-1: a sandbox lies in a directory that only the agent may write to: `runs`, or `containers` in the sandbox of
//   its parent. The parent's user may put something else in the place of `containers`; that is refused.
// SANDBOX-2: nobody but its user, that user's group and the agent can look into a sandbox.
// SANDBOX-3: nothing that was there is given to a user.
import { err, type Files, type HeldDirectory, type HeldFile, type Owner, ok, type SystemResult } from '@meseta/base';

const SANDBOX_MODE = 0o750;
const NESTED_MODE = 0o711;
const STREAM_MODE = 0o644;
const NESTED = 'containers';

interface Place {
  /** Trusted: nobody but the agent can change what leads there. */
  readonly root: string;
  /** The containers from there on, each nested in the one before. */
  readonly ids: readonly string[];
}

/** What the path of a sandbox is made of (disk-layout.ts of the agent). */
function placeOf(path: string): Place {
  const ids: string[] = [];
  let root = path;
  for (let found = nestedIn(root); found !== undefined; found = nestedIn(root)) {
    ids.push(found.id);
    root = found.parent;
  }
  return { root, ids: ids.reverse() };
}

function nestedIn(path: string): { readonly parent: string; readonly id: string } | undefined {
  const [, parent, id] = /^(.+)\/containers\/([^/]+)$/s.exec(path) ?? [];
  return parent === undefined || id === undefined ? undefined : { parent, id };
}

export const isNested = (path: string): boolean => nestedIn(path) !== undefined;

/** Does something in a directory and lets go of it. */
export async function within<T>(
  directory: SystemResult<HeldDirectory>,
  work: (directory: HeldDirectory) => Promise<SystemResult<T>>,
): Promise<SystemResult<T>> {
  if (!directory.ok) return directory;
  try {
    return await work(directory.value);
  } finally {
    directory.value.close();
  }
}

/** SANDBOX-1: the directory, if nobody but the agent can change what is in it. */
export function protectedOne(found: SystemResult<HeldDirectory>): SystemResult<HeldDirectory> {
  if (!found.ok || found.value.isProtected) return found;
  const { shownPath, stat } = found.value;
  found.value.close();
  return err({ code: 'EPERM', message: `${shownPath}: belongs to user ${stat.uid}, or others may write to it` });
}

async function openPlace({ root, ids }: Place, files: Files): Promise<SystemResult<HeldDirectory>> {
  let at = await files.openDirectory(root);
  for (const id of ids) {
    at = await within(at, async (sandbox) => protectedOne(await sandbox.openDirectory(NESTED)));
    at = await within(at, (nested) => nested.openDirectory(id));
  }
  return at;
}

/** Holds the sandbox of a container open. */
export const openSandbox = (files: Files, path: string): Promise<SystemResult<HeldDirectory>> =>
  openPlace(placeOf(path), files);

/** Holds the directory open that a sandbox lies in. */
export async function openAroundSandbox(files: Files, path: string): Promise<SystemResult<HeldDirectory>> {
  const { root, ids } = placeOf(path);
  if (ids.length === 0) return files.openDirectory(root.slice(0, root.lastIndexOf('/')));
  const parent = await openPlace({ root, ids: ids.slice(0, -1) }, files);
  return within(parent, async (sandbox) => protectedOne(await sandbox.openDirectory(NESTED)));
}

export const sandboxName = (path: string): string => path.slice(path.lastIndexOf('/') + 1);

/** Makes the directory that a sandbox is to lie in, and holds it open. */
async function makeAroundSandbox(files: Files, path: string): Promise<SystemResult<HeldDirectory>> {
  const nested = nestedIn(path);
  if (nested === undefined) {
    const around = path.slice(0, path.lastIndexOf('/'));
    const made = await files.makeDirectory(around);
    return made.ok ? files.openDirectory(around) : made;
  }
  const parent = await openSandbox(files, nested.parent);
  return within(parent, async (sandbox) => protectedOne(await openOrMake(sandbox, NESTED, { mode: NESTED_MODE })));
}

/** The directory of this name, made if there is none. */
export async function openOrMake(
  parent: HeldDirectory,
  name: string,
  made: { readonly mode: number; readonly owner?: Owner | undefined },
): Promise<SystemResult<HeldDirectory>> {
  const opened = await parent.openDirectory(name);
  if (opened.ok || opened.error.code !== 'ENOENT') return opened;
  const fresh = await parent.makeDirectory(name, made);
  // Someone else was faster.
  return !fresh.ok && fresh.error.code === 'EEXIST' ? parent.openDirectory(name) : fresh;
}

/**
 * Makes a sandbox for its user, undefined being the agent's own, and holds it open. One that is there must be that user's.
 * `beside` does what is to be done in the directory that it lies in.
 */
export async function makeSandbox(
  files: Files,
  path: string,
  owner: Owner | undefined,
  beside: (around: HeldDirectory) => Promise<unknown> = async () => {},
): Promise<SystemResult<HeldDirectory>> {
  return within(await makeAroundSandbox(files, path), async (directory) => {
    const made = await directory.makeDirectory(sandboxName(path), { mode: SANDBOX_MODE, owner });
    if (made.ok) await beside(directory);
    if (made.ok || made.error.code !== 'EEXIST') return made;
    const found = await directory.openDirectory(sandboxName(path));
    const uid = owner?.uid ?? directory.stat.uid;
    if (!found.ok || found.value.stat.uid === uid) return found;
    found.value.close();
    return err({ code: 'EEXIST', message: `${path}: is there already, and belongs to user ${found.value.stat.uid}` });
  });
}

/** Makes the files that a container's output goes to; those that are there must be its user's. */
export async function createStreams(sandbox: HeldDirectory, owner: Owner | undefined): Promise<SystemResult<void>> {
  for (const name of ['stdout', 'stderr']) {
    const made = await sandbox.makeFile(name, { mode: STREAM_MODE, owner });
    const checked =
      made.ok || made.error.code !== 'EEXIST' ? made : await ownFile(sandbox, name, owner?.uid ?? sandbox.stat.uid);
    if (!checked.ok) return checked;
    checked.value.close();
  }
  return ok(undefined);
}

/** SANDBOX-3. */
async function ownFile(sandbox: HeldDirectory, name: string, uid: number): Promise<SystemResult<HeldFile>> {
  const file = await sandbox.openFile(name, 'read');
  if (!file.ok) return file;
  const stat = await file.value.stat();
  if (stat.ok && stat.value.uid === uid) return file;
  file.value.close();
  if (!stat.ok) return stat;
  return err({ code: 'EPERM', message: `${sandbox.shownPath}/${name}: belongs to user ${stat.value.uid}` });
}

/** The used part of the disk that `path` is on, 0 to 1. */
export async function diskFullness(files: Files, path: string): Promise<SystemResult<number>> {
  const space = await files.diskSpace(path);
  if (!space.ok) return space;
  const { totalBytes, availableBytes } = space.value;
  return ok(totalBytes === 0 ? 1 : 1 - availableBytes / totalBytes);
}
