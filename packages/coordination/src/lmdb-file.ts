// Reads the pages of an LMDB file with plain reads, before LMDB maps it: a page that the map lacks would end the process
// with SIGBUS, and a broken pointer in one would send LMDB anywhere.
//
// Boundary: structure only (meta pages, both trees, the lists of free pages). What records hold is covered by their
// checksums (environment.ts). The format is that of lmdb-js 3: little endian, data version 2, and a third meta record in
// the second half of the first page, which names the last synced transaction.
//
// LMDBFILE-1: in a file that passes, every page that a lookup or a write may touch lies inside of the file, is of the right
//     kind, and is used once; keys ascend.
import { closeSync, fstatSync, openSync, readFileSync, readSync } from 'node:fs';
import { err, ok, type Result } from '@meseta/base';

const MAGIC = 0xbeefc0de;
const DATA_VERSION = 2;
const HEADER_BYTES = 24;
const NODE_BYTES = 8;
const MIN_PAGE_BYTES = 512;
const MAX_PAGE_BYTES = 65536;
const MAX_DEPTH = 32;
const META_PAGES = 2;
const BRANCH = 0x01;
const LEAF = 0x02;
const OVERFLOW = 0x04;
const META = 0x08;
const BIG_DATA = 0x01;
/** Of a meta record: its transaction may not be on disk yet. */
const UNSYNCED = 0x1000;
const NO_PAGE = 0xffff_ffff_ffff_ffffn;

interface Tree {
  readonly depth: number;
  readonly branches: number;
  readonly leaves: number;
  readonly overflows: number;
  readonly entries: number;
  readonly root: number | undefined;
}

interface Meta {
  readonly pageBytes: number;
  readonly unsynced: boolean;
  readonly free: Tree;
  readonly main: Tree;
  readonly lastPage: number;
  readonly transaction: bigint;
  readonly bootId: bigint;
}

/** Thrown and caught in this file only: a walk over a damaged tree ends at once. */
class Damage extends Error {}
const damaged = (text: string): never => {
  throw new Damage(text);
};

interface PageFile {
  readonly pageBytes: number;
  readonly pages: number;
  /** A page that lies inside of the file. */
  page(number: number): Buffer;
}

/** Why the file can't be opened safely, if so. One that is not there is fine: LMDB makes it. */
export function checkLmdbFile(path: string): Result<void, string> {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch (cause) {
    return (cause as NodeJS.ErrnoException).code === 'ENOENT' ? ok(undefined) : err((cause as Error).message);
  }
  try {
    checkPages(file, fstatSync(file).size);
    return ok(undefined);
  } catch (cause) {
    return err((cause as Error).message);
  } finally {
    closeSync(file);
  }
}

function checkPages(file: number, size: number): void {
  const read = (at: number, bytes: number): Buffer => {
    const buffer = Buffer.allocUnsafe(bytes);
    if (at + bytes > size || readSync(file, buffer, 0, bytes, at) !== bytes)
      damaged(`it has ${size} bytes, expected ${at + bytes} at least`);
    return buffer;
  };
  const first = readMeta(read(0, MIN_PAGE_BYTES), 0);
  const { pageBytes } = first;
  const second = readMeta(read(pageBytes, MIN_PAGE_BYTES), 1);
  if (second.pageBytes !== pageBytes) damaged('its two meta pages differ in the size of a page');
  const meta = metaInUse(first, second, () => metaOf(read(pageBytes / 2, MIN_PAGE_BYTES)));
  const pages = Math.floor(size / pageBytes);
  const pageFile: PageFile = {
    pageBytes,
    pages,
    page: (number) => {
      if (number >= pages) damaged(`page ${number} lies behind its end: it was cut`);
      return read(number * pageBytes, pageBytes);
    },
  };
  const used = new Uint8Array(meta.lastPage < 2 ** 32 ? Math.min(meta.lastPage + 1, pages) : pages);
  const freeLists: Buffer[] = [];
  walk(pageFile, meta.free, meta.lastPage, used, (_, list) => freeLists.push(list), compareNumbers);
  walk(pageFile, meta.main, meta.lastPage, used, undefined, Buffer.compare);
  for (const list of freeLists) checkFreeList(list, meta.lastPage, used);
}

