// Links volumes into sandboxes, and makes and removes the directories of persistent volumes.
//
// Boundary: tasks may change sandboxes and volumes at any time, so both are worked in through open directories only
// (sandbox.ts). People and tasks follow the links made here; the agent follows none.
import { type DirectoryHandle, type Files, type Owner, ok, pathComponents, type SystemResult } from '@meseta/base';
import type { VolumeLink } from '../isolators/isolator.js';
import type { DirectoryBelow, VolumeChange } from '../types.js';
import { openOrMake, openSandbox, requireProtected, within } from './sandbox.js';
import { emptyDirectory, removeTree } from './trees.js';

const PARENT_MODE = 0o755;
const VOLUME_MODE = 0o750;
const MOUNT_POINT_MODE = 0o640;

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

const pathOf = ({ root, names }: DirectoryBelow): string => [root, ...names].join('/');

/** Links a volume into a sandbox, or makes what it is mounted over. Returns why that failed. */
export async function linkVolume(
  files: Files,
  sandbox: string,
  link: VolumeLink,
  owner: Owner | undefined,
): Promise<string | undefined> {
  const { containerPath, place, as = 'link' } = link;
  const names = pathComponents(containerPath);
  const name = names.pop();
  const isAbsolute = containerPath.startsWith('/');
  if (name === undefined || (isAbsolute && as === 'link')) return 'expected a path inside the sandbox';
  const kind = await placeOf(files, link, owner);
  if (!kind.ok) return kind.error.message;
  if (isAbsolute) return undefined;
  const around = await descend(await openSandbox(files, sandbox), names, (directory, each) =>
    openOrMake(directory, each, { mode: VOLUME_MODE, owner }),
  );
  const shown = await within(around, (directory) =>
    as === 'link' ? directory.makeLink(name, pathOf(place)) : makeMountPoint(directory, name, kind.value, owner),
  );
  return shown.ok ? undefined : shown.error.message;
}

type PlaceKind = 'directory' | 'file';

async function placeOf(files: Files, link: VolumeLink, owner: Owner | undefined): Promise<SystemResult<PlaceKind>> {
  if (link.as === 'mountOfExisting') return kindOfExisting(files, link.place);
  const made = await makePlace(files, link, owner);
  const mayBeFile = link.as === 'mount' && !link.isPersistent && !made.ok && made.error.code === 'ENOTDIR';
  // In a parent's sandbox, where files may be mounted.
  return mayBeFile && (await isFileBelow(files, link.place)) ? ok('file') : made;
}

/** Whether a path leads to a regular file, through directories only. */
async function isFileBelow(files: Files, { root, names }: DirectoryBelow): Promise<boolean> {
  const name = names.at(-1);
  if (name === undefined) return false;
  const around = await descend(await openSandbox(files, root), names.slice(0, -1), (directory, each) =>
    directory.openDirectory(each),
  );
  const stat = await within(around, (directory) => directory.statOf(name));
  return stat.ok && stat.value.kind === 'file';
}

/** Makes the directory of a volume, through no link, and gives a persistent one to its user. */
export async function makePlace(
  files: Files,
  { place, isPersistent }: Pick<VolumeLink, 'place' | 'isPersistent'>,
  owner: Owner | undefined,
): Promise<SystemResult<PlaceKind>> {
  const made = isPersistent
    ? await makeVolume(files, place, VOLUME_MODE)
    : await descend(await openSandbox(files, place.root), place.names, (directory, each) =>
        openOrMake(directory, each, { mode: VOLUME_MODE, owner }),
      );
  const changed = await within(made, async (volume) =>
    isPersistent && owner !== undefined ? volume.changeOwner(owner) : ok(undefined),
  );
  return changed.ok ? ok('directory') : changed;
}

/** What is at a path of the machine. Nothing is read: the supervisor opens it again, without links that others can replace. */
async function kindOfExisting(files: Files, place: DirectoryBelow): Promise<SystemResult<PlaceKind>> {
  const opened = await files.openDirectory(pathOf(place));
  if (opened.ok) opened.value.close();
  if (opened.ok) return ok('directory');
  return opened.error.code === 'ENOTDIR' ? ok('file') : opened;
}

/** Makes an empty directory or file to mount over; one that exists is used. */
async function makeMountPoint(
  directory: DirectoryHandle,
  name: string,
  kind: PlaceKind,
  owner: Owner | undefined,
): Promise<SystemResult<void>> {
  if (kind === 'directory') {
    return within(await openOrMake(directory, name, { mode: VOLUME_MODE, owner }), async () => ok(undefined));
  }
  const made = await directory.makeFile(name, { mode: MOUNT_POINT_MODE, owner });
  if (made.ok) made.value.close();
  return made.ok || made.error.code === 'EEXIST' ? ok(undefined) : made;
}

/** Opens the directory of a persistent volume, and makes it if it is missing. Only the agent can replace a directory above it. */
async function makeVolume(
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

/** Opens the directory of a persistent volume that exists. */
export const openVolume = async (files: Files, place: DirectoryBelow): Promise<SystemResult<DirectoryHandle>> =>
  descend(await files.openDirectory(place.root), place.names, async (directory, name, isLast) =>
    isLast ? directory.openDirectory(name) : requireProtected(await directory.openDirectory(name)),
  );

async function removeVolume(files: Files, { root, names }: DirectoryBelow): Promise<SystemResult<void>> {
  const name = names.at(-1);
  if (name === undefined) return within(await files.openDirectory(root), emptyDirectory);
  const around = await descend(await files.openDirectory(root), names.slice(0, -1), async (directory, each) =>
    requireProtected(await directory.openDirectory(each)),
  );
  const removed = await within(around, (directory) => removeTree(directory, name));
  return !removed.ok && removed.error.code === 'ENOENT' ? ok(undefined) : removed;
}

/** Makes or removes the directory of a persistent volume. Returns why that failed. */
export async function changeVolume(
  files: Files,
  { place, remove, isShared }: VolumeChange,
): Promise<string | undefined> {
  const mode = isShared ? PARENT_MODE : VOLUME_MODE;
  const done = remove
    ? await removeVolume(files, place)
    : await within(await makeVolume(files, place, mode), async () => ok(undefined));
  return done.ok ? undefined : `volume ${pathOf(place)}: ${done.error.message}`;
}
