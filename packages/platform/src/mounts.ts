// Copies of parts of the file system as descriptors ("detached mounts"), which a new container attaches. They are gone when
// their descriptors are closed, so nothing of them stays on the machine. Linux 5.12.
//
// Boundary: the functions throw; the caller turns that into an error value. Descriptors are the caller's.
// MOUNTS-1: a source is opened name by name. A link is followed only in a directory that only this process' user can write
//   to; names below it that a task may replace are never followed (DirectoryBelow).
// MOUNTS-2: a target in a container's own root is made and opened within that root, whatever links are in it.
import { closeSync, constants, mkdirSync, openSync, readlinkSync, symlinkSync } from 'node:fs';
import { type DeviceNode, type DirectoryBelow, pathComponents } from '@meseta/base';
import type { Arena } from './child-calls.js';
import type { Step } from './child-steps.js';
import { isProtected } from './directory-handles.js';
import * as libc from './libc.js';
import { Refused, statOfDescriptor } from './system-results.js';

const { O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_WRONLY } = constants;
const O_PATH = 0o10000000;
const O_CLOEXEC = 0o2000000;
const MAX_LINKS = 40;

const AT_EMPTY_PATH = 0x1000;
const AT_RECURSIVE = 0x8000;
const OPEN_TREE_CLONE = 1;
const OPEN_TREE_CLOEXEC = O_CLOEXEC;
const MOUNT_ATTR_RDONLY = 1n;
/** Mounts of the machine reach the copy, and no mount in the copy reaches the machine (mount_namespaces(7)). */
const MS_FROM_MACHINE = BigInt(1 << 19);
export const RESOLVE_NO_MAGICLINKS = 2;
export const RESOLVE_NO_SYMLINKS = 4;
export const RESOLVE_IN_ROOT = 0x10;

const FSOPEN_CLOEXEC = 1;
const FSMOUNT_CLOEXEC = 1;
const FSCONFIG_SET_STRING = 1;
const FSCONFIG_CMD_CREATE = 6;
const MOUNT_ATTR_NOSUID_NOEXEC = 2 | 8;

const words = (...values: readonly bigint[]): Uint8Array => new Uint8Array(BigUint64Array.from(values).buffer);

/** struct open_how (openat2(2)). */
export const openHow = (flags: number, resolve: number): Uint8Array => words(BigInt(flags), 0n, BigInt(resolve));

export const OPEN_TARGET = O_PATH | O_CLOEXEC;

/** Opens one name in an open directory, which is closed. A link is itself opened. */
function step(directory: number, name: string): number {
  try {
    return openSync(`/proc/self/fd/${directory}/${name}`, O_PATH | O_NOFOLLOW);
  } finally {
    closeSync(directory);
  }
}

const openRootDirectory = (): number => openSync('/', O_PATH | O_DIRECTORY);

/** MOUNTS-1. Opens a path of the machine. */
export function openTrusted(path: string): number {
  let at = openRootDirectory();
  const rest = pathComponents(path).reverse();
  let links = 0;
  for (let name = rest.pop(); name !== undefined; name = rest.pop()) {
    const around = statOfDescriptor(at);
    const target = isProtected(around) ? linkTarget(at, name) : undefined;
    if (target !== undefined) {
      links++;
      for (const each of pathComponents(target).reverse()) rest.push(each);
      if (links > MAX_LINKS) {
        closeSync(at);
        throw new Refused(`${path}: more than ${MAX_LINKS} symbolic links`);
      }
      if (target.startsWith('/')) {
        closeSync(at);
        at = openRootDirectory();
      }
      continue;
    }
    at = step(at, name);
    refuseLink(at, path);
  }
  return at;
}

const linkTarget = (directory: number, name: string): string | undefined =>
  targetOfLink(`/proc/self/fd/${directory}/${name}`);

function targetOfLink(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}

function refuseLink(opened: number, path: string): void {
  if (statOfDescriptor(opened).kind !== 'symlink') return;
  closeSync(opened);
  throw new Refused(`${path}: a symbolic link that others than root can replace is not followed`);
}

/** MOUNTS-1. */
export function openBelow({ root, names }: DirectoryBelow): number {
  let at = openTrusted(root);
  for (const name of names) {
    at = step(at, name);
    refuseLink(at, [root, ...names].join('/'));
  }
  return at;
}

/** A detached copy of what `opened` refers to, with the mounts in it. Mounts of the container don't reach the machine. */
export function cloneTree(opened: number, isReadOnly: boolean): number {
  const flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | AT_RECURSIVE;
  const tree = libc.checked(libc.open_tree(opened, '', flags), 'copy a mount');
  // struct mount_attr: set, clear, propagation, user namespace.
  const attributes = words(isReadOnly ? MOUNT_ATTR_RDONLY : 0n, 0n, MS_FROM_MACHINE, 0n);
  if (libc.mount_setattr(tree, '', AT_EMPTY_PATH | AT_RECURSIVE, attributes) === 0) return tree;
  const reason = libc.strerror(libc.lastError());
  closeSync(tree);
  throw new Refused(`set the attributes of a mount: ${reason}`);
}

/** MOUNTS-1. Opens a path within the root directory of a container, without any link in it. */
export function openInside(root: number, path: string): number {
  const how = openHow(OPEN_TARGET, RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS);
  return libc.checked(libc.openat2(root, path, how), `${path} in the parent container`);
}

/**
 * The calls of a child in the mount namespace of another container that replace the open `source` there by a detached copy
 * of it, as `cloneTree` makes it. They use the descriptor 0.
 */