/** The meta record of a page `index`, 0 or 1. */
function readMeta(page: Buffer, index: number): Meta {
  const isMeta = (page.readUInt16LE(18) & META) !== 0 && page.readBigUInt64LE(0) === BigInt(index);
  if (!isMeta || page.readUInt32LE(HEADER_BYTES) !== MAGIC) damaged(`meta page ${index} is not one`);
  const version = page.readUInt32LE(HEADER_BYTES + 4) & 0xffff;
  if (version !== DATA_VERSION) damaged(`meta page ${index} has the version ${version}, expected ${DATA_VERSION}`);
  const meta = metaOf(page);
  const { pageBytes, transaction } = meta;
  const isSize = pageBytes >= MIN_PAGE_BYTES && pageBytes <= MAX_PAGE_BYTES && (pageBytes & (pageBytes - 1)) === 0;
  if (!isSize) damaged(`meta page ${index} gives pages a size of ${pageBytes} bytes`);
  if (transaction !== 0n && transaction % 2n !== BigInt(index)) {
    damaged(`meta page ${index} has the transaction ${transaction} of the other`);
  }
  return meta;
}

const metaOf = (page: Buffer): Meta => ({
  pageBytes: page.readUInt32LE(48),
  unsynced: (page.readUInt16LE(52) & UNSYNCED) !== 0,
  free: treeOf(page, 48),
  main: treeOf(page, 96),
  lastPage: numberAt(page, 144),
  transaction: page.readBigUInt64LE(152),
  bootId: page.readBigInt64LE(160),
});

function treeOf(page: Buffer, at: number): Tree {
  const root = page.readBigUInt64LE(at + 40);
  return {
    depth: page.readUInt16LE(at + 6),
    branches: numberAt(page, at + 8),
    leaves: numberAt(page, at + 16),
    overflows: numberAt(page, at + 24),
    entries: numberAt(page, at + 32),
    root: root === NO_PAGE ? undefined : Number(root),
  };
}

const numberAt = (page: Buffer, at: number): number => Number(page.readBigUInt64LE(at));

/** As LMDB picks it: the newest, or after a restart of the host the last that was synced. */
function metaInUse(first: Meta, second: Meta, synced: () => Meta): Meta {
  const latest = first.transaction >= second.transaction ? first : second;
  if (!latest.unsynced || latest.bootId === bootId()) return latest;
  const known = synced();
  if (known.transaction > latest.transaction) damaged('its synced transaction is newer than the newest');
  if (known.transaction === 0n) return latest;
  return { ...known, pageBytes: latest.pageBytes };
}

function bootId(): bigint {
  try {
    return BigInt(`0x${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').split('-')[0]}`);
  } catch {
    return 0n;
  }
}

const compareNumbers = (a: Buffer, b: Buffer): number => {
  if (a.length !== 8 || b.length !== 8) damaged('a key of the free list is no number');
  const [x, y] = [a.readBigUInt64LE(0), b.readBigUInt64LE(0)];
  return x < y ? -1 : x > y ? 1 : 0;
};

interface Counted {
  branches: number;
  leaves: number;
  overflows: number;
  entries: number;
}

