// The lock, the checks of a file before it is opened, the checksums and the spare bytes, with files that LMDB wrote.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { seededRandom, uniform } from '@meseta/base';
import { type Key, open } from 'lmdb';
import { lockDirectory } from './directory-lock.js';
import {
  type Database,
  type Environment,
  type Formats,
  openEnvironment,
  reasonOf,
  sealedRecords,
} from './environment.js';
import { checkLmdbFile } from './lmdb-file.js';

const root = mkdtempSync(join(tmpdir(), 'meseta-environment-'));
after(() => rmSync(root, { recursive: true, force: true }));
let serial = 0;
const newDirectory = (): string => {
  serial++;
  return join(root, String(serial));
};

const FORMATS: Formats = { oldest: 2, newest: 2 };

async function openAt(directory: string): Promise<Environment> {
  const opened = await openEnvironment(directory, FORMATS, assert.fail);
  assert.ok(opened.ok, JSON.stringify(opened));
  return opened.value;
}

async function errorAt(directory: string): Promise<string> {
  const opened = await openEnvironment(directory, FORMATS, assert.fail);
  if (!opened.ok) return opened.error;
  await opened.value.close();
  return '';
}

async function write(
  environment: Environment,
  records: readonly (readonly [key: Key, value: string])[],
): Promise<void> {
  const bytes = records.reduce((sum, [, value]) => sum + value.length, 0);
  assert.ok(environment.roomFor(records.length, bytes).ok);
  await environment.database.transaction(() => {
    for (const [key, value] of records) environment.records.put(key, Buffer.from(value));
  });
  await environment.database.flushed;
}

const contents = (environment: Environment): Readonly<Record<string, string>> =>
  Object.fromEntries([...environment.records.entries({})].map(({ key, value }) => [String(key), value.toString()]));

interface FilledStore {
  readonly file: Buffer;
  readonly kept: Readonly<Record<string, string>>;
}

/** A store of several levels with short and long values, some of them removed again. Made once: LMDB takes its time. */
let filled: Promise<FilledStore> | undefined;
async function filledStore(): Promise<FilledStore & { readonly directory: string }> {
  filled ??= fillStore();
  const directory = newDirectory();
  mkdirSync(directory);
  const { file, kept } = await filled;
  writeFileSync(join(directory, 'data.mdb'), file);
  return { directory, file: Buffer.from(file), kept };
}

async function fillStore(): Promise<FilledStore> {
  const directory = newDirectory();
  const environment = await openAt(directory);
  const values = (n: number): string => `value ${n} `.repeat(n % 50 === 0 ? 2000 : (n % 7) + 1);
  await write(
    environment,
    Array.from({ length: 600 }, (_, n) => [['log', n], values(n)] as const),
  );
  await environment.database.transaction(() => {
    for (let n = 100; n < 250; n++) void environment.database.remove(['log', n]);
  });
  await environment.database.flushed;
  const kept = contents(environment);
  await environment.close();
  return { file: readFileSync(join(directory, 'data.mdb')), kept };
}

test('records are unchanged when the environment is opened again', async () => {
  const { directory, kept } = await filledStore();
  assert.equal(Object.keys(kept).length, 450);
  const again = await openAt(directory);
  assert.deepEqual(contents(again), kept);
  assert.equal(again.records.get(['log', 99])?.toString(), kept['log,99']);
  assert.equal(again.records.get(['log', 100]), undefined);
  await again.close();
});

test('ENVIRONMENT-1: a directory in use is refused until its environment is closed', async () => {
  const directory = newDirectory();
  const first = await openAt(directory);
  assert.match(await errorAt(directory), /is in use by another process/);
  // Only the owner can access the directory.
  assert.equal(statSync(directory).mode & 0o777, 0o700);
  await first.close();
  assert.equal(await errorAt(directory), '');
});

