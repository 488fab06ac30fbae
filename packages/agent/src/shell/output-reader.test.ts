import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { appendFileSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { afterEach, beforeEach, test } from 'node:test';
import { rotateSandbox } from '@meseta/containers/streams/rotation';
import { createFiles } from '@meseta/platform/files';
import { createOutputReader } from './output-reader.js';

let sandbox = '';
beforeEach(() => {
  sandbox = mkdtempSync(`${tmpdir()}/meseta-output-`);
});
afterEach(() => rmSync(sandbox, { recursive: true, force: true }));

/** What a reader has told so far. */
function startReader(from: 'start' | 'end') {
  const told = { STDOUT: '', STDERR: '' };
  let wake = (): void => {};
  const reader = createOutputReader(createFiles(), sandbox, from, async (type, data) => {
    told[type] += data.toString();
    wake();
  });
  const next = (): Promise<void> =>
    new Promise((resolve) => {
      wake = resolve;
    });
  return { told, reader, next };
}

test('what is written is told as it comes, and all of it before the reader stops', async () => {
  writeFileSync(`${sandbox}/stdout`, 'one ');
  const { told, reader, next } = startReader('start');
  await next();
  const more = next();
  appendFileSync(`${sandbox}/stdout`, 'two ');
  await more;
  writeFileSync(`${sandbox}/stderr`, 'late');
  await reader.finish();
  assert.deepEqual(told, { STDOUT: 'one two ', STDERR: 'late' });
});

test('from the end on only what comes later is told', async () => {
  writeFileSync(`${sandbox}/stdout`, 'before ');
  const { told, reader } = startReader('end');
  // Until it has found the end nothing is told.
  for (let tries = 0; tries < 2000 && told.STDOUT === ''; tries++) {
    appendFileSync(`${sandbox}/stdout`, 'after ');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  await reader.finish();
  assert.match(told.STDOUT, /^(after )+$/);
});

/** Output between rotations; a rotation that moves the file is a task's own. */
const rotations: readonly (readonly [string, (number: number) => Promise<void>])[] = [
  ['copied and cut', () => rotateSandbox(createFiles(), sandbox, { maxBytes: 3, keptFiles: 9 })],
  [
    'moved',
    async (number) => {
      for (let at = number; at > 0; at--) renameSync(`${sandbox}/stdout.${at}`, `${sandbox}/stdout.${at + 1}`);
      renameSync(`${sandbox}/stdout`, `${sandbox}/stdout.1`);
      writeFileSync(`${sandbox}/stdout`, '');
    },
  ],
];

for (const [name, rotate] of rotations) {
  test(`OUTPUT-READER-2: output is reported once and whole, whatever files are ${name} meanwhile`, async () => {
    writeFileSync(`${sandbox}/stdout`, 'first ');
    let reported = '';
    let unblock = (): void => {};
    let onFirst = (): void => {};
    const whenUnblocked = new Promise<void>((resolve) => {
      unblock = resolve;
    });
    const first = new Promise<void>((resolve) => {
      onFirst = resolve;
    });
    const reader = createOutputReader(createFiles(), sandbox, 'start', async (_type, data) => {
      reported += data.toString();
      onFirst();
      await whenUnblocked;
    });
    await first;
    appendFileSync(`${sandbox}/stdout`, 'second ');
    for (const [number, text] of ['a longer third part ', 'fourth ', 'fifth '].entries()) {
      await rotate(number);
      appendFileSync(`${sandbox}/stdout`, text);
    }
    unblock();
    await reader.finish();
    assert.equal(reported, 'first second a longer third part fourth fifth ');
  });
}

test('a link or a fifo in the place of an output has nothing, and holds nothing up', async () => {
  writeFileSync(`${sandbox}/secret`, 'secret');
  symlinkSync(`${sandbox}/secret`, `${sandbox}/stdout`);
  execFileSync('mkfifo', [`${sandbox}/stderr`]);
  const { told, reader } = startReader('start');
  await reader.finish();
  assert.deepEqual(told, { STDOUT: '', STDERR: '' });
  rmSync(`${sandbox}/stdout`);
  writeFileSync(`${sandbox}/stdout`, 'own');
  const again = startReader('start');
  await again.reader.finish();
  assert.equal(again.told.STDOUT, 'own');
});

test('OUTPUT-READER-1: nothing is read while the client has not taken what it was told', async () => {
  writeFileSync(`${sandbox}/stdout`, Buffer.alloc(1_000_000, 'x'));
  let toldBytes = 0;
  let takes = (): void => {};
  let isTold = (): void => {};
  const first = new Promise<void>((resolve) => {
    isTold = resolve;
  });
  const reader = createOutputReader(createFiles(), sandbox, 'start', (_type, data) => {
    toldBytes += data.length;
    isTold();
    return new Promise((resolve) => {
      takes = resolve;
    });
  });
  await first;
  const toldFirst = toldBytes;
  appendFileSync(`${sandbox}/stdout`, 'more');
  // Time for a read, if there were one.
  for (let turns = 0; turns < 100; turns++) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(toldBytes, toldFirst);
  assert.ok(toldFirst <= 65_536);
  reader.stop();
  takes();
});
