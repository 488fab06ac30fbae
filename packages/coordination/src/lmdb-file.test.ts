// Damage in each part of an LMDB file (LMDBFILE-1), in files that are put together here page by page. environment.test.ts
// checks files that LMDB wrote.
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { checkLmdbFile, type Tree } from './lmdb-file.js';

const directory = mkdtempSync(join(tmpdir(), 'meseta-lmdb-file-'));
after(() => rmSync(directory, { recursive: true, force: true }));
const path = join(directory, 'data.mdb');

function problemOf(bytes: Uint8Array): string {
  writeFileSync(path, bytes);
  const checked = checkLmdbFile(path);
  return checked.ok ? '' : checked.error;
}

const PAGE_BYTES = 512;
const HEADER_BYTES = 24;
const [BRANCH, LEAF, OVERFLOW, META] = [1, 2, 4, 8];
const BIG_DATA = 1;
const NO_PAGE = 2n ** 64n - 1n;
const UNSYNCED = 0x1000;
const BOOT_ID = BigInt(`0x${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').slice(0, 8)}`);

function pageHeader(number: number, flags: number, pageBytes = PAGE_BYTES): Buffer {
  const page = Buffer.alloc(pageBytes);
  page.writeBigUInt64LE(BigInt(number), 0);
  page.writeUInt16LE(flags, 18);
  return page;
}

/** A node before it has a place: in a branch page `low` and `high` are the child's number, in a leaf a size and flags. */
interface Node {
  readonly key: Uint8Array;
  readonly low: number;
  readonly high: number;
  readonly data: Uint8Array;
}

/** The first node ends at the end of the page, the second before it, and so on, as LMDB fills a page. */
function nodePage(number: number, flags: number, nodes: readonly Node[]): Buffer {
  const page = pageHeader(number, flags);
  let end = PAGE_BYTES;
  for (const [i, { key, low, high, data }] of nodes.entries()) {
    const at = end - 8 - key.length - data.length;
    page.writeUInt32LE(low, at);
    page.writeUInt16LE(high, at + 4);
    page.writeUInt16LE(key.length, at + 6);
    page.set(key, at + 8);
    page.set(data, at + 8 + key.length);
    page.writeUInt16LE(at - HEADER_BYTES, HEADER_BYTES + 2 * i);
    end = at;
  }
  page.writeUInt16LE(2 * nodes.length, 20);
  page.writeUInt16LE(end - HEADER_BYTES, 22);
  return page;
}

const numberBytes = (value: number): Buffer => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64LE(BigInt(value));
  return bytes;
};
const listBytes = (values: readonly number[]): Buffer => Buffer.concat(values.map(numberBytes));

const record = (key: string | Buffer, data: string | Buffer): Node => ({
  key: Buffer.from(key),
  low: Buffer.from(data).length,
  high: 0,
  data: Buffer.from(data),
});
const longRecord = (key: string | Buffer, page: number, bytes: number): Node => ({
  key: Buffer.from(key),
  low: bytes,
  high: BIG_DATA,
  data: numberBytes(page),
});
const child = (key: string, page: number): Node => ({
  key: Buffer.from(key),
  low: page,
  high: 0,
  data: Buffer.alloc(0),
});

function overflowPages(number: number, value: Uint8Array): readonly Buffer[] {
  const count = Math.ceil((HEADER_BYTES + value.length) / PAGE_BYTES);
  const bytes = Buffer.concat([pageHeader(number, OVERFLOW, HEADER_BYTES), value], count * PAGE_BYTES);
  bytes.writeUInt32LE(count, 20);
  return Array.from({ length: count }, (_, n) => bytes.subarray(n * PAGE_BYTES, (n + 1) * PAGE_BYTES));
}

const EMPTY: Tree = { depth: 0, branches: 0, leaves: 0, overflows: 0, entries: 0, root: undefined };

