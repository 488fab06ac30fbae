// Checks the pages of an LMDB file with plain reads, before LMDB maps the file: access to a mapped page that the file lacks
// would end the process with SIGBUS, and LMDB follows a damaged page number without a check.
//
// Boundary: structure only (meta pages, both trees, the lists of free pages). Checksums protect the contents of records
// (environment.ts). The format is that of lmdb-js 3: little endian, data version 2, and a third meta record in the second
// half of the first page, that of the last synced transaction.
//
// LMDBFILE-1: in a file that passes, every page that a lookup or a write may access is inside the file, has the right kind,
//     and is used once; keys ascend.
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
/** Flag of a meta record: its transaction may not be on disk yet. */
const UNSYNCED = 0x1000;
const NO_PAGE = 0xffff_ffff_ffff_ffffn;

export interface Tree {
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

/** Thrown and caught in this file only: the first damage ends the check. */
class Damage extends Error {}
const damaged = (text: string): never => {
  throw new Damage(text);
};

interface PageFile {
  readonly pageBytes: number;
  readPage(number: number): Buffer;
}

/** The error says why LMDB must not map the file. A missing file is no error: LMDB makes it. */
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
      damaged(`it has ${size} bytes, expected at least ${at + bytes}`);
    return buffer;
  };
  const first = readMeta(read(0, MIN_PAGE_BYTES), 0);
  const { pageBytes } = first;
  const second = readMeta(read(pageBytes, MIN_PAGE_BYTES), 1);
  if (second.pageBytes !== pageBytes) damaged('its two meta pages differ in the size of a page');
  const meta = metaInUse(first, second, () => metaOf(read(pageBytes / 2, MIN_PAGE_BYTES)));
  // LMDB allocates the page after the last one, which must not be a meta page.
  if (meta.lastPage < META_PAGES - 1) damaged(`the last page is ${meta.lastPage}, expected at least ${META_PAGES - 1}`);
  const pages = Math.floor(size / pageBytes);
  const pageFile: PageFile = { pageBytes, readPage: (number) => read(number * pageBytes, pageBytes) };
  const used = new Uint8Array(Math.min(meta.lastPage + 1, pages));
  const freeLists: Buffer[] = [];
  checkTree(pageFile, meta.free, meta.lastPage, used, (_, list) => freeLists.push(list), compareNumbers);
  checkTree(pageFile, meta.main, meta.lastPage, used, undefined, Buffer.compare);
  for (const list of freeLists) checkFreeList(list, meta.lastPage, used);
}

