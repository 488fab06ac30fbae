// Makes and opens sandboxes, and makes the files that a container writes its output to.
//
// Boundary: a task may change everything in its sandbox at any time, so sandboxes are worked in through open directories.
// SANDBOX-1: a sandbox lies in a directory that only the agent can write to: `runs`, or `containers` in the sandbox of its
//   parent. The parent's user can replace `containers`; a replaced one is refused.
// SANDBOX-2: only its user, that user's group and the agent can read a sandbox.
// SANDBOX-3: a directory or file that exists already is given to no user.
import {
  type DirectoryBelow,
  type DirectoryHandle,
  err,
  type FileHandle,
  type Files,
  type Owner,
  ok,
  type SystemResult,
} from '@meseta/base';

const SANDBOX_MODE = 0o750;
const NESTED_MODE = 0o711;
const STREAM_MODE = 0o644;
const NESTED = 'containers';
/** The link to an executor's newest run, beside its sandboxes. */
export const LATEST = 'latest';

interface SandboxPath {
  /** The sandbox of the outermost container; only the agent can replace a directory that leads to it. */
  readonly root: string;
  /** The containers below it, each nested in the one before. */
  readonly ids: readonly string[];
}

/** Splits the path of a sandbox (disk-layout.ts of the agent). */
function parseSandboxPath(path: string): SandboxPath {
  const ids: string[] = [];
  let root = path;
  for (let found = nestedIn(root); found !== undefined; found = nestedIn(root)) {
    ids.push(found.id);
    root = found.parent;
  }
  return { root, ids: ids.reverse() };
}

/** A sandbox as a directory below one that only the agent can replace. */
export function placeOfSandbox(path: string): DirectoryBelow {
  const { root, ids } = parseSandboxPath(path);
  return { root, names: ids.flatMap((id) => [NESTED, id]) };
}

function nestedIn(path: string): { readonly parent: string; readonly id: string } | undefined {
  const [, parent, id] = /^(.+)\/containers\/([^/]+)$/s.exec(path) ?? [];
  return parent === undefined || id === undefined ? undefined : { parent, id };
}

export const isNested = (path: string): boolean => nestedIn(path) !== undefined;

/** Calls `work` with an open directory, then closes it. */
export async function within<T>(
  directory: SystemResult<DirectoryHandle>,
  work: (directory: DirectoryHandle) => Promise<SystemResult<T>>,
): Promise<SystemResult<T>> {
  if (!directory.ok) return directory;
  try {
    return await work(directory.value);
  } finally {
    directory.value.close();
  }
}

/** SANDBOX-1: passes on a directory that only the agent can write to. */
export function requireProtected(found: SystemResult<DirectoryHandle>): SystemResult<DirectoryHandle> {
  if (!found.ok || found.value.isProtected) return found;
  const { shownPath, stat } = found.value;
  found.value.close();
  return err({ code: 'EPERM', message: `${shownPath}: belongs to user ${stat.uid}, or others may write to it` });
}

async function openPath({ root, ids }: SandboxPath, files: Files): Promise<SystemResult<DirectoryHandle>> {
  let directory = await files.openDirectory(root);
  for (const id of ids) {
    const around = await within(directory, async (sandbox) => requireProtected(await sandbox.openDirectory(NESTED)));
    directory = await within(around, (containers) => containers.openDirectory(id));
  }
  return directory;
}

/** Opens the sandbox of a container. */
export const openSandbox = (files: Files, path: string): Promise<SystemResult<DirectoryHandle>> =>
  openPath(parseSandboxPath(path), files);

/** Opens the directory that a sandbox lies in. */
export async function openAroundSandbox(files: Files, path: string): Promise<SystemResult<DirectoryHandle>> {
  const { root, ids } = parseSandboxPath(path);
  if (ids.length === 0) return files.openDirectory(root.slice(0, root.lastIndexOf('/')));
  const parent = await openPath({ root, ids: ids.slice(0, -1) }, files);
  return within(parent, async (sandbox) => requireProtected(await sandbox.openDirectory(NESTED)));
}

export const sandboxName = (path: string): string => path.slice(path.lastIndexOf('/') + 1);

