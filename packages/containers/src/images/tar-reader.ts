// Reads a tar archive (ustar, with the long names of GNU and the extended headers of pax) from chunks, without buffering
// content. Names and values are latin1 text: one character is one byte of the archive.
//
// Boundary: every byte comes from outside; an archive that breaks a rule is an error, and nothing after it is read.
// TAR-1: memory is bounded: a header with meta data has at most META_BYTES, an entry has at most MAX_META of them, and names
//   are limited (LIMITS.imagePath).
// TAR-2: a number that is no size, id or time is an error, as is a header whose checksum is wrong.
import { err, LIMITS, ok, type Result } from '@meseta/base';
import { bytesOfLatin1, latin1Of } from './latin1.js';

export type TarKind = 'file' | 'directory' | 'symlink' | 'hardLink' | 'fifo' | 'device';

export interface TarEntry {
  readonly kind: TarKind;
  /** As the archive has it: absolute, with `..`, or empty. */
  readonly name: string;
  /** Where a link leads; empty for other entries. */
  readonly target: string;
  readonly sizeBytes: number;
  /** Where its content is in the archive. */
  readonly contentOffset: number;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly modifiedSeconds: number;
  readonly modifiedNanoseconds: number;
  readonly extended: ReadonlyMap<string, Uint8Array>;
}

/** Takes the entries of an archive. A call returns why the archive is refused. */
export interface TarConsumer {
  /** `content` follows if the entry is a file, in parts, also of an empty file. */
  entry(entry: TarEntry): string | undefined;
  content(part: Uint8Array): string | undefined;
  endOfFile(): string | undefined;
}

export interface TarReader {
  /** Reads the next bytes. Returns why the archive is refused. */
  push(chunk: Uint8Array): string | undefined;
  /** Returns why the archive is incomplete. */
  end(): string | undefined;
}

const BLOCK = 512;
/** An extended header may have extended attributes of 64 KiB each. */
const META_BYTES = 2 ** 20;
/** How many headers with meta data one entry may have. */
const MAX_META = 8;
const MAX_ID = 2 ** 32 - 2;

const KINDS: Readonly<Record<string, TarKind>> = {
  '\0': 'file',
  '0': 'file',
  '1': 'hardLink',
  '2': 'symlink',
  '3': 'device',
  '4': 'device',
  '5': 'directory',
  '6': 'fifo',
  '7': 'file',
};

type Meta = 'paxNext' | 'paxGlobal' | 'longName' | 'longTarget' | 'ignored';
const META: Readonly<Record<string, Meta>> = {
  x: 'paxNext',
  X: 'paxNext',
  g: 'paxGlobal',
  L: 'longName',
  K: 'longTarget',
  V: 'ignored',
};

/** The values of meta headers for the next entry, in place of those in its own header. */
interface Overrides {
  /** The headers that they are from. */
  count: number;
  name?: string;
  target?: string;
  sizeBytes?: number;
  uid?: number;
  gid?: number;
  modified?: { readonly seconds: number; readonly nanoseconds: number };
  readonly extended: Map<string, Uint8Array>;
}

type State =
  | { readonly kind: 'header' }
  | { readonly kind: 'meta'; readonly type: Meta; readonly parts: Uint8Array[] }
  | { readonly kind: 'content' }
  | { readonly kind: 'skipped' }
  | { readonly kind: 'ended' };

interface Reader {
  readonly consumer: TarConsumer;
  state: State;
  /** How many bytes have been read. */
  position: number;
  /** How many bytes of the present content or meta data have not been read. */
  remainingBytes: number;
  paddingBytes: number;
  readonly header: Uint8Array;
  headerBytes: number;
  overrides: Overrides;
}

const text = (block: Uint8Array, from: number, length: number): string => {
  const field = latin1Of(block.subarray(from, from + length));
  const end = field.indexOf('\0');
  return end < 0 ? field : field.slice(0, end);
};

/** An octal number, or a binary one whose first bit is set. undefined: neither, negative, or beyond 2^53. */
function numberIn(block: Uint8Array, from: number, length: number): number | undefined {
  const first = block[from] ?? 0;
  if ((first & 0x80) === 0) {
    const digits = text(block, from, length).trim();
    if (digits === '') return 0;
    return /^[0-7]{1,17}$/.test(digits) ? Number.parseInt(digits, 8) : undefined;
  }
  let value = first & 0x7f;
  for (let at = from + 1; at < from + length; at++) {
    value = value * 256 + (block[at] ?? 0);
    if (!Number.isSafeInteger(value)) return undefined;
  }
  return value;
}

/** Some writers sum signed bytes. */
function hasValidChecksum(block: Uint8Array): boolean {
  let unsigned = 0;
  let signed = 0;
  for (let at = 0; at < BLOCK; at++) {
    const byte = at >= 148 && at < 156 ? 0x20 : (block[at] ?? 0);
    unsigned += byte;
    signed += byte > 127 ? byte - 256 : byte;
  }
  const expected = numberIn(block, 148, 8);
  return expected === unsigned || expected === signed;
}

const isZero = (block: Uint8Array): boolean => block.every((byte) => byte === 0);

