// The port TreeDirectory on Linux: trees that the helper process of images writes (layers, copies of root file systems).
//
// Owns: the descriptors of the directories and files until they are closed. Boundary: nothing throws.
// TREE-1: a name is one path component, looked up in an open directory; no call follows a symbolic link.
// TREE-2: attributes are set in the order owner, mode, extended attributes, time: a new owner clears setuid bits and
//   capabilities.
import { closeSync, constants, copyFileSync, lstatSync, readdirSync, readlinkSync, writeSync } from 'node:fs';
import { constants as system } from 'node:os';
import {
  err,
  ok,
  type SystemError,
  type SystemResult,
  type TreeAttributes,
  type TreeDirectory,
  type TreeEntry,
  type TreeEntryKind,
  type TreeFile,
} from '@meseta/base';
import * as libc from './libc.js';
import { systemError } from './system-results.js';

const { O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_RDONLY, O_WRONLY } = constants;
const O_CLOEXEC = 0o2000000;
const AT_REMOVEDIR = 0x200;
const AT_SYMLINK_NOFOLLOW = 0x100;
const S_IFIFO = 0o010000;
const S_IFCHR = 0o020000;
const S_IFMT = 0o170000;
/** Of what is made here, until its attributes are set. */
const NEW_DIRECTORY_MODE = 0o700;
const NEW_FILE_MODE = 0o600;
/** XATTR_SIZE_MAX and XATTR_LIST_MAX of Linux. */
const MAX_ATTRIBUTE_BYTES = 65_536;
const NANOSECONDS = 1_000_000_000n;

const errnoNames = new Map(Object.entries(system.errno).map(([name, number]) => [number, name]));

/** The name for errors, where a control character of it must not reach a terminal. */
const shown = (name: string): string => JSON.stringify(name);

function lastFailure(name: string): { readonly ok: false; readonly error: SystemError } {
  const number = libc.lastError();
  const code = errnoNames.get(number) ?? `errno ${number}`;
  return err({ code, message: `${shown(name)}: ${libc.strerror(number)}` });
}

const isName = (name: string): boolean => name !== '' && name !== '.' && name !== '..' && !/[/\0]/.test(name);

const bytesOf = (text: string): Buffer => Buffer.from(`${text}\0`, 'latin1');

const resultOf = (status: number, name: string): SystemResult<void> => (status < 0 ? lastFailure(name) : ok(undefined));

/** TREE-1: calls `call` with the name as a C string. */
const named = <T>(name: string, call: (bytes: Buffer) => SystemResult<T>): SystemResult<T> =>
  isName(name) ? call(bytesOf(name)) : err({ code: 'EINVAL', message: `${shown(name)}: can't be a name` });

function attempt<T>(name: string, call: () => T): SystemResult<T> {
  try {
    return ok(call());
  } catch (error) {
    const { code } = systemError(error);
    return err({ code, message: `${shown(name)}: ${code}` });
  }
}

/** A struct timespec[2]: the access time stays, the modification time is set. */
function timesOf({ modifiedSeconds, modifiedNanoseconds }: TreeAttributes): Uint8Array {
  const UTIME_OMIT = 0x3ffffffen;
  return new Uint8Array(
    new BigInt64Array([0n, UTIME_OMIT, BigInt(modifiedSeconds), BigInt(modifiedNanoseconds)]).buffer,
  );
}

/** TREE-2. */
function setByDescriptor(fd: number, attributes: TreeAttributes): SystemResult<void> {
  const { uid, gid, mode, extended } = attributes;
  if (libc.fchown(fd, uid, gid) < 0 || libc.fchmod(fd, mode & 0o7777) < 0) return lastFailure('owner and mode');
  for (const [name, value] of extended) {
    if (libc.fsetxattr(fd, bytesOf(name), value, value.length, 0) < 0) return lastFailure(name);
  }
  return resultOf(libc.futimens(fd, timesOf(attributes)), 'time');
}

function createTreeFile(fd: number): TreeFile {
  return {
    write: (bytes) =>
      attempt('write', () => {
        for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done);
      }),
    setAttributes: (attributes) => setByDescriptor(fd, attributes),
    close: () => closeSync(fd),
  };
}

function kindOf(mode: number, device: number): TreeEntryKind {
  switch (mode & S_IFMT) {
    case constants.S_IFREG:
      return 'file';
    case constants.S_IFDIR:
      return 'directory';
    case constants.S_IFLNK:
      return 'symlink';
    case S_IFIFO:
      return 'fifo';
    case S_IFCHR:
      return device === 0 ? 'whiteout' : 'other';
    default:
      return 'other';
  }
}

/** The extended attributes of a path, whose last component is not followed. */
function extendedOf(path: Buffer): ReadonlyMap<string, Uint8Array> {
  const list = Buffer.alloc(MAX_ATTRIBUTE_BYTES);
  const listBytes = libc.llistxattr(path, list, list.length);
  const found = new Map<string, Uint8Array>();
  if (listBytes <= 0) return found;
  const names = list.toString('latin1', 0, listBytes - 1).split('\0');
  const value = Buffer.alloc(MAX_ATTRIBUTE_BYTES);
  for (const name of names) {
    const bytes = libc.lgetxattr(path, bytesOf(name), value, value.length);
    if (bytes >= 0) found.set(name, Uint8Array.prototype.slice.call(value, 0, bytes));
  }
  return found;
}