/** Makes and opens the directory that a sandbox is to lie in. */
async function makeAroundSandbox(files: Files, path: string): Promise<SystemResult<DirectoryHandle>> {
  const nested = nestedIn(path);
  if (nested === undefined) {
    const around = path.slice(0, path.lastIndexOf('/'));
    const made = await files.makeDirectory(around);
    return made.ok ? files.openDirectory(around) : made;
  }
  const parent = await openSandbox(files, nested.parent);
  return within(parent, async (sandbox) => requireProtected(await openOrMake(sandbox, NESTED, { mode: NESTED_MODE })));
}

/** Opens the directory of this name. Makes it if it is missing. */
export async function openOrMake(
  parent: DirectoryHandle,
  name: string,
  attributes: { readonly mode: number; readonly owner?: Owner | undefined },
): Promise<SystemResult<DirectoryHandle>> {
  const opened = await parent.openDirectory(name);
  if (opened.ok || opened.error.code !== 'ENOENT') return opened;
  const made = await parent.makeDirectory(name, attributes);
  // EEXIST: another launch made it meanwhile.
  return !made.ok && made.error.code === 'EEXIST' ? parent.openDirectory(name) : made;
}

/**
 * Makes and opens a sandbox for its user; undefined is the agent's own. One that exists already must belong to that user.
 * `onMade` works in the directory around a sandbox that was made.
 */
export async function makeSandbox(
  files: Files,
  path: string,
  owner: Owner | undefined,
  onMade: (around: DirectoryHandle) => Promise<unknown> = async () => {},
): Promise<SystemResult<DirectoryHandle>> {
  return within(await makeAroundSandbox(files, path), async (directory) => {
    const made = await directory.makeDirectory(sandboxName(path), { mode: SANDBOX_MODE, owner });
    if (made.ok) await onMade(directory);
    if (made.ok || made.error.code !== 'EEXIST') return made;
    const found = await directory.openDirectory(sandboxName(path));
    const uid = owner?.uid ?? directory.stat.uid;
    if (!found.ok || found.value.stat.uid === uid) return found;
    found.value.close();
    return err({ code: 'EEXIST', message: `${path}: exists already, and belongs to user ${found.value.stat.uid}` });
  });
}

/** Makes the files of a container's output. Files that exist already must belong to its user. */
export async function createStreams(sandbox: DirectoryHandle, owner: Owner | undefined): Promise<SystemResult<void>> {
  for (const name of ['stdout', 'stderr']) {
    const made = await sandbox.makeFile(name, { mode: STREAM_MODE, owner });
    const checked =
      made.ok || made.error.code !== 'EEXIST' ? made : await openOwned(sandbox, name, owner?.uid ?? sandbox.stat.uid);
    if (!checked.ok) return checked;
    checked.value.close();
  }
  return ok(undefined);
}

/** Truncates the files of a container's output that exist. */
export async function emptyStreams(sandbox: DirectoryHandle): Promise<SystemResult<void>> {
  for (const name of ['stdout', 'stderr']) {
    const file = await sandbox.openFile(name, 'update');
    if (!file.ok && file.error.code === 'ENOENT') continue;
    if (!file.ok) return file;
    const emptied = await file.value.truncate(0);
    file.value.close();
    if (!emptied.ok) return emptied;
  }
  return ok(undefined);
}

/** SANDBOX-3. */
async function openOwned(sandbox: DirectoryHandle, name: string, uid: number): Promise<SystemResult<FileHandle>> {
  const file = await sandbox.openFile(name, 'read');
  if (!file.ok) return file;
  const stat = await file.value.stat();
  if (stat.ok && stat.value.uid === uid) return file;
  file.value.close();
  if (!stat.ok) return stat;
  return err({ code: 'EPERM', message: `${sandbox.shownPath}/${name}: belongs to user ${stat.value.uid}` });
}

/** The used share of the disk that `path` is on, 0 to 1. */
export async function diskFullness(files: Files, path: string): Promise<SystemResult<number>> {
  const space = await files.diskSpace(path);
  if (!space.ok) return space;
  const { totalBytes, availableBytes } = space.value;
  return ok(totalBytes === 0 ? 1 : 1 - availableBytes / totalBytes);
}