/** A name of an older header may continue in the prefix of a ustar header. */
function nameIn(block: Uint8Array): string {
  const name = text(block, 0, 100);
  const isUstar = text(block, 257, 6) === 'ustar' && latin1Of(block.subarray(263, 265)) === '00';
  const prefix = isUstar ? text(block, 345, 155) : '';
  return prefix === '' ? name : `${prefix}/${name}`;
}

/** `12.5` and `-3` seconds as seconds and nanoseconds. */
function parseTime(value: string): Overrides['modified'] {
  const [, sign, whole = '', fraction = ''] = /^(-?)(\d{1,15})(?:\.(\d*))?$/.exec(value) ?? [];
  if (whole === '') return undefined;
  const nanoseconds = Number(fraction.padEnd(9, '0').slice(0, 9));
  const seconds = Number(whole);
  if (sign === '') return { seconds, nanoseconds };
  return nanoseconds === 0
    ? { seconds: -seconds, nanoseconds }
    : { seconds: -seconds - 1, nanoseconds: 1e9 - nanoseconds };
}

function setTime(overrides: Overrides, value: string): string | undefined {
  const modified = parseTime(value);
  if (modified === undefined) return 'an extended header with a time that is none';
  overrides.modified = modified;
  return undefined;
}

const parseCount = (value: string): number | undefined => (/^\d{1,15}$/.test(value) ? Number(value) : undefined);

const XATTR = 'SCHILY.xattr.';

/** Adds one record of an extended header. Returns why it is refused. */
function addRecord(overrides: Overrides, key: string, value: string): string | undefined {
  if (key.startsWith('GNU.sparse.')) return 'a sparse file, which is not supported';
  if (key.startsWith(XATTR)) {
    overrides.extended.set(key.slice(XATTR.length), bytesOfLatin1(value));
    return undefined;
  }
  switch (key) {
    case 'path':
      overrides.name = value;
      return undefined;
    case 'linkpath':
      overrides.target = value;
      return undefined;
    case 'mtime':
      return setTime(overrides, value);
    case 'size':
    case 'uid':
    case 'gid': {
      const count = parseCount(value);
      if (count === undefined) return `an extended header whose ${key} is no number`;
      overrides[key === 'size' ? 'sizeBytes' : key] = count;
      return undefined;
    }
    default:
      return undefined;
  }
}

/** The records `LENGTH KEY=VALUE\n` of an extended header. Returns why it is refused. */
function addRecords(overrides: Overrides, records: string): string | undefined {
  const damaged = 'a damaged extended header';
  for (let at = 0; at < records.length; ) {
    const space = records.indexOf(' ', at);
    // Everything after the last record is padding.
    if (records[at] === '\0') return undefined;
    if (space < 0 || space - at > 7) return damaged;
    const length = parseCount(records.slice(at, space)) ?? 0;
    const end = at + length;
    const equals = records.indexOf('=', space);
    if (end > records.length || equals < 0 || equals >= end - 1 || records[end - 1] !== '\n') return damaged;
    const problem = addRecord(overrides, records.slice(space + 1, equals), records.slice(equals + 1, end - 1));
    if (problem !== undefined) return problem;
    at = end;
  }
  return undefined;
}

/** Meta data that has been read. Returns why it is refused. */
function finishMeta({ overrides }: Reader, type: Meta, parts: readonly Uint8Array[]): string | undefined {
  const content = parts.map(latin1Of).join('');
  const [beforeNul = ''] = type === 'longName' || type === 'longTarget' ? content.split('\0', 1) : [];
  switch (type) {
    case 'paxNext':
      return addRecords(overrides, content);
    case 'longName':
      overrides.name = beforeNul;
      return undefined;
    case 'longTarget':
      overrides.target = beforeNul;
      return undefined;
    // Of global headers (comments, as `git archive` writes) nothing is used, as in Docker.
    default:
      return undefined;
  }
}

const emptyOverrides = (): Overrides => ({ count: 0, extended: new Map() });

function checkLengths({ name, target }: { readonly name: string; readonly target: string }): string | undefined {
  const { most } = LIMITS.imagePath;
  for (const value of [name, target]) {
    if (value.length > most) return `a name: expected at most ${most} bytes, got ${value.length}`;
    if (value.includes('\0')) return 'a name with a NUL byte';
  }
  return undefined;
}