test('ENVIRONMENT-1: the lock ends when its process is killed', async () => {
  const directory = newDirectory();
  mkdirSync(directory);
  const holder = spawn('flock', [directory, 'sh', '-c', 'echo locked; exec sleep 60'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  await new Promise((resolve) => holder.stdout.once('data', resolve));
  assert.match(await errorAt(directory), /in use/);
  const pids = execFileSync('pgrep', ['-P', String(holder.pid)], { encoding: 'utf8' })
    .trim()
    .split('\n');
  const closed = new Promise((resolve) => holder.once('close', resolve));
  for (const pid of pids) process.kill(Number(pid), 'SIGKILL');
  holder.kill('SIGKILL');
  await closed;
  assert.equal(await errorAt(directory), '');
});

test('ENVIRONMENT-1: perl locks if there is no flock; without both there is a warning', async () => {
  const directory = newDirectory();
  mkdirSync(directory);
  const before = process.env['PATH'];
  try {
    const bin = newDirectory();
    mkdirSync(bin);
    process.env['PATH'] = bin;
    const unlocked = lockDirectory(directory);
    assert.ok(unlocked.ok && !unlocked.value.isLocked);
    unlocked.value.release();
    const warnings: string[] = [];
    const opened = await openEnvironment(directory, FORMATS, (text) => warnings.push(text));
    assert.ok(opened.ok);
    assert.match(warnings.join(), /not locked against a second daemon: neither flock nor perl/);
    await opened.value.close();
    execFileSync('/bin/ln', ['-s', '/usr/bin/perl', join(bin, 'perl')]);
    // A flock that fails counts as missing.
    writeFileSync(join(bin, 'flock'), '#!/bin/sh\nexit 66\n', { mode: 0o755 });
    const first = lockDirectory(directory);
    assert.ok(first.ok && first.value.isLocked);
    const second = lockDirectory(directory);
    assert.match(second.ok ? '' : second.error, /in use/);
    first.value.release();
    const third = lockDirectory(directory);
    assert.ok(third.ok && third.value.isLocked);
    third.value.release();
  } finally {
    process.env['PATH'] = before;
  }
  assert.match((lockDirectory(join(directory, 'missing')) as { readonly error: string }).error, /ENOENT/);
});

const setByte =
  (at: number, value: number) =>
  (bytes: Buffer): Buffer => {
    bytes[at] = value;
    return bytes;
  };

const damages: readonly (readonly [name: string, damage: (bytes: Buffer) => Buffer, says: RegExp])[] = [
  ['no bytes', () => Buffer.alloc(0), /it has 0 bytes/],
  ['100 bytes only', (bytes) => bytes.subarray(0, 100), /it has 100 bytes/],
  ['only the first page', (bytes) => bytes.subarray(0, 4096), /it has 4096 bytes/],
  ['only the meta pages', (bytes) => bytes.subarray(0, 8192), /is beyond the end of the file/],
  ['the first 20 pages only', (bytes) => bytes.subarray(0, 20 * 4096), /is beyond the end of the file/],
  ['zeros after the meta pages', (bytes) => bytes.fill(0, 8192), /is not a (?:leaf|branch) page/],
  ['noise after the meta pages', (bytes) => bytes.fill('noise', 8192), /is not a (?:leaf|branch) page/],
  ['a zeroed first meta page', (bytes) => bytes.fill(0, 0, 4096), /page 0 is not a meta page/],
  ['a zeroed second meta page', (bytes) => bytes.fill(0, 4096, 8192), /page 1 is not a meta page/],
  ['another version', setByte(28, 9), /meta page 0 has version 9, expected 2/],
  ['pages of another size', setByte(49, 0x11), /has a page size of 4352 bytes/],
  ['meta pages that differ', setByte(4096 + 49, 0x20), /differ in the size of a page/],
  [
    'a transaction of the other meta page',
    (bytes) => setByte(152, (bytes[152] as number) ^ 1)(bytes),
    /belongs in the other/,
  ],
  ['text in place of pages', () => Buffer.from('hello '.repeat(2000)), /page 0 is not a meta page/],
];
for (const [name, damage, says] of damages) {
  test(`ENVIRONMENT-2, LMDBFILE-1: a file with ${name} is refused with one line, and not changed`, async () => {
    const { directory, file } = await filledStore();
    const path = join(directory, 'data.mdb');
    const bytes = damage(file);
    writeFileSync(path, bytes);
    const error = await errorAt(directory);
    assert.match(error, says);
    assert.match(error, /data\.mdb is damaged: [^\n]+$/);
    assert.ok(readFileSync(path).equals(bytes));
    // The lock was released.
    assert.match(await errorAt(directory), says);
  });
}

test('ENVIRONMENT-2, LMDBFILE-1: a file with flipped bits is refused or has the same records', async () => {
  const { directory, kept, file: whole } = await filledStore();
  const path = join(directory, 'data.mdb');
  const usedBytes = whole.length - spareOf(path);
  const shown = JSON.stringify(kept);
  const random = seededRandom(7);
  let refused = 0;
  for (let round = 0; round < 60; round++) {
    const bytes = Buffer.from(whole);
    for (let flips = 0; flips <= round % 3; flips++) {
      const at = Math.floor(uniform(random) * usedBytes);
      bytes[at] = (bytes[at] as number) ^ (1 << Math.floor(uniform(random) * 8));
    }
    writeFileSync(path, bytes);
    const opened = await openEnvironment(directory, FORMATS, assert.fail);
    if (!opened.ok) {
      refused++;
      continue;
    }
    assert.equal(JSON.stringify(contents(opened.value)), shown);
    await opened.value.close();
  }
  assert.ok(refused > 10, `${refused} refused`);
});

test('ENVIRONMENT-2, ENVIRONMENT-3: records with a wrong checksum and a missing format are refused', async () => {
  const { directory } = await filledStore();
  const withRaw = async <T>(use: (raw: Database) => T): Promise<T> => {
    const raw = open<Buffer, Key>({ path: directory, noSubdir: false, encoding: 'binary' });
    const used = await raw.transaction(() => use(raw));
    await raw.flushed;
    await raw.close();
    return used;
  };
  const [record, format] = await withRaw(
    (raw) => [raw.get(['log', 1]) as Buffer, raw.get('format') as Buffer] as const,
  );
  assert.equal(format.subarray(4).toString(), '2');
  const changes: readonly (readonly [change: (raw: Database) => unknown, says: RegExp])[] = [
    [(raw) => raw.put(['log', 2], record), /the checksum of the record \["log",2\] is wrong/],
    [(raw) => raw.put(['log', 2], Buffer.from('short')), /the checksum of the record \["log",2\]/],
    [(raw) => raw.put(['log', 2], Buffer.from('abc')), /the checksum of the record \["log",2\]/],
    [(raw) => sealedRecords(raw).put(['log', 2], Buffer.alloc(0)), /^$/],
    [(raw) => raw.remove(['log', 2]), /^$/],
    [(raw) => raw.remove('format'), /the record of its format is missing/],
    [(raw) => raw.put('format', format), /^$/],
    [(raw) => sealedRecords(raw).put('format', Buffer.from('x')), /^\S+data\.mdb: it has format "x", and this version/],
  ];
  for (const [change, says] of changes) {
    await withRaw((raw) => void change(raw));
    assert.match(await errorAt(directory), says);
  }
});

test('ENVIRONMENT-3: a newer format is refused and nothing is changed; an older one is read, and older programs refuse it then', async () => {
  const { directory, kept } = await filledStore();
  const path = join(directory, 'data.mdb');
  const newer = await openEnvironment(directory, { oldest: 2, newest: 3 }, assert.fail);
  assert.ok(newer.ok);
  assert.deepEqual(contents(newer.value), kept);
  await newer.value.close();
  const before = readFileSync(path);
  const says = `${path}: it has format "3", and this version reads format 2: use the newer version that wrote it`;
  assert.equal(await errorAt(directory), says);
  assert.ok(readFileSync(path).equals(before));
  const later = await openEnvironment(directory, { oldest: 4, newest: 6 }, assert.fail);
  const tooOld = `${path}: it has format "3", and this version reads the formats 4 to 6: an older version wrote it`;
  assert.deepEqual(later, { ok: false, error: tooOld });
  assert.ok(readFileSync(path).equals(before));
});

test('ENVIRONMENT-4: spare bytes follow the last page; the file is extended when half of them are used', async () => {
  const directory = newDirectory();
  const path = join(directory, 'data.mdb');
  const environment = await openAt(directory);
  const spare = (): number => {
    const { lastPageNumber, pageSize } = environment.database.getStats() as Record<string, number>;
    return statSync(path).size - ((lastPageNumber as number) + 1) * (pageSize as number);
  };
  assert.equal(spare(), 4 * 2 ** 20);
  // The bytes are allocated on the disk, not a hole.
  assert.ok(statSync(path).blocks * 512 >= 4 * 2 ** 20);
  await write(environment, [['large', 'x'.repeat(2 ** 20)]]);
  assert.ok(environment.keepSpare());
  assert.ok(spare() < 3 * 2 ** 20 + 1 && spare() > 2 ** 21);
  await write(environment, [['larger', 'x'.repeat(3 * 2 ** 19)]]);
  assert.ok(environment.keepSpare());
  assert.equal(spare(), 4 * 2 ** 20);
  // On a disk with much free space LMDB may extend the file.
  assert.deepEqual(environment.roomFor(10, 2 ** 23), { ok: true, value: undefined });
  assert.equal(spare(), 4 * 2 ** 20);
  await environment.close();
  truncateSync(path, statSync(path).size - spareOf(path));
  assert.equal(await errorAt(directory), '');
});

/** The number of zero bytes after the last used page of a file. */
function spareOf(path: string): number {
  const bytes = readFileSync(path);
  let end = bytes.length;
  while (end > 0 && bytes[end - 1] === 0) end--;
  return bytes.length - Math.ceil(end / 4096) * 4096;
}

test('ENVIRONMENT-4, ENVIRONMENT-5: on a full disk writes succeed until the spare bytes are used, then are refused until there is room', {
  skip: process.getuid?.() !== 0,
}, async () => {
  const disk = newDirectory();
  mkdirSync(disk);
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', disk]);
  try {
    const environment = await openAt(join(disk, 'store'));
    assert.ok(environment.keepSpare());
    execFileSync('sh', ['-c', 'cat /dev/zero >"$1/fill" 2>/dev/null || true', 'sh', disk]);
    assert.ok(environment.roomFor(1, 0).ok);
    assert.equal(environment.roomFor(100, 0).ok, false);
    let written = 0;
    while (environment.roomFor(1, 1000).ok && written < 1000) {
      await write(environment, [[['log', written], 'x'.repeat(1000)]]);
      written++;
    }
    assert.ok(written > 20 && written < 1000, `${written} written`);
    assert.equal(environment.keepSpare(), false);
    assert.deepEqual(environment.roomFor(1, 1000), {
      ok: false,
      error: `no space is left on the disk of ${join(disk, 'store')}`,
    });
    rmSync(join(disk, 'fill'));
    assert.ok(environment.keepSpare() && environment.roomFor(1, 1000).ok);
    await write(environment, [[['log', written], 'last']]);
    await environment.close();
    const again = await openAt(join(disk, 'store'));
    assert.equal(Object.keys(contents(again)).length, written + 1);
    await again.close();
    // A store that could not be made leaves no file that the next start would take for damaged.
    execFileSync('sh', ['-c', 'cat /dev/zero >"$1/fill" 2>/dev/null || true', 'sh', disk]);
    const error = await errorAt(join(disk, 'other'));
    assert.match(error, /No space left|ENOSPC|no space/i);
    assert.equal(existsSync(join(disk, 'other', 'data.mdb')), false);
    rmSync(join(disk, 'fill'));
    assert.equal(await errorAt(join(disk, 'other')), '');
  } finally {
    execFileSync('umount', ['-l', disk]);
  }
});

test('errors give the reason: a directory that cannot be made, a file in its place, a failed commit', async () => {
  assert.match(await errorAt('/dev/null/store'), /ENOTDIR|not a directory/);
  const file = newDirectory();
  writeFileSync(file, '');
  assert.match(await errorAt(file), /ENOTDIR|not a directory|EEXIST/);
  assert.match((checkLmdbFile(root) as { readonly error: string }).error, /EISDIR|has \d+ bytes/);
  assert.deepEqual(checkLmdbFile(join(root, 'missing')), { ok: true, value: undefined });
  const failed = Object.assign(new Error('Commit failed'), { commitError: new Error('the disk is full') });
  assert.equal(reasonOf(failed), 'the disk is full');
  assert.equal(reasonOf(new Error('other')), 'other');
  assert.equal(reasonOf('text'), 'text');
});

test('ENVIRONMENT-6: only the user of the process can read the files, also those of an earlier version', async () => {
  const directory = newDirectory();
  await (await openAt(directory)).close();
  const modes = (): readonly string[] =>
    ['data.mdb', 'lock.mdb'].map((name) => (statSync(join(directory, name)).mode & 0o777).toString(8));
  assert.deepEqual(modes(), ['600', '600']);
  for (const name of ['data.mdb', 'lock.mdb']) chmodSync(join(directory, name), 0o644);
  const environment = await openAt(directory);
  assert.deepEqual(modes(), ['600', '600']);
  await environment.close();
});