interface MetaFields {
  readonly transaction: number;
  readonly lastPage: number;
  readonly free?: Tree;
  readonly main?: Tree;
  readonly flags?: number;
  readonly bootId?: bigint;
  readonly pageBytes?: number;
}

function writeTree(page: Buffer, at: number, { depth, branches, leaves, overflows, entries, root }: Tree): void {
  page.writeUInt16LE(depth, at + 6);
  for (const [i, count] of [branches, leaves, overflows, entries].entries())
    page.writeBigUInt64LE(BigInt(count), at + 8 + 8 * i);
  page.writeBigUInt64LE(root === undefined ? NO_PAGE : BigInt(root), at + 40);
}

function metaPage(number: number, fields: MetaFields): Buffer {
  const { transaction, lastPage, free = EMPTY, main = EMPTY, flags = 0, bootId = 0n, pageBytes = PAGE_BYTES } = fields;
  const page = pageHeader(number, META, Math.min(pageBytes, 65536));
  page.writeUInt32LE(0xbeefc0de, HEADER_BYTES);
  // Only the lower half is the version of the format.
  page.writeUInt32LE(0x10002, HEADER_BYTES + 4);
  writeTree(page, 48, free);
  writeTree(page, 96, main);
  page.writeUInt32LE(pageBytes, 48);
  page.writeUInt16LE(flags, 52);
  page.writeBigUInt64LE(BigInt(lastPage), 144);
  page.writeBigUInt64LE(BigInt(transaction), 152);
  page.writeBigInt64LE(bootId, 160);
  return page;
}

const MAIN: Tree = { depth: 2, branches: 1, leaves: 3, overflows: 4, entries: 7, root: 2 };
const FREE: Tree = { depth: 1, branches: 0, leaves: 1, overflows: 2, entries: 2, root: 10 };
/** Long values that fill one page to its last byte, and one byte more. */
const [FULL_PAGE_BYTES, TWO_PAGES_BYTES] = [PAGE_BYTES - HEADER_BYTES, PAGE_BYTES - HEADER_BYTES + 1];
/** Pages that the file does not have: free pages may be beyond its end. */
const LAST_PAGE = 100;
/** More numbers than fit into one page. */
const LONG_LIST = [70, ...Array.from({ length: 69 }, (_, n) => n + 17), 98];

/**
 * Pages 2 to 9 are the main tree, 10 to 12 the tree of free pages, 13 to 16 free. Of the leaf pages one ends with the
 * number of a long value, one with an empty value, and one is full.
 */
const PAGES: readonly Buffer[] = [
  metaPage(0, { transaction: 4, lastPage: LAST_PAGE, free: FREE, main: MAIN }),
  metaPage(1, { transaction: 3, lastPage: 1 }),
  nodePage(2, BRANCH, [child('ignored', 3), child('d', 4), child('f', 5)]),
  nodePage(3, LEAF, [longRecord('a', 6, FULL_PAGE_BYTES), record('b', 'value'), longRecord('c', 7, TWO_PAGES_BYTES)]),
  nodePage(4, LEAF, [record('d', ''), record('e', 'value')]),
  nodePage(5, LEAF, [record('f', 'v'.repeat(200)), longRecord('g', 9, 1)]),
  ...overflowPages(6, Buffer.alloc(FULL_PAGE_BYTES, 1)),
  ...overflowPages(7, Buffer.alloc(TWO_PAGES_BYTES, 1)),
  ...overflowPages(9, Buffer.alloc(1, 1)),
  nodePage(10, LEAF, [
    record(numberBytes(1), listBytes([6, -2, 13, 0, 15, 16, 99])),
    longRecord(numberBytes(2), 11, 8 * LONG_LIST.length),
  ]),
  ...overflowPages(11, listBytes(LONG_LIST)),
  ...[13, 14, 15, 16].map((number) => pageHeader(number, 0)),
];

const fileOf = (pages: readonly Buffer[]): Buffer => Buffer.concat(pages);
/** The whole file with other pages in place of some. */
const withPages = (others: Readonly<Record<number, Buffer>>): Buffer =>
  fileOf(PAGES.map((page, number) => others[number] ?? page));