function entryAt(path: Buffer, name: string): SystemResult<TreeEntry> {
  return attempt(name, () => {
    const stat = lstatSync(path, { bigint: true });
    const mode = Number(stat.mode);
    return {
      kind: kindOf(mode, Number(stat.rdev)),
      sizeBytes: Number(stat.size),
      attributes: {
        uid: Number(stat.uid),
        gid: Number(stat.gid),
        mode: mode & 0o7777,
        modifiedSeconds: Number(stat.mtimeNs / NANOSECONDS),
        modifiedNanoseconds: Number(stat.mtimeNs % NANOSECONDS),
        extended: extendedOf(Buffer.concat([path, Buffer.from([0])])),
      },
      identity: `${stat.dev}:${stat.ino}`,
      links: Number(stat.nlink),
    };
  });
}

/** Sets attributes of a name that is no directory, without opening it: it may be a fifo. */
function setByName(fd: number, pathOf: (name: string) => Buffer, name: string, to: TreeAttributes): SystemResult<void> {
  return named(name, (bytes) => {
    const found = attempt(name, () => lstatSync(pathOf(name)));
    if (!found.ok) return found;
    if (libc.fchownat(fd, bytes, to.uid, to.gid, AT_SYMLINK_NOFOLLOW) < 0) return lastFailure(name);
    if (!found.value.isSymbolicLink() && libc.fchmodat(fd, bytes, to.mode & 0o7777, 0) < 0) return lastFailure(name);
    const path = Buffer.concat([pathOf(name), Buffer.from([0])]);
    for (const [attribute, value] of to.extended) {
      if (libc.lsetxattr(path, bytesOf(attribute), value, value.length, 0) < 0) return lastFailure(attribute);
    }
    return resultOf(libc.utimensat(fd, bytes, timesOf(to), AT_SYMLINK_NOFOLLOW), name);
  });
}

function createTreeDirectory(fd: number): TreeDirectory {
  const own = `/proc/self/fd/${fd}`;
  const pathOf = (name: string): Buffer => Buffer.from(`${own}/${name}`, 'latin1');
  return {
    descriptor: fd,
    openDirectory: (name) =>
      named(name, (bytes) => {
        const opened = libc.openat(fd, bytes, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
        return opened < 0 ? lastFailure(name) : ok(createTreeDirectory(opened));
      }),
    makeDirectory: (name) => named(name, (bytes) => resultOf(libc.mkdirat(fd, bytes, NEW_DIRECTORY_MODE), name)),
    makeFile: (name) =>
      named(name, (bytes) => {
        const flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
        const opened = libc.openat(fd, bytes, flags, NEW_FILE_MODE);
        return opened < 0 ? lastFailure(name) : ok(createTreeFile(opened));
      }),
    makeSymlink: (name, target) => named(name, (bytes) => resultOf(libc.symlinkat(bytesOf(target), fd, bytes), name)),
    makeHardLink: (name, from, fromName) =>
      named(name, (bytes) =>
        named(fromName, (fromBytes) => resultOf(libc.linkat(from.descriptor, fromBytes, fd, bytes, 0), name)),
      ),
    makeFifo: (name) => named(name, (bytes) => resultOf(libc.mknodat(fd, bytes, S_IFIFO | NEW_FILE_MODE, 0), name)),
    makeWhiteout: (name) => named(name, (bytes) => resultOf(libc.mknodat(fd, bytes, S_IFCHR, 0), name)),
    copyFile: (name, from, fromName) =>
      named(name, () =>
        named(fromName, () => {
          const source = Buffer.from(`/proc/self/fd/${from.descriptor}/${fromName}`, 'latin1');
          return attempt(name, () =>
            copyFileSync(source, pathOf(name), constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE),
          );
        }),
      ),
    entryOf: (name) => named(name, () => entryAt(pathOf(name), name)),
    targetOf: (name) => named(name, () => attempt(name, () => readlinkSync(pathOf(name), 'latin1'))),
    names: () => attempt('list', () => readdirSync(own, 'latin1')),
    removeFile: (name) => named(name, (bytes) => resultOf(libc.unlinkat(fd, bytes, 0), name)),
    removeEmptyDirectory: (name) => named(name, (bytes) => resultOf(libc.unlinkat(fd, bytes, AT_REMOVEDIR), name)),
    setAttributesOf: (name, attributes) => setByName(fd, pathOf, name, attributes),
    setAttributes: (attributes) => setByDescriptor(fd, attributes),
    attributes: () => {
      const entry = entryAt(Buffer.from(`${own}/.`), '.');
      return entry.ok ? ok(entry.value.attributes) : entry;
    },
    setExtended: (attribute, value) =>
      resultOf(libc.fsetxattr(fd, bytesOf(attribute), value, value.length, 0), attribute),
    close: () => closeSync(fd),
  };
}

/** Writes to the disk what the file system of the directory has in memory. */
export const syncTree = (directory: TreeDirectory): void => {
  libc.syncfs(directory.descriptor);
};

/** Opens a directory that no other user can replace. */
export function openTree(path: string): SystemResult<TreeDirectory> {
  const AT_FDCWD = -100;
  const opened = libc.openat(AT_FDCWD, Buffer.from(`${path}\0`), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
  return opened < 0 ? lastFailure(path) : ok(createTreeDirectory(opened));
}