/** The entry of a header with the overrides before it, or why it is refused. */
function entryOf({ header: block, overrides, position }: Reader, type: string): Result<TarEntry, string> {
  const name = overrides.name ?? nameIn(block);
  const target = overrides.target ?? text(block, 157, 100);
  const tooLong = checkLengths({ name, target });
  if (tooLong !== undefined) return err(tooLong);
  const kind = type === 'S' ? undefined : KINDS[type];
  if (kind === undefined) {
    const what = type === 'S' ? 'a sparse file, which is' : `an entry of type ${JSON.stringify(type)}, which is`;
    return err(`${what} not supported: ${JSON.stringify(name)}`);
  }
  const mode = numberIn(block, 100, 8);
  const uid = overrides.uid ?? numberIn(block, 108, 8);
  const gid = overrides.gid ?? numberIn(block, 116, 8);
  const size = overrides.sizeBytes ?? numberIn(block, 124, 12);
  const seconds = overrides.modified?.seconds ?? numberIn(block, 136, 12);
  if (mode === undefined || uid === undefined || gid === undefined || size === undefined || seconds === undefined) {
    return err(`a header with a number that is none: ${JSON.stringify(name)}`);
  }
  if (uid > MAX_ID || gid > MAX_ID) return err(`an owner beyond ${MAX_ID}: ${JSON.stringify(name)}`);
  // A directory of an old archive.
  const isDirectory = kind === 'file' && name.endsWith('/');
  return ok({
    kind: isDirectory ? 'directory' : kind,
    name,
    target,
    sizeBytes: kind === 'file' && !isDirectory ? size : 0,
    contentOffset: position,
    mode: mode & 0o7777,
    uid,
    gid,
    modifiedSeconds: seconds,
    modifiedNanoseconds: overrides.modified?.nanoseconds ?? 0,
    extended: overrides.extended,
  });
}

const padding = (bytes: number): number => (BLOCK - (bytes % BLOCK)) % BLOCK;

function startMeta(reader: Reader, type: Meta): string | undefined {
  const size = numberIn(reader.header, 124, 12);
  if (size === undefined || size > META_BYTES)
    return `a header for a name or attributes of more than ${META_BYTES} bytes`;
  if (++reader.overrides.count > MAX_META) return `more than ${MAX_META} headers for one entry`;
  reader.state = { kind: 'meta', type, parts: [] };
  reader.remainingBytes = size;
  reader.paddingBytes = padding(size);
  return size === 0 ? finishPart(reader) : undefined;
}

function handleHeader(reader: Reader): string | undefined {
  const { header } = reader;
  if (isZero(header)) {
    reader.state = { kind: 'ended' };
    return undefined;
  }
  if (!hasValidChecksum(header)) return 'a damaged header: its checksum is wrong';
  const type = String.fromCharCode(header[156] ?? 0);
  const meta = META[type];
  if (meta !== undefined) return startMeta(reader, meta);
  const entry = entryOf(reader, type);
  if (!entry.ok) return entry.error;
  reader.overrides = emptyOverrides();
  const problem = reader.consumer.entry(entry.value);
  if (problem !== undefined) return problem;
  if (entry.value.kind !== 'file') return undefined;
  reader.state = { kind: 'content' };
  reader.remainingBytes = entry.value.sizeBytes;
  reader.paddingBytes = padding(entry.value.sizeBytes);
  return reader.remainingBytes === 0 ? finishPart(reader) : undefined;
}

/** The content or meta data is complete; its padding follows. */
function finishPart(reader: Reader): string | undefined {
  const { state } = reader;
  reader.state = reader.paddingBytes > 0 ? { kind: 'skipped' } : { kind: 'header' };
  reader.remainingBytes = reader.paddingBytes;
  reader.paddingBytes = 0;
  if (state.kind === 'meta') return finishMeta(reader, state.type, state.parts);
  return state.kind === 'content' ? reader.consumer.endOfFile() : undefined;
}

/** Reads from the start of `bytes`. Returns how many were read, or why the archive is refused. */
function step(reader: Reader, bytes: Uint8Array): Result<number, string> {
  const { state } = reader;
  if (state.kind === 'ended') return ok(bytes.length);
  if (state.kind === 'header') {
    const part = bytes.subarray(0, BLOCK - reader.headerBytes);
    reader.header.set(part, reader.headerBytes);
    reader.headerBytes += part.length;
    if (reader.headerBytes < BLOCK) return ok(part.length);
    reader.headerBytes = 0;
    reader.position += BLOCK;
    const problem = handleHeader(reader);
    return problem === undefined ? ok(part.length) : err(problem);
  }
  const part = bytes.subarray(0, reader.remainingBytes);
  reader.remainingBytes -= part.length;
  reader.position += part.length;
  let problem: string | undefined;
  if (state.kind === 'content') problem = reader.consumer.content(part);
  else if (state.kind === 'meta') state.parts.push(Uint8Array.prototype.slice.call(part));
  if (problem === undefined && reader.remainingBytes === 0) problem = finishPart(reader);
  return problem === undefined ? ok(part.length) : err(problem);
}

export function createTarReader(consumer: TarConsumer): TarReader {
  const reader: Reader = {
    consumer,
    state: { kind: 'header' },
    position: 0,
    remainingBytes: 0,
    paddingBytes: 0,
    header: new Uint8Array(BLOCK),
    headerBytes: 0,
    overrides: emptyOverrides(),
  };
  return {
    push(chunk) {
      for (let at = 0; at < chunk.length; ) {
        const read = step(reader, chunk.subarray(at));
        if (!read.ok) return read.error;
        at += read.value;
      }
      return undefined;
    },
    end: () =>
      reader.state.kind === 'ended' || (reader.state.kind === 'header' && reader.headerBytes === 0)
        ? undefined
        : 'the archive ends in the middle of an entry',
  };
}