function withChange(number: number, change: (page: Buffer) => unknown): Buffer {
  const page = Buffer.from(PAGES[number] as Buffer);
  change(page);
  return withPages({ [number]: page });
}

const IN_USE: MetaFields = { transaction: 4, lastPage: LAST_PAGE, free: FREE, main: MAIN };
const withMeta = (fields: Partial<MetaFields>): Buffer => withPages({ 0: metaPage(0, { ...IN_USE, ...fields }) });

const nodeAt = (page: Buffer, index: number): number => page.readUInt16LE(HEADER_BYTES + 2 * index) + HEADER_BYTES;

test('LMDBFILE-1: a file without damage passes, whatever is in the meta page that is not in use', () => {
  assert.equal(problemOf(fileOf(PAGES)), '');
  const unused = { ...IN_USE, main: { ...MAIN, root: 99 } };
  assert.equal(problemOf(withPages({ 1: metaPage(1, { ...unused, transaction: 3 }) })), '');
  const inSecond = { 0: metaPage(0, unused), 1: metaPage(1, { ...IN_USE, transaction: 5 }) };
  assert.equal(problemOf(withPages(inSecond)), '');
  assert.equal(problemOf(Buffer.concat([...PAGES, Buffer.alloc(PAGE_BYTES + 7, 0xff)])), '', 'bytes at the end');
});

test('LMDBFILE-1: a new file has two meta pages and no tree', () => {
  for (const pageBytes of [512, 4096, 65536]) {
    const [first, second] = [0, 1].map((number) => metaPage(number, { transaction: 0, lastPage: 1, pageBytes }));
    const bytes = Buffer.concat([first as Buffer, second as Buffer]);
    const leastBytes = pageBytes + 512;
    assert.equal(problemOf(bytes.subarray(0, leastBytes)), '');
    const problem = `it has ${leastBytes - 1} bytes, expected at least ${leastBytes}`;
    assert.equal(problemOf(bytes.subarray(0, leastBytes - 1)), problem);
  }
  const unused = metaPage(1, { transaction: 0, lastPage: 1, main: { ...MAIN, root: 2 } });
  assert.equal(problemOf(fileOf([metaPage(0, { transaction: 0, lastPage: 1 }), unused])), '');
});

test('LMDBFILE-1: pages may be full, the last page may be used, and a tree may have 32 levels', () => {
  const oneLeaf = (main: Partial<Tree>, lastPage: number, pages: readonly Buffer[]): string => {
    const tree = { depth: 1, branches: 0, leaves: 1, overflows: 0, entries: 2, root: 2, ...main };
    const metas = [metaPage(0, { transaction: 2, lastPage, main: tree }), metaPage(1, { transaction: 1, lastPage: 1 })];
    return problemOf(fileOf([...metas, ...pages]));
  };
  const roomBytes = PAGE_BYTES - HEADER_BYTES - 2 * (2 + 8 + 1);
  const full = nodePage(2, LEAF, [record('a', 'x'.repeat(roomBytes - 10)), record('b', 'x'.repeat(10))]);
  assert.equal(full.readUInt16LE(20), full.readUInt16LE(22));
  assert.equal(oneLeaf({}, 2, [full]), '');
  assert.equal(oneLeaf({}, 2, [nodePage(2, LEAF, [record('', ''), record('b', '')])]), '');
  const long = nodePage(2, LEAF, [longRecord('a', 3, TWO_PAGES_BYTES)]);
  const overflows = overflowPages(3, Buffer.alloc(TWO_PAGES_BYTES));
  assert.equal(oneLeaf({ overflows: 2, entries: 1 }, 4, [long, ...overflows]), '');
  const branches = Array.from({ length: 31 }, (_, n) => nodePage(n + 2, BRANCH, [child('', n + 3)]));
  const deep = [...branches, nodePage(33, LEAF, [record('a', ''), record('b', '')])];
  assert.equal(oneLeaf({ depth: 32, branches: 31 }, 33, deep), '');
});

