// Handles of open directories and files, for work of the privileged agent in places where a task may write.
//
// Owns: the descriptors of the handles until they are closed. Boundary: nothing throws; a failed call is a value that names
// the path. Node has no openat; `/proc/self/fd/N/NAME` does the same: the kernel looks NAME up in the directory that
// descriptor N refers to.
//
// HANDLES-1: a name is one path component. It is looked up once, by the call that uses it.
// HANDLES-2: no link is followed: files are opened with O_NOFOLLOW, and other calls act on the name itself.
// HANDLES-3: only regular files are opened for their content, whatever replaces them meanwhile: the name is opened with
//   O_PATH, which neither reads nor writes, and reopened by descriptor if it is a regular file. The open never waits for a
//   lease of the file's owner, which could take 45 seconds (fcntl(2), F_SETLEASE).
// HANDLES-4: owner and mode are changed by descriptor: of files created here, and of directories that the caller names.
import { closeSync, constants, fchmod, fchown, ftruncate, open, read, watch, write } from 'node:fs';
import * as fs from 'node:fs/promises';
import { promisify } from 'node:util';
import {
  type DirectoryEntry,
  type DirectoryHandle,
  type DirectoryWatch,
  err,
  type FileHandle,
  type FileStat,
  type Owner,
  ok,
  type Result,
  type SystemError,
  type SystemResult,
} from '@meseta/base';
import { kindOf, statOfDescriptor, statOfPath, systemError } from './system-results.js';

const openAsync = promisify(open);
const fchownAsync = promisify(fchown);
const fchmodAsync = promisify(fchmod);
const readAsync = promisify(read);
const writeAsync = promisify(write);
const ftruncateAsync = promisify(ftruncate);

const { O_APPEND, O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_RDWR, O_WRONLY } = constants;
/** Linux's on every architecture that Node runs on; Node has no name for it. */
const O_PATH = 0o10000000;
const WRITABLE_BY_OTHERS = 0o022;
const PART_ENTRIES = 256;
const SEALED_MODE = 0o700;

type Made = { readonly mode: number; readonly owner?: Owner | undefined };

const failure = (code: string, message: string): Result<never, SystemError> => err({ code, message });

const REASONS: Readonly<Record<string, string>> = {
  EAGAIN: 'its user holds a lease on it',
  ELOOP: 'is a symbolic link, which is not followed',
  ENOTDIR: 'is not a directory (a symbolic link is not followed)',
};

/** Turns an exception of the call into an error that names the path. */
async function attemptAt<T>(shownPath: string, call: () => Promise<T>): Promise<SystemResult<T>> {
  try {
    return ok(await call());
  } catch (error) {
    const { code, message } = systemError(error);
    // Node's message ends with the call and a path below /proc/self/fd.
    return failure(code, `${shownPath}: ${REASONS[code] ?? message.replace(/, \w+( '.*)?$/, '')}`);
  }
}

/** Whether only this process' user and root can change the entries of a directory. */
export const isProtected = ({ uid, mode }: FileStat): boolean =>
  (uid === 0 || uid === process.getuid?.()) && (mode & WRITABLE_BY_OTHERS) === 0;

/** Sets the owner and the exact mode of a new file, which the umask may have reduced. */
async function setOwnerAndMode(fd: number, { mode, owner }: Made): Promise<void> {
  if (owner !== undefined) await fchownAsync(fd, owner.uid, owner.gid);
  if (statOfDescriptor(fd).mode !== mode) await fchmodAsync(fd, mode);
}