export function cloneSteps(arena: Arena, source: number, isReadOnly: boolean, what: string): readonly Step[] {
  const empty = arena.text('');
  const attributes = words(MOUNT_ATTR_RDONLY, 0n, 0n, 0n);
  const flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | AT_RECURSIVE;
  const protect: Step = {
    name: 'mount_setattr',
    arguments: [0, empty, AT_EMPTY_PATH | AT_RECURSIVE, arena.bytes(attributes), attributes.length],
    what,
  };
  return [
    { name: 'close', arguments: [0], mayFail: true, what },
    { name: 'open_tree', arguments: [source, empty, flags], what },
    ...(isReadOnly ? [protect] : []),
    { name: 'dup3', arguments: [0, source, O_CLOEXEC], what },
  ];
}

/** MOUNTS-2. Opens a path within `root`, undefined if it is missing. */
function openInRoot(root: number, path: string): number | undefined {
  const opened = libc.openat2(root, path, openHow(OPEN_TARGET, RESOLVE_IN_ROOT));
  if (opened >= 0) return opened;
  const error = libc.lastError();
  if (error === libc.errno.ENOENT) return undefined;
  throw new Refused(`${path}: ${libc.strerror(error)}`);
}

const TARGET_MODE = 0o755;

/**
 * MOUNTS-2. Makes a directory or an empty file, with the directories above it. What exists stays. Each lookup begins at the root,
 * so what exists is found in few of them: the time would grow with the square of the depth.
 */
export function makeTarget(root: number, path: string, isDirectory: boolean): void {
  const names = pathComponents(path);
  let at = libc.checked(libc.openat2(root, '.', openHow(OPEN_TARGET, RESOLVE_IN_ROOT)), path);
  const leadsUp = names.includes('..');
  // How many of the names exist, and a greater number of which not all do.
  let existing = 0;
  let missing = names.length + 1;
  try {
    for (let count = names.length; missing - existing > 1; count = (existing + missing) >> 1) {
      const opened = openInRoot(root, names.slice(0, count).join('/'));
      if (opened === undefined) missing = count;
      else {
        closeSync(at);
        at = opened;
        existing = count;
      }
    }
    for (const [index, name] of names.entries()) {
      if (index < existing) continue;
      // What follows a ".." may exist, also below what was made.
      let next = leadsUp ? openInRoot(root, names.slice(0, index + 1).join('/')) : undefined;
      if (next === undefined) {
        const inDirectory = `/proc/self/fd/${at}/${name}`;
        // Neither follows a link in the name.
        if (targetOfLink(inDirectory) !== undefined) throw new Refused(`${path}: ${name} is a link to nothing`);
        const isLast = index === names.length - 1;
        if (isLast && !isDirectory) closeSync(openSync(inDirectory, O_WRONLY | O_CREAT | O_EXCL, 0o644));
        else mkdirSync(inDirectory, TARGET_MODE);
        next = openSync(inDirectory, O_PATH | O_NOFOLLOW);
      }
      closeSync(at);
      at = next;
    }
  } finally {
    closeSync(at);
  }
}

const S_IFCHR = 0o020000;
const DEVICE_MODE = 0o666;

/** Devices that every container has, with their numbers (the kernel's admin-guide/devices). */
const DEVICES: readonly (readonly [name: string, major: number, minor: number])[] = [
  ['null', 1, 3],
  ['zero', 1, 5],
  ['full', 1, 7],
  ['random', 1, 8],
  ['urandom', 1, 9],
  ['tty', 5, 0],
];

const LINKS: readonly (readonly [name: string, target: string])[] = [
  ['fd', '/proc/self/fd'],
  ['stdin', '/proc/self/fd/0'],
  ['stdout', '/proc/self/fd/1'],
  ['stderr', '/proc/self/fd/2'],
  ['ptmx', 'pts/ptmx'],
];

/** A detached /dev with the devices that every container has, and more. */
export function createDevices(more: readonly DeviceNode[]): number {
  const config = libc.checked(libc.fsopen('tmpfs', FSOPEN_CLOEXEC), 'make /dev');
  try {
    libc.checked(libc.fsconfig(config, FSCONFIG_SET_STRING, 'mode', '755'), 'make /dev');
    libc.checked(libc.fsconfig(config, FSCONFIG_SET_STRING, 'size', '64k'), 'make /dev');
    libc.checked(libc.fsconfig(config, FSCONFIG_CMD_CREATE, null, null), 'make /dev');
    const devices = libc.checked(libc.fsmount(config, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID_NOEXEC), 'make /dev');
    try {
      fillDevices(`/proc/self/fd/${devices}`, more);
    } catch (error) {
      closeSync(devices);
      throw error;
    }
    return devices;
  } finally {
    closeSync(config);
  }
}

/** struct stat's number of a device, as makedev(3) of Linux puts it together. */
const deviceNumber = (major: number, minor: number): number =>
  ((minor & 0xff) | ((major & 0xfff) << 8) | ((minor & 0xfff00) << 12)) >>> 0;

function fillDevices(path: string, more: readonly DeviceNode[]): void {
  const before = process.umask(0);
  try {
    const wanted = [...DEVICES, ...more.map(({ name, major, minor }) => [name, major, minor] as const)];
    for (const [name, major, minor] of wanted) {
      libc.checked(
        libc.mknod(`${path}/${name}`, S_IFCHR | DEVICE_MODE, deviceNumber(major, minor)),
        `make /dev/${name}`,
      );
    }
    for (const [name, target] of LINKS) symlinkSync(target, `${path}/${name}`);
    for (const name of ['pts', 'shm', 'mqueue']) mkdirSync(`${path}/${name}`, TARGET_MODE);
  } finally {
    process.umask(before);
  }
}

/** The real path of an open directory. */
export const pathOfDescriptor = (opened: number): string => readlinkSync(`/proc/self/fd/${opened}`);