const outOfRange = (page: number, lastPage: number): string =>
  `page ${page} is not in the range from 2 to the last page, ${lastPage}`;
const truncated = (page: number): string => `page ${page} is beyond the end of the file, which was truncated`;

const META_DAMAGES: readonly (readonly [problem: string, bytes: Buffer])[] = [
  ['it has 0 bytes, expected at least 512', Buffer.alloc(0)],
  ['it has 511 bytes, expected at least 512', fileOf(PAGES).subarray(0, 511)],
  ['page 0 is not a meta page', withChange(0, (page) => page.writeUInt16LE(LEAF, 18))],
  ['page 0 is not a meta page', withChange(0, (page) => page.writeUInt8(1, 0))],
  ['page 0 is not a meta page', withChange(0, (page) => page.writeUInt8(0, HEADER_BYTES))],
  ['page 1 is not a meta page', withChange(1, (page) => page.writeUInt8(0, 0))],
  ['meta page 0 has version 3, expected 2', withChange(0, (page) => page.writeUInt8(3, HEADER_BYTES + 4))],
  ['meta page 1 has version 1, expected 2', withChange(1, (page) => page.writeUInt8(1, HEADER_BYTES + 4))],
  ['meta page 0 has a page size of 256 bytes', withMeta({ pageBytes: 256 })],
  ['meta page 0 has a page size of 768 bytes', withMeta({ pageBytes: 768 })],
  ['meta page 0 has a page size of 131072 bytes', withChange(0, (page) => page.writeUInt32LE(131072, 48))],
  [
    'the last page is 0, expected at least 1',
    fileOf([0, 1].map((number) => metaPage(number, { transaction: 0, lastPage: 0 }))),
  ],
  ['its two meta pages differ in the size of a page', withChange(1, (page) => page.writeUInt32LE(1024, 48))],
  ['meta page 0 has transaction 5, which belongs in the other', withMeta({ transaction: 5 })],
  ['meta page 1 has transaction 2, which belongs in the other', withChange(1, (page) => page.writeUInt8(2, 152))],
];

const withRoot = (root: number): Buffer => withMeta({ main: { ...MAIN, root } });

const PAGE_DAMAGES: readonly (readonly [problem: string, bytes: Buffer])[] = [
  ['a tree is 33 levels deep', withMeta({ main: { ...MAIN, depth: 33 } })],
  [outOfRange(1, 100), withRoot(1)],
  [outOfRange(101, 100), withRoot(101)],
  [outOfRange(7, 7), withMeta({ free: EMPTY, lastPage: 7 })],
  [truncated(17), withRoot(17)],
  [truncated(7), withMeta({ free: EMPTY }).subarray(0, 9 * PAGE_BYTES - 1)],
  [outOfRange(2 ** 32 + 3, 100), withPages({ 2: nodePage(2, BRANCH, [{ ...child('', 3), high: 1 }]) })],
  ['page 2 is not a branch page', withChange(2, (page) => page.writeUInt16LE(LEAF, 18))],
  ['page 2 is not a branch page', withChange(2, (page) => page.writeUInt8(3, 0))],
  ['page 3 is not a leaf page', withChange(3, (page) => page.writeUInt16LE(BRANCH, 18))],
  ['page 3 is not a leaf page', withChange(3, (page) => page.writeUInt16LE(LEAF | OVERFLOW, 18))],
  ['page 4 is used twice', withPages({ 2: nodePage(2, BRANCH, [child('', 4), child('f', 4)]) })],
  ['page 4 is empty', withPages({ 4: nodePage(4, LEAF, []) })],
  ['page 3 has a damaged header', withChange(3, (page) => page.writeUInt16LE(5, 20))],
  ['page 3 has a damaged header', withChange(3, (page) => page.writeUInt16LE(page.readUInt16LE(22) + 2, 20))],
  ['page 4 has a damaged header', withChange(4, (page) => page.writeUInt16LE(PAGE_BYTES - HEADER_BYTES + 1, 22))],
  ['page 3 has a damaged node', withChange(3, (page) => page.writeUInt16LE(page.readUInt16LE(22) - 1, HEADER_BYTES))],
  ['page 3 has a damaged node', withChange(3, (page) => page.writeUInt16LE(PAGE_BYTES - 31, HEADER_BYTES))],
];