/** Goes through a tree from its root, in the order of its keys. */
function walk(
  file: PageFile,
  tree: Tree,
  lastPage: number,
  used: Uint8Array,
  onRecord: ((key: Buffer, value: Buffer) => void) | undefined,
  compare: (a: Buffer, b: Buffer) => number,
): void {
  const counted: Counted = { branches: 0, leaves: 0, overflows: 0, entries: 0 };
  if (tree.depth > MAX_DEPTH) damaged(`a tree is ${tree.depth} levels deep`);
  let before: Buffer | undefined;
  const inOrder = (key: Buffer, canEqual: boolean): void => {
    const order = before === undefined ? -1 : compare(before, key);
    if (order > 0 || (order === 0 && !canEqual)) damaged('keys are not in their order');
    before = key;
  };
  const take = (number: number, count: number): void => {
    if (number < META_PAGES || number + count - 1 > lastPage) damaged(`page ${number} is beyond the last, ${lastPage}`);
    if (number + count > used.length) damaged(`page ${number} lies behind its end: it was cut`);
    for (let n = number; n < number + count; n++) {
      if (used[n] !== 0) damaged(`page ${n} is used twice`);
      used[n] = 1;
    }
  };
  /** A tree is not deeper than `MAX_DEPTH`, so this is not either. */
  const visit = (number: number, level: number): void => {
    take(number, 1);
    const page = file.page(number);
    const isLeaf = level === tree.depth;
    if (numberAt(page, 0) !== number || page.readUInt16LE(18) !== (isLeaf ? LEAF : BRANCH)) {
      damaged(`page ${number} is not the ${isLeaf ? 'leaf' : 'branch'} that it should be`);
    }
    const nodes = nodesOf(page, number, file.pageBytes);
    counted[isLeaf ? 'leaves' : 'branches']++;
    if (nodes.length === 0) damaged(`page ${number} is empty`);
    for (const [i, at] of nodes.entries()) {
      const keyBytes = page.readUInt16LE(at + 6);
      if (at + NODE_BYTES + keyBytes > file.pageBytes) damaged(`a key leaves page ${number}`);
      const key = page.subarray(at + NODE_BYTES, at + NODE_BYTES + keyBytes);
      // The first key of a branch is left out: it stands for all that sort before the second.
      if (isLeaf || i > 0) inOrder(key, isLeaf);
      if (isLeaf) leafNode(page, number, at, key);
      else visit(childOf(page, at), level + 1);
    }
  };
  const leafNode = (page: Buffer, number: number, at: number, key: Buffer): void => {
    counted.entries++;
    const bytes = page.readUInt32LE(at);
    const flags = page.readUInt16LE(at + 4);
    const from = at + NODE_BYTES + key.length;
    if (flags !== 0 && flags !== BIG_DATA) damaged(`page ${number} has a node of the kind ${flags}`);
    if (flags === 0) {
      if (from + bytes > file.pageBytes) damaged(`a value leaves page ${number}`);
      onRecord?.(key, page.subarray(from, from + bytes));
      return;
    }
    if (from + 8 > file.pageBytes) damaged(`a value leaves page ${number}`);
    const start = numberAt(page, from);
    const count = Math.floor((HEADER_BYTES - 1 + bytes) / file.pageBytes) + 1;
    take(start, count);
    counted.overflows += count;
    const head = file.page(start);
    const isOverflow = numberAt(head, 0) === start && head.readUInt16LE(18) === OVERFLOW;
    if (!isOverflow || head.readUInt32LE(20) !== count)
      damaged(`page ${start} is not the long value that it should be`);
    if (onRecord === undefined) return;
    const parts = Array.from({ length: count }, (_, n) => file.page(start + n));
    onRecord(key, Buffer.concat(parts).subarray(HEADER_BYTES, HEADER_BYTES + bytes));
  };
  if (tree.root !== undefined) visit(tree.root, 1);
  const { branches, leaves, overflows, entries } = tree;
  const isWhole =
    counted.branches === branches &&
    counted.leaves === leaves &&
    counted.overflows === overflows &&
    counted.entries === entries;
  if (!isWhole) damaged(`a tree has ${counted.entries} records, expected ${entries}`);
}

/** Where the nodes of a page begin. */
function nodesOf(page: Buffer, number: number, pageBytes: number): readonly number[] {
  const lower = page.readUInt16LE(20);
  const upper = page.readUInt16LE(22);
  if (lower % 2 !== 0 || lower > upper || upper + HEADER_BYTES > pageBytes) damaged(`page ${number} has a broken head`);
  return Array.from({ length: lower / 2 }, (_, i) => {
    const at = page.readUInt16LE(HEADER_BYTES + 2 * i) + HEADER_BYTES;
    if (at < HEADER_BYTES + upper || at + NODE_BYTES > pageBytes) damaged(`page ${number} has a broken node`);
    return at;
  });
}

const childOf = (page: Buffer, at: number): number => page.readUInt32LE(at) + page.readUInt16LE(at + 4) * 2 ** 32;

/** A count, then pages; -n before one stands for n pages from there on, 0 for nothing. */
function checkFreeList(list: Buffer, lastPage: number, used: Uint8Array): void {
  if (list.length < 8 || list.length % 8 !== 0) damaged('a list of free pages has a broken length');
  const count = numberAt(list, 0);
  if (count * 8 + 8 > list.length) damaged('a list of free pages is longer than its record');
  let run = 1;
  for (let i = 1; i <= count; i++) {
    const value = Number(list.readBigInt64LE(i * 8));
    if (value < 0) {
      run = -value;
      continue;
    }
    if (value === 0) continue;
    if (value < META_PAGES || value + run - 1 > lastPage) damaged(`the free page ${value} is beyond the last`);
    for (let n = value; n < value + run && n < used.length; n++) {
      if (used[n] !== 0) damaged(`page ${n} is both free and in use`);
      used[n] = 1;
    }
    run = 1;
  }
}
