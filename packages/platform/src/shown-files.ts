// What /files/* and the calls LIST_FILES, READ_FILE show: what is attached under a virtual path, nothing else of this host.
//
// F1: a path counts by where it really leads, links resolved; outside of what is attached there is nothing.
// F2: of what the viewer may not access nothing is told.
import { createReadStream, readFileSync } from 'node:fs';
import { type FileHandle, lstat, open, readdir, realpath } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { resolve } from 'node:path';
import { type Refusal, refusal } from '@meseta/api';
import { err, ok, type Result } from '@meseta/base';
import type { FileInfo } from '@meseta/wire';

/** As much as one read gives at most; Mesos' limit of 16 pages. */
const MAX_READ_BYTES = 65_536;

const notFound = err(refusal('notFound', ''));

/**
 * Where a virtual path is attached: a directory or a file of this host, or why this viewer may not see it; undefined:
 * nothing is attached there.
 */
export type FindRoot = (virtualPath: string) => Result<string, Refusal> | undefined;

/** Where a path that a client names really leads. */
async function resolvePath(find: FindRoot, path: string): Promise<Result<string, Refusal>> {
  const wanted = resolve('/', path);
  for (let prefix = wanted; prefix !== ''; prefix = prefix.slice(0, prefix.lastIndexOf('/'))) {
    const root = find(prefix);
    if (root === undefined) continue;
    if (!root.ok) return root;
    try {
      const below = wanted.slice(prefix.length);
      const [real, realRoot] = await Promise.all([realpath(root.value + below), realpath(root.value)]);
      return real === realRoot || real.startsWith(`${realRoot}/`) ? ok(real) : notFound;
    } catch {
      return notFound;
    }
  }
  return notFound;
}

export async function browse(find: FindRoot, path: string): Promise<Result<readonly FileInfo[], Refusal>> {
  const found = await resolvePath(find, path);
  if (!found.ok) return found;
  const names = await readdir(found.value).catch(() => undefined);
  if (names === undefined) return notFound;
  const shown = path.replace(/\/+$/, '');
  const infos = await Promise.all(
    names.sort().map(async (name): Promise<FileInfo | undefined> => {
      const stat = await lstat(`${found.value}/${name}`).catch(() => undefined);
      if (stat === undefined) return undefined;
      return {
        path: `${shown}/${name}`,
        nlink: stat.nlink,
        size: stat.size,
        mtime: { nanoseconds: BigInt(Math.floor(stat.mtimeMs)) * 1_000_000n },
        mode: stat.mode,
        uid: nameOf('/etc/passwd', stat.uid),
        gid: nameOf('/etc/group', stat.gid),
      };
    }),
  );
  return ok(infos.filter((info) => info !== undefined));
}

/** The name of a user or group; its number where it has none. */
function nameOf(database: string, id: number): string {
  try {
    for (const line of readFileSync(database, 'utf8').split('\n')) {
      const [name, , number] = line.split(':');
      if (number === String(id)) return name ?? String(id);
    }
  } catch {
    // No such file: numbers will do.
  }
  return String(id);
}

export interface FilePart {
  readonly sizeBytes: number;
  readonly data: Buffer;
}

/** Bytes from `offset`, at most `length`; past the end there are none. */
export async function readPart(
  find: FindRoot,
  path: string,
  offset: number,
  length: number | undefined,
): Promise<Result<FilePart, Refusal>> {
  const found = await resolvePath(find, path);
  if (!found.ok) return found;
  let file: FileHandle;
  try {
    file = await open(found.value, 'r');
  } catch (cause) {
    return err(refusal('badRequest', `Can't open the file: ${(cause as Error).message}`));
  }
  try {
    const stat = await file.stat();
    if (!stat.isFile()) return err(refusal('badRequest', "Field 'path': expected a file"));
    const wanted = Math.max(0, Math.min(length ?? MAX_READ_BYTES, MAX_READ_BYTES, stat.size - offset));
    const data = Buffer.alloc(wanted);
    const { bytesRead } = wanted === 0 ? { bytesRead: 0 } : await file.read(data, 0, wanted, offset);
    return ok({ sizeBytes: stat.size, data: data.subarray(0, bytesRead) });
  } finally {
    await file.close();
  }
}

/** The longest whole text: a character that the end cuts in two is left for the next read. */
export function wholeText(data: Buffer): string {
  let end = data.length;
  let back = 0;
  while (back < 3 && end - back > 0 && ((data[end - back - 1] as number) & 0xc0) === 0x80) back++;
  const lead = data[end - back - 1];
  if (lead !== undefined && lead >= 0xc0) {
    const needed = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (back + 1 < needed) end -= back + 1;
  }
  return data.toString('utf8', 0, end);
}

export async function download(find: FindRoot, path: string, response: ServerResponse): Promise<Refusal | undefined> {
  const found = await resolvePath(find, path);
  if (!found.ok) return found.error;
  const stat = await lstat(found.value).catch(() => undefined);
  if (stat === undefined || !stat.isFile()) return refusal('badRequest', "Parameter 'path': expected a file");
  const name = found.value.slice(found.value.lastIndexOf('/') + 1).replace(/[^\w.+-]/g, '_');
  response.writeHead(200, {
    'Content-Type': 'application/octet-stream',
    'Content-Disposition': `attachment; filename=${name}`,
    'Content-Length': stat.size,
  });
  if (stat.size === 0) {
    response.end();
    return undefined;
  }
  // A file that grows meanwhile is cut at the length that was announced.
  const stream = createReadStream(found.value, { end: stat.size - 1 });
  stream.on('error', () => response.destroy());
  response.on('close', () => stream.destroy());
  stream.pipe(response);
  return undefined;
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
