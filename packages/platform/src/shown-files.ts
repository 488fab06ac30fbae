// The files of /files/* and of the calls LIST_FILES and READ_FILE: only those attached under a virtual path.
//
// SHOWN-1: a path that leads out of the attached directory, links resolved, is not found. Links are resolved here, one at a
//   time, in open directories, so that a task that replaces files meanwhile cannot redirect a read.
// SHOWN-2: a refusal reveals nothing about files that the viewer may not access.
// SHOWN-3: only regular files are read, so that no FIFO or device blocks a request; a listing is limited to `MAX_LISTED` names.
// SHOWN-4: a HEAD request reads nothing of a file.
import type { ServerResponse } from 'node:http';
import { posix } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type Refusal, refusal } from '@meseta/api';
import {
  type DirectoryHandle,
  err,
  type FileHandle,
  type FileStat,
  LIMITS,
  ok,
  pathComponents,
  type Result,
  withoutTrailing,
} from '@meseta/base';
import type { FileInfo } from '@meseta/wire';
import { createFiles } from './files.js';

/** The most bytes of one read; Mesos' limit of 16 pages. */
const MAX_READ_BYTES = LIMITS.readFile.most;
/** The most names in a listing. */
const MAX_LISTED = LIMITS.listedFiles.most;
/** The calls of stat that run at the same time. */
const STATS_AT_ONCE = 64;
const MAX_LINKS = 40;
/** Each level of a path holds a descriptor while the path is resolved. */
const MAX_DEPTH = LIMITS.filePathDepth.most;
/** Linux' own limit (PATH_MAX); every prefix of a path is looked up. */
const MAX_PATH_LENGTH = LIMITS.filePath.most;
/** int64 holds no more: the year 2262. */
const MAX_NANOSECONDS = 2n ** 63n - 1n;

const files = createFiles();
const notFound = err(refusal('notFound', ''));

/**
 * The directory or file attached at a virtual path, whose host path only the operator can change, or the refusal for this
 * viewer; undefined if nothing is attached there.
 */
export type FindRoot = (virtualPath: string) => Result<string, Refusal> | undefined;

/** An open directory or file at a path; the caller closes it. */
type Shown =
  | { readonly kind: 'directory'; readonly directory: DirectoryHandle }
  | { readonly kind: 'file'; readonly file: FileHandle; readonly name: string }
  /** Another kind of file, or one that may not be read. */
  | { readonly kind: 'unreadable'; readonly reason: string };

/** Resolves a path of a client. */
async function findShown(find: FindRoot, path: string): Promise<Result<Shown, Refusal>> {
  if (path.length > MAX_PATH_LENGTH) {
    return err(refusal('badRequest', `path: expected at most ${MAX_PATH_LENGTH} characters, got ${path.length}`));
  }
  const wanted = posix.resolve('/', path);
  for (let prefix = wanted; prefix !== ''; prefix = prefix.slice(0, prefix.lastIndexOf('/'))) {
    const root = find(prefix);
    if (root === undefined) continue;
    if (!root.ok) return root;
    const real = await files.realPath(root.value);
    const stat = real.ok ? await files.stat(real.value) : real;
    if (!real.ok || !stat.ok) return notFound;
    const names = pathComponents(wanted.slice(prefix.length));
    if (stat.value.kind === 'directory') return resolveNames(root.value, real.value, names);
    if (names.length > 0) return notFound;
    const parent = await files.openDirectory(posix.dirname(real.value));
    if (!parent.ok) return notFound;
    const shown = await openFile(parent.value, posix.basename(real.value));
    parent.value.close();
    return shown;
  }
  return notFound;
}

async function openFile(directory: DirectoryHandle, name: string): Promise<Result<Shown, Refusal>> {
  const file = await directory.openFile(name, 'read');
  if (file.ok) return ok({ kind: 'file', file: file.value, name });
  if (file.error.code === 'ENOENT') return notFound;
  return ok({ kind: 'unreadable', reason: file.error.message });
}