const RECORD_DAMAGES: readonly (readonly [problem: string, bytes: Buffer])[] = [
  ['a key extends beyond page 4', withChange(4, (page) => page.writeUInt16LE(2, nodeAt(page, 0) + 6))],
  ['a value extends beyond page 5', withChange(5, (page) => page.writeUInt32LE(201, nodeAt(page, 0)))],
  ['a value extends beyond page 3', withChange(3, (page) => page.writeUInt16LE(2, nodeAt(page, 0) + 6))],
  ['page 4 has a node of unknown kind 2', withChange(4, (page) => page.writeUInt16LE(2, nodeAt(page, 1) + 4))],
  ['page 4 has a node of unknown kind 3', withChange(4, (page) => page.writeUInt16LE(3, nodeAt(page, 1) + 4))],
  ...(
    [
      ['d', 'c'],
      ['d', 'd'],
      ['e', 'd'],
      ['c', 'e'],
      ['d', 'f'],
      ['d', 'g'],
    ] as const
  ).map(([first, second]) => {
    const page = nodePage(4, LEAF, [record(first, ''), record(second, 'value')]);
    return ['keys are not in ascending order', withPages({ 4: page })] as const;
  }),
  ['page 6 is not the first of 1 overflow pages', withChange(6, (page) => page.writeUInt8(7, 0))],
  ['page 6 is not the first of 1 overflow pages', withChange(6, (page) => page.writeUInt16LE(LEAF, 18))],
  ['page 6 is not the first of 1 overflow pages', withChange(6, (page) => page.writeUInt32LE(2, 20))],
  ['page 7 is not the first of 2 overflow pages', withChange(7, (page) => page.writeUInt32LE(1, 20))],
  ['page 7 is used twice', withPages({ 5: nodePage(5, LEAF, [record('f', ''), longRecord('g', 7, 1)]) })],
];

const countsText = ({ branches, leaves, overflows, entries }: Tree): string =>
  `${branches} branch pages, ${leaves} leaf pages, ${overflows} overflow pages and ${entries} records`;
const COUNT_DAMAGES = (['branches', 'leaves', 'overflows', 'entries'] as const).flatMap((name) =>
  [1, -1].map((more) => {
    const main = { ...MAIN, [name]: MAIN[name] + more };
    return [`a tree has ${countsText(MAIN)}, expected ${countsText(main)}`, withMeta({ main })] as const;
  }),
);

const withFreeList = (list: Buffer): Buffer =>
  withPages({
    10: nodePage(10, LEAF, [record(numberBytes(1), list), longRecord(numberBytes(2), 11, 8 * LONG_LIST.length)]),
  });
const withFreeKeys = (...keys: readonly (string | Buffer)[]): Buffer =>
  withPages({
    10: nodePage(
      10,
      LEAF,
      keys.map((key) => record(key, listBytes([0]))),
    ),
  });