/** The meta record of page `index`, which is 0 or 1. */
function readMeta(page: Buffer, index: number): Meta {
  const isMeta = (page.readUInt16LE(18) & META) !== 0 && page.readBigUInt64LE(0) === BigInt(index);
  if (!isMeta || page.readUInt32LE(HEADER_BYTES) !== MAGIC) damaged(`page ${index} is not a meta page`);
  const version = page.readUInt32LE(HEADER_BYTES + 4) & 0xffff;
  if (version !== DATA_VERSION) damaged(`meta page ${index} has version ${version}, expected ${DATA_VERSION}`);
  const meta = metaOf(page);
  const { pageBytes, transaction } = meta;
  const isSize = pageBytes >= MIN_PAGE_BYTES && pageBytes <= MAX_PAGE_BYTES && (pageBytes & (pageBytes - 1)) === 0;
  if (!isSize) damaged(`meta page ${index} has a page size of ${pageBytes} bytes`);
  if (transaction !== 0n && transaction % 2n !== BigInt(index)) {
    damaged(`meta page ${index} has transaction ${transaction}, which belongs in the other`);
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

/** The meta record that LMDB uses: the newest, or after a restart of the host the last synced one. */
function metaInUse(first: Meta, second: Meta, synced: () => Meta): Meta {
  const latest = first.transaction >= second.transaction ? first : second;
  if (!latest.unsynced || latest.bootId === bootId()) return latest;
  const lastSynced = synced();
  if (lastSynced.transaction > latest.transaction) damaged('its synced transaction is newer than its newest');
  return lastSynced.transaction === 0n ? latest : lastSynced;
}

function bootId(): bigint {
  try {
    return BigInt(`0x${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').split('-')[0]}`);
  } catch {
    return 0n;
  }
}

const compareNumbers = (a: Buffer, b: Buffer): number => {
  if (a.length !== 8 || b.length !== 8) damaged('a key of the free list is not a transaction number');
  const [x, y] = [a.readBigUInt64LE(0), b.readBigUInt64LE(0)];
  return x < y ? -1 : x > y ? 1 : 0;
};

const countsText = ({ branches, leaves, overflows, entries }: Omit<Tree, 'depth' | 'root'>): string =>
  `${branches} branch pages, ${leaves} leaf pages, ${overflows} overflow pages and ${entries} records`;

/** Checks every page of a tree from its root, in the order of its keys. */
function checkTree(
  file: PageFile,
  tree: Tree,
  lastPage: number,
  used: Uint8Array,
  onRecord: ((key: Buffer, value: Buffer) => void) | undefined,
  compare: (a: Buffer, b: Buffer) => number,
): void {
  const counted = { branches: 0, leaves: 0, overflows: 0, entries: 0 };
  if (tree.depth > MAX_DEPTH) damaged(`a tree is ${tree.depth} levels deep`);
  let before: Buffer | undefined;
  const checkOrder = (key: Buffer, mayEqual: boolean): void => {
    const order = before === undefined ? -1 : compare(before, key);
    if (order > 0 || (order === 0 && !mayEqual)) damaged('keys are not in ascending order');
    before = key;
  };
  const markUsed = (number: number, count: number): void => {
    if (number < META_PAGES || number + count - 1 > lastPage)
      damaged(`page ${number} is not in the range from ${META_PAGES} to the last page, ${lastPage}`);
    if (number + count > used.length) damaged(`page ${number} is beyond the end of the file, which was truncated`);
    for (let n = number; n < number + count; n++) {
      if (used[n] !== 0) damaged(`page ${n} is used twice`);
      used[n] = 1;
    }
  };
  /** `MAX_DEPTH` bounds the recursion. */
  const visit = (number: number, level: number): void => {
    markUsed(number, 1);
    const page = file.readPage(number);
    const isLeaf = level === tree.depth;
    if (numberAt(page, 0) !== number || page.readUInt16LE(18) !== (isLeaf ? LEAF : BRANCH)) {
      damaged(`page ${number} is not a ${isLeaf ? 'leaf' : 'branch'} page`);
    }
    const nodes = nodesOf(page, number, file.pageBytes);
    counted[isLeaf ? 'leaves' : 'branches']++;
    if (nodes.length === 0) damaged(`page ${number} is empty`);
    for (const [i, at] of nodes.entries()) {
      const keyBytes = page.readUInt16LE(at + 6);
      if (at + NODE_BYTES + keyBytes > file.pageBytes) damaged(`a key extends beyond page ${number}`);
      const key = page.subarray(at + NODE_BYTES, at + NODE_BYTES + keyBytes);
      // The first key of a branch page is not used: its child has all keys before the second. The first key of a leaf may
      // be the key of its branch.
      if (isLeaf || i > 0) checkOrder(key, isLeaf && i === 0);
      if (isLeaf) checkRecord(page, number, at, key);
      else visit(childOf(page, at), level + 1);
    }
  };
  const checkRecord = (page: Buffer, number: number, at: number, key: Buffer): void => {
    counted.entries++;
    const bytes = page.readUInt32LE(at);
    const flags = page.readUInt16LE(at + 4);
    const from = at + NODE_BYTES + key.length;
    if (flags !== 0 && flags !== BIG_DATA) damaged(`page ${number} has a node of unknown kind ${flags}`);
    if (flags === 0) {
      if (from + bytes > file.pageBytes) damaged(`a value extends beyond page ${number}`);
      onRecord?.(key, page.subarray(from, from + bytes));
      return;
    }
    if (from + 8 > file.pageBytes) damaged(`a value extends beyond page ${number}`);
    const start = numberAt(page, from);
    const count = Math.floor((HEADER_BYTES - 1 + bytes) / file.pageBytes) + 1;
    markUsed(start, count);
    counted.overflows += count;
    const head = file.readPage(start);
    const isOverflow = numberAt(head, 0) === start && head.readUInt16LE(18) === OVERFLOW;
    if (!isOverflow || head.readUInt32LE(20) !== count)
      damaged(`page ${start} is not the first of ${count} overflow pages`);
    if (onRecord === undefined) return;
    const parts = Array.from({ length: count }, (_, n) => file.readPage(start + n));
    onRecord(key, Buffer.concat(parts).subarray(HEADER_BYTES, HEADER_BYTES + bytes));
  };
  if (tree.root !== undefined) visit(tree.root, 1);
  const [found, expected] = [countsText(counted), countsText(tree)];
  if (found !== expected) damaged(`a tree has ${found}, expected ${expected}`);
}

/** The offsets of a page's nodes. */
function nodesOf(page: Buffer, number: number, pageBytes: number): readonly number[] {
  const lower = page.readUInt16LE(20);
  const upper = page.readUInt16LE(22);
  if (lower % 2 !== 0 || lower > upper || upper + HEADER_BYTES > pageBytes)
    damaged(`page ${number} has a damaged header`);
  return Array.from({ length: lower / 2 }, (_, i) => {
    const at = page.readUInt16LE(HEADER_BYTES + 2 * i) + HEADER_BYTES;
    if (at < HEADER_BYTES + upper || at + NODE_BYTES > pageBytes) damaged(`page ${number} has a damaged node`);
    return at;
  });
}

const childOf = (page: Buffer, at: number): number => page.readUInt32LE(at) + page.readUInt16LE(at + 4) * 2 ** 32;

/** A list is a count, then page numbers. -n before a number means n consecutive pages from there on; 0 means nothing. */
function checkFreeList(list: Buffer, lastPage: number, used: Uint8Array): void {
  if (list.length < 8 || list.length % 8 !== 0)
    damaged(`a list of free pages has ${list.length} bytes, expected a count and numbers of 8 bytes each`);
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
    if (value < META_PAGES || value + run - 1 > lastPage)
      damaged(`free page ${value} is not in the range from ${META_PAGES} to the last page, ${lastPage}`);
    for (let n = value; n < value + run && n < used.length; n++) {
      if (used[n] !== 0) damaged(`free page ${n} is in use, or free twice`);
      used[n] = 1;
    }
    run = 1;
  }
}