/** Resolves the names from the root on; an absolute link restarts at the root, and `..` never leaves it (SHOWN-1). */
async function resolveNames(root: string, realRoot: string, names: readonly string[]): Promise<Result<Shown, Refusal>> {
  const top = await files.openDirectory(realRoot);
  if (!top.ok) return notFound;
  const opened = [top.value];
  /** Closes the directories below the first `kept` ones. */
  const closeBelow = (kept: number): void => {
    for (const directory of opened.splice(kept)) directory.close();
  };
  try {
    let rest = [...names].reverse();
    for (let links = 0; ; ) {
      const directory = opened.at(-1);
      const name = rest.pop();
      if (directory === undefined || opened.length > MAX_DEPTH) return notFound;
      if (name === undefined) {
        opened.pop();
        return ok({ kind: 'directory', directory });
      }
      const stat = name === '..' ? undefined : await directory.statOf(name);
      if (stat === undefined) closeBelow(opened.length - 1);
      else if (!stat.ok) return notFound;
      else if (stat.value.kind === 'directory') {
        const inner = await directory.openDirectory(name);
        if (!inner.ok) return notFound;
        opened.push(inner.value);
      } else if (stat.value.kind === 'symlink') {
        const target = await directory.readLink(name);
        const below = target.ok ? targetBelow(target.value, [root, realRoot]) : undefined;
        links++;
        if (below === undefined || links > MAX_LINKS) return notFound;
        if (below.fromRoot) closeBelow(1);
        rest = [...rest, ...below.names.reverse()];
      } else return rest.length === 0 ? await openFile(directory, name) : notFound;
    }
  } finally {
    closeBelow(0);
  }
}

/** The target of a link below the root; an absolute link may name the root by either of its paths. */
function targetBelow(
  target: string,
  roots: readonly string[],
): { readonly fromRoot: boolean; readonly names: string[] } | undefined {
  if (!target.startsWith('/')) return { fromRoot: false, names: pathComponents(target) };
  const root = roots.find((each) => target === each || target.startsWith(`${each}/`));
  return root === undefined ? undefined : { fromRoot: true, names: pathComponents(target.slice(root.length)) };
}

export async function browse(find: FindRoot, path: string): Promise<Result<readonly FileInfo[], Refusal>> {
  const found = await findShown(find, path);
  if (!found.ok) return found;
  if (found.value.kind === 'file') found.value.file.close();
  if (found.value.kind !== 'directory') return notFound;
  const { directory } = found.value;
  const names: string[] = [];
  await directory.list((entries) => {
    for (const { name } of entries.slice(0, MAX_LISTED - names.length)) names.push(name);
    return names.length < MAX_LISTED;
  });
  const [users, groups] = await Promise.all([namesById('/etc/passwd'), namesById('/etc/group')]);
  const shown = withoutTrailing(path, '/');
  const infos: FileInfo[] = [];
  names.sort();
  for (let at = 0; at < names.length; at += STATS_AT_ONCE) {
    const part = names.slice(at, at + STATS_AT_ONCE);
    for (const [index, stat] of (await Promise.all(part.map((name) => directory.statOf(name)))).entries()) {
      if (stat.ok) infos.push(infoOf(`${shown}/${part[index]}`, stat.value, users, groups));
    }
  }
  directory.close();
  return ok(infos);
}

type Names = ReadonlyMap<number, string>;

const infoOf = (path: string, stat: FileStat, users: Names, groups: Names): FileInfo => ({
  path,
  nlink: stat.links,
  size: stat.sizeBytes,
  mtime: { nanoseconds: nanosecondsOf(stat.modifiedMs) },
  mode: stat.format | stat.mode,
  uid: users.get(stat.uid) ?? String(stat.uid),
  gid: groups.get(stat.gid) ?? String(stat.gid),
});

/** Tasks can set any time that the file system supports. */
function nanosecondsOf(wallMs: number): bigint {
  const nanoseconds = BigInt(Math.floor(wallMs)) * 1_000_000n;
  return nanoseconds > MAX_NANOSECONDS ? MAX_NANOSECONDS : nanoseconds;
}

/** The names of users or groups; without the file, numbers are shown. */
async function namesById(database: string): Promise<Names> {
  const names = new Map<number, string>();
  const text = await files.readText(database);
  for (const line of text.ok ? text.value.split('\n') : []) {
    const [name, , number] = line.split(':');
    const id = Number(number);
    if (name !== undefined && number !== undefined && !names.has(id)) names.set(id, name);
  }
  return names;
}