const FREE_DAMAGES: readonly (readonly [problem: string, bytes: Buffer])[] = [
  ['a key of the free list is not a transaction number', withFreeKeys('seven', numberBytes(2))],
  ['a key of the free list is not a transaction number', withFreeKeys(numberBytes(2), '9 letters')],
  ['keys are not in ascending order', withFreeKeys(numberBytes(256), numberBytes(2))],
  ['keys are not in ascending order', withFreeKeys(numberBytes(2), numberBytes(2))],
  ...[0, 4, 12].map(
    (bytes) =>
      [
        `a list of free pages has ${bytes} bytes, expected a count and numbers of 8 bytes each`,
        withFreeList(Buffer.alloc(bytes)),
      ] as const,
  ),
  ['a list of free pages is longer than its record', withFreeList(listBytes([2, 13]))],
  [`free ${outOfRange(1, 100)}`, withFreeList(listBytes([1, 1]))],
  [`free ${outOfRange(101, 100)}`, withFreeList(listBytes([1, 101]))],
  [`free ${outOfRange(100, 100)}`, withFreeList(listBytes([2, -2, 100]))],
  ['free page 12 is in use, or free twice', withFreeList(listBytes([1, 12]))],
  ['free page 9 is in use, or free twice', withFreeList(listBytes([2, -2, 9]))],
  ['free page 14 is in use, or free twice', withFreeList(listBytes([3, -2, 13, 14]))],
  ['free page 13 is in use, or free twice', withFreeList(listBytes([2, 13, 13]))],
  ['free page 3 is in use, or free twice', withFreeList(listBytes([2, 0, 3]))],
  [
    'free page 3 is in use, or free twice',
    withPages(
      Object.fromEntries(overflowPages(11, listBytes([...LONG_LIST.slice(0, -1), 3])).map((page, n) => [11 + n, page])),
    ),
  ],
];

for (const [problem, bytes] of [META_DAMAGES, PAGE_DAMAGES, RECORD_DAMAGES, COUNT_DAMAGES, FREE_DAMAGES].flat()) {
  test(`LMDBFILE-1: a damaged file is refused: ${problem}`, () => {
    assert.equal(problemOf(bytes), problem);
  });
}

test('LMDBFILE-1: free pages may be beyond the end of the file, up to the last page', () => {
  for (const list of [[0], [3, -2, 99, 0], [2, 100, 13], [4, -2, 13, 15, 16], [2, -4, 13]])
    assert.equal(problemOf(withFreeList(listBytes(list))), '', JSON.stringify(list));
});

test('LMDBFILE-1: after a restart of the host the last synced transaction counts, as it does for LMDB', () => {
  const damaged = { ...MAIN, root: 99 };
  const problem = truncated(99);
  /** The problem of a file with a newest meta record, and a synced one in the second half of the first page. */
  const problemWith = (newest: Partial<MetaFields>, synced: Partial<MetaFields>): string => {
    const pages = [newest, synced].map((fields) => metaPage(0, { ...IN_USE, ...fields }).subarray(0, PAGE_BYTES / 2));
    return problemOf(withPages({ 0: Buffer.concat(pages) }));
  };
  const unsynced = { flags: UNSYNCED, bootId: BOOT_ID + 1n };
  assert.equal(problemWith({ ...unsynced, main: damaged }, { transaction: 2 }), '');
  assert.equal(problemWith(unsynced, { transaction: 2, main: damaged }), problem);
  assert.equal(problemWith(unsynced, { transaction: 4, main: damaged }), problem);
  assert.equal(problemWith(unsynced, { transaction: 6 }), 'its synced transaction is newer than its newest');
  assert.equal(problemWith(unsynced, { transaction: 0, main: damaged }), '', 'nothing was synced yet');
  assert.equal(problemWith({ ...unsynced, bootId: BOOT_ID }, { transaction: 2, main: damaged }), '', 'no restart');
  assert.equal(problemWith({ flags: 0 }, { transaction: 2, main: damaged }), '', 'the newest is synced');
});

test('a file that cannot be read is refused, a missing one is not; no descriptor stays open', () => {
  const errorOf = (name: string): string => {
    const checked = checkLmdbFile(name);
    return checked.ok ? '' : checked.error;
  };
  const openFiles = (): number => readdirSync('/proc/self/fd').length;
  const before = openFiles();
  assert.match(errorOf('/dev/null/data.mdb'), /ENOTDIR/);
  assert.match(errorOf(directory), /EISDIR|has \d+ bytes/);
  assert.equal(errorOf(join(directory, 'missing')), '');
  problemOf(fileOf(PAGES));
  assert.equal(openFiles(), before);
});
