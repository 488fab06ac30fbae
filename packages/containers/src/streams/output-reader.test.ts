import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { appendFileSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { afterEach, beforeEach, test } from 'node:test';
import { createFiles } from '@meseta/platform/files';
import { createOutputReader } from './output-reader.js';
import { rotateSandbox } from './rotation.js';

let sandbox = '';
beforeEach(() => {
  sandbox = mkdtempSync(`${tmpdir()}/meseta-output-`);
});
afterEach(() => rmSync(sandbox, { recursive: true, force: true }));

/** Collects what a reader reports. */
function startReader(from: 'start' | 'end') {
  const reported = { STDOUT: '', STDERR: '' };
  let wake = (): void => {};
  const reader = createOutputReader(createFiles(), sandbox, from, async (type, data) => {
    reported[type] += data.toString();
    wake();
  });
  const next = (): Promise<void> =>
    new Promise((resolve) => {
      wake = resolve;
    });
  return { reported, reader, next };
}

test('output is reported as it is written, and all of it before the reader stops', async () => {
  writeFileSync(`${sandbox}/stdout`, 'one ');
  const { reported, reader, next } = startReader('start');
  await next();
  const more = next();
  appendFileSync(`${sandbox}/stdout`, 'two ');
  await more;
  writeFileSync(`${sandbox}/stderr`, 'late');
  await reader.finish();
  assert.deepEqual(reported, { STDOUT: 'one two ', STDERR: 'late' });
});

test('a reader that starts at the end reports only later output', async () => {
  writeFileSync(`${sandbox}/stdout`, 'before ');
  const { reported, reader } = startReader('end');
  // The reader reports nothing before it has found the end.
  for (let turn = 0; turn < 100_000 && reported.STDOUT === ''; turn++) {
    appendFileSync(`${sandbox}/stdout`, 'after ');
    await new Promise((resolve) => setImmediate(resolve));
  }
  await reader.finish();
  assert.match(reported.STDOUT, /^(after )+$/);
});

/** Rotations: those of the agent copy and truncate, those of a task may move the file. */
const rotations: readonly (readonly [string, (number: number) => Promise<void>])[] = [
  ['copied and truncated', () => rotateSandbox(createFiles(), sandbox, { maxBytes: 3, keptFiles: 9 })],
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
  test(`OUTPUT-READER-2: output is reported once and completely while files are ${name}`, async () => {
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

test('a link or a fifo in the place of a stream is not read, and blocks nothing', async () => {
  writeFileSync(`${sandbox}/secret`, 'secret');
  symlinkSync(`${sandbox}/secret`, `${sandbox}/stdout`);
  execFileSync('mkfifo', [`${sandbox}/stderr`]);
  const { reported, reader } = startReader('start');
  await reader.finish();
  assert.deepEqual(reported, { STDOUT: '', STDERR: '' });
  rmSync(`${sandbox}/stdout`);
  writeFileSync(`${sandbox}/stdout`, 'own');
  const again = startReader('start');
  await again.reader.finish();
  assert.equal(again.reported.STDOUT, 'own');
});

test('OUTPUT-READER-3: a stream whose output the client does not take does not hold back the other one', async (t) => {
  for (const name of ['stdout', 'stderr']) writeFileSync(`${sandbox}/${name}`, name);
  const types = new Set<string>();
  let onBoth = (): void => {};
  const both = new Promise<void>((resolve) => {
    onBoth = resolve;
  });
  const reader = createOutputReader(createFiles(), sandbox, 'start', (type) => {
    if (types.add(type).size === 2) onBoth();
    return new Promise(() => {});
  });
  t.after(reader.stop);
  await both;
});

test('OUTPUT-READER-4: a process that goes on writing after its container has ended does not prolong the stream', async () => {
  writeFileSync(`${sandbox}/stdout`, 'x');
  let parts = 0;
  const reader = createOutputReader(createFiles(), sandbox, 'start', async () => {
    if (parts++ < 1000) appendFileSync(`${sandbox}/stdout`, 'x');
  });
  await reader.finish();
  assert.ok(parts < 1000, 'the reader follows the file without end');
});

test('OUTPUT-READER-1: nothing is read until the client has taken the last part', async () => {
  writeFileSync(`${sandbox}/stdout`, Buffer.alloc(1_000_000, 'x'));
  let reportedBytes = 0;
  let takes = (): void => {};
  let onReport = (): void => {};
  const first = new Promise<void>((resolve) => {
    onReport = resolve;
  });
  const reader = createOutputReader(createFiles(), sandbox, 'start', (_type, data) => {
    reportedBytes += data.length;
    onReport();
    return new Promise((resolve) => {
      takes = resolve;
    });
  });
  await first;
  const reportedFirst = reportedBytes;
  appendFileSync(`${sandbox}/stdout`, 'more');
  // Time for a read, if there were one.
  for (let turns = 0; turns < 100; turns++) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(reportedBytes, reportedFirst);
  assert.ok(reportedFirst <= 65_536);
  reader.stop();
  takes();
});