export interface FilePart {
  readonly sizeBytes: number;
  readonly data: Buffer;
}

type ShownFile = Extract<Shown, { kind: 'file' }>;

/** The file at a path; `field` names the path in errors. */
async function findFile(find: FindRoot, path: string, field: string): Promise<Result<ShownFile, Refusal>> {
  const found = await findShown(find, path);
  if (!found.ok) return found;
  if (found.value.kind === 'file') return ok(found.value);
  if (found.value.kind === 'unreadable')
    return err(refusal('badRequest', `Can't open the file: ${found.value.reason}`));
  found.value.directory.close();
  return err(refusal('badRequest', `${field}: expected a file`));
}

/** At most `length` bytes from `offset`; none after the end of the file. */
export async function readPart(
  find: FindRoot,
  path: string,
  offset: number,
  length: number | undefined,
): Promise<Result<FilePart, Refusal>> {
  const found = await findFile(find, path, "Field 'path'");
  if (!found.ok) return found;
  const { file } = found.value;
  const stat = await file.stat();
  const sizeBytes = stat.ok ? stat.value.sizeBytes : 0;
  const wanted = Math.max(0, Math.min(length ?? MAX_READ_BYTES, MAX_READ_BYTES, sizeBytes - offset));
  const data = wanted === 0 ? ok(new Uint8Array()) : await file.read(offset, wanted);
  file.close();
  if (!data.ok) return err(refusal('badRequest', `Can't read the file: ${data.error.message}`));
  return ok({ sizeBytes, data: Buffer.from(data.value) });
}

/** The text without an incomplete last character, which belongs to the next read. */
export function wholeText(data: Buffer): string {
  let end = data.length;
  let continuations = 0;
  while (continuations < 3 && ((data[end - continuations - 1] ?? 0) & 0xc0) === 0x80) continuations++;
  const lead = data[end - continuations - 1];
  if (lead !== undefined && lead >= 0xc0) {
    const needed = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (continuations + 1 < needed) end -= continuations + 1;
  }
  return data.toString('utf8', 0, end);
}

export async function download(find: FindRoot, path: string, response: ServerResponse): Promise<Refusal | undefined> {
  const found = await findFile(find, path, "Parameter 'path'");
  if (!found.ok) return found.error;
  const { file, name } = found.value;
  const stat = await file.stat();
  const sizeBytes = stat.ok ? stat.value.sizeBytes : 0;
  response.writeHead(200, {
    'Content-Type': 'application/octet-stream',
    'Content-Disposition': `attachment; filename=${name.replace(/[^\w.+-]/g, '_')}`,
    'Content-Length': sizeBytes,
  });
  if (response.req.method === 'HEAD') response.end();
  // It ends if the client disconnects, or with an error, as the length was already sent.
  else await pipeline(Readable.from(partsOf(file, sizeBytes)), response).catch(() => response.destroy());
  file.close();
  return undefined;
}

/** A file that grows meanwhile is cut at the announced length. */
async function* partsOf(file: FileHandle, sizeBytes: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < sizeBytes; ) {
    const part = await file.read(at, Math.min(MAX_READ_BYTES, sizeBytes - at));
    if (!part.ok || part.value.length === 0) throw new Error('the file became shorter while it was read');
    yield part.value;
    at += part.value.length;
  }
}

const KINDS: ReadonlyMap<number, string> = new Map([
  [0o040000, 'd'],
  [0o120000, 'l'],
  [0o020000, 'c'],
  [0o060000, 'b'],
  [0o010000, 'p'],
  [0o140000, 's'],
]);

/** `-rw-r--r--`, as ls writes it. */
export function modeText(mode: number): string {
  const bits = [...'rwxrwxrwx'].map((letter, at) => (mode & (0o400 >> at) ? letter : '-'));
  const special = (at: number, bit: number, letter: string): void => {
    if (mode & bit) bits[at] = bits[at] === 'x' ? letter : letter.toUpperCase();
  };
  special(2, 0o4000, 's');
  special(5, 0o2000, 's');
  special(8, 0o1000, 't');
  return (KINDS.get(mode & 0o170000) ?? '-') + bits.join('');
}