/** Closes the descriptor if `use` throws; otherwise `use` owns it. */
async function withDescriptor<T>(fd: number, use: () => T | Promise<T>): Promise<T> {
  try {
    return await use();
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

function createFileHandle(fd: number, shownPath: string): FileHandle {
  return {
    stat: () => attemptAt(shownPath, async () => statOfDescriptor(fd)),
    read: (offsetBytes, lengthBytes) =>
      attemptAt(shownPath, async () => {
        const { bytesRead, buffer } = await readAsync(fd, Buffer.alloc(lengthBytes), 0, lengthBytes, offsetBytes);
        return buffer.subarray(0, bytesRead);
      }),
    append: (bytes) =>
      attemptAt(shownPath, async () => {
        for (let done = 0; done < bytes.length; ) {
          done += (await writeAsync(fd, bytes, done, bytes.length - done, null)).bytesWritten;
        }
      }),
    truncate: (sizeBytes) => attemptAt(shownPath, () => ftruncateAsync(fd, sizeBytes)),
    close: () => closeSync(fd),
  };
}

const isName = (name: string): boolean => name !== '' && name !== '.' && name !== '..' && !/[/\0]/.test(name);

async function isEmpty(path: string): Promise<boolean> {
  const directory = await fs.opendir(path);
  try {
    return (await directory.read()) === null;
  } finally {
    await directory.close();
  }
}

/** HANDLES-3. */
async function openRegular(at: string, access: 'read' | 'update', directoryUid: number): Promise<number> {
  const refuse = (code: string, message: string): Error => Object.assign(new Error(`${code}: ${message}`), { code });
  const found = await openAsync(at, O_PATH | O_NOFOLLOW);
  try {
    const { kind, links, uid } = statOfDescriptor(found);
    if (kind === 'symlink') throw refuse('ELOOP', '');
    if (kind === 'directory') throw refuse('EISDIR', 'expected a file, got a directory');
    if (kind === 'other') throw refuse('EINVAL', 'expected a regular file, got a fifo, socket or device');
    if (links > 1 && uid !== directoryUid) throw refuse('EPERM', 'is a hard link to a file of another user');
    const flags = access === 'read' ? O_RDONLY : O_RDWR | O_APPEND;
    return await openAsync(`/proc/self/fd/${found}`, flags | O_NONBLOCK);
  } finally {
    closeSync(found);
  }
}

async function listParts(
  path: string,
  onPart: (entries: readonly DirectoryEntry[]) => boolean | Promise<boolean>,
): Promise<void> {
  const directory = await fs.opendir(path, { bufferSize: PART_ENTRIES });
  try {
    for (let more = true; more; ) {
      const part: DirectoryEntry[] = [];
      while (more && part.length < PART_ENTRIES) {
        const entry = await directory.read();
        if (entry === null) more = false;
        else part.push({ name: entry.name, kind: kindOf(entry) });
      }
      if (part.length > 0 && !(await onPart(part))) return;
    }
  } finally {
    await directory.close();
  }
}

function watchDirectory(path: string, shownPath: string, onChange: () => void): SystemResult<DirectoryWatch> {
  try {
    const watcher = watch(path, onChange);
    watcher.on('error', () => watcher.close());
    return ok({ close: () => watcher.close() });
  } catch (error) {
    return failure(systemError(error).code, `${shownPath}: can't be watched`);
  }
}

function createDirectoryHandle(fd: number, shownPath: string): DirectoryHandle {
  const ownPath = `/proc/self/fd/${fd}`;
  const stat = statOfDescriptor(fd);
  const protectedFromOthers = isProtected(stat);

  /** HANDLES-1. */
  async function at<T>(name: string, call: (path: string, shown: string) => Promise<T>): Promise<SystemResult<T>> {
    const shown = `${shownPath}/${name}`;
    if (!isName(name)) return failure('EINVAL', `${shownPath}: ${JSON.stringify(name)} can't be a name in it`);
    return attemptAt(shown, () => call(`${ownPath}/${name}`, shown));
  }
  const openIn = async (path: string, shown: string): Promise<DirectoryHandle> =>
    createDirectoryHandle(await openAsync(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW), shown);

  return {
    shownPath,
    ownPath,
    stat,
    isProtected: protectedFromOthers,
    statOf: (name) => at(name, statOfPath),
    openDirectory: (name) => at(name, openIn),
    makeDirectory: (name, made) =>
      at(name, async (path, shown) => {
        await fs.mkdir(path, { mode: made.mode });
        const opened = await openAsync(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
        return withDescriptor(opened, async () => {
          // HANDLES-4: others who may write here may have replaced it by another directory of this process' user.
          const isOwn = statOfDescriptor(opened).uid === process.getuid?.();
          if (!protectedFromOthers && !(isOwn && (await isEmpty(`/proc/self/fd/${opened}`)))) {
            throw Object.assign(new Error('EEXIST: was replaced while it was made'), { code: 'EEXIST' });
          }
          await setOwnerAndMode(opened, made);
          return createDirectoryHandle(opened, shown);
        });
      }),
    openFile: (name, access) =>
      at(name, async (path, shown) => createFileHandle(await openRegular(path, access, stat.uid), shown)),
    makeFile: (name, made) =>
      at(name, async (path, shown) => {
        const opened = await openAsync(path, O_WRONLY | O_APPEND | O_CREAT | O_EXCL | O_NOFOLLOW, made.mode);
        return withDescriptor(opened, async () => {
          await setOwnerAndMode(opened, made);
          return createFileHandle(opened, shown);
        });
      }),
    makeLink: (name, target) => at(name, (path) => fs.symlink(target, path)),
    readLink: (name) => at(name, (path) => fs.readlink(path)),
    rename: (from, to, into) =>
      at(from, async (path) => {
        if (!isName(to))
          throw Object.assign(new Error(`EINVAL: ${JSON.stringify(to)} can't be a name`), { code: 'EINVAL' });
        await fs.rename(path, `${into?.ownPath ?? ownPath}/${to}`);
      }),
    removeFile: (name) => at(name, (path) => fs.unlink(path)),
    removeEmptyDirectory: (name) => at(name, (path) => fs.rmdir(path)),
    list: (onPart) => attemptAt(shownPath, () => listParts(ownPath, onPart)),
    changeOwner: (owner) => attemptAt(shownPath, () => fchownAsync(fd, owner.uid, owner.gid)),
    seal: () =>
      attemptAt(shownPath, () =>
        setOwnerAndMode(fd, {
          mode: SEALED_MODE,
          owner: { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 },
        }),
      ),
    watch: (onChange) => watchDirectory(ownPath, shownPath, onChange),
    close: () => closeSync(fd),
  };
}

/** Opens a path that no other user can change; links are followed. */
export const openTrustedDirectory = (path: string): Promise<SystemResult<DirectoryHandle>> =>
  attemptAt(path, async () => createDirectoryHandle(await openAsync(path, O_RDONLY | O_DIRECTORY | O_NONBLOCK), path));
