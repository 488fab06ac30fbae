import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { afterEach, beforeEach, test } from 'node:test';
import { createFiles } from '@meseta/platform/files';
import { rotate } from './rotation.js';
import { createSandbox, createStreams, diskFullness, diskUsage, removeTree, sandboxAgeMs } from './sandbox.js';

const files = createFiles();
let root = '';
beforeEach(() => {
  root = mkdtempSync(`${tmpdir()}/meseta-sandbox-`);
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

test('a sandbox is made with its streams, its mode and its parents', async () => {
  assert.ok((await createSandbox(files, `${root}/a/b`, undefined, 0o750)).ok);
  writeFileSync(`${root}/a/b/stdout`, 'kept');
  assert.ok((await createStreams(files, `${root}/a/b`, undefined)).ok);
  assert.deepEqual(readdirSync(`${root}/a/b`).sort(), ['stderr', 'stdout']);
  assert.equal(readFileSync(`${root}/a/b/stdout`, 'utf8'), 'kept');
  assert.equal(statSync(`${root}/a/b`).mode & 0o777, 0o750);
  writeFileSync(`${root}/file`, '');
  assert.equal((await createSandbox(files, `${root}/file/b`, undefined)).ok, false);
});

test('the age shrinks with the disk that is used, down to nothing', () => {
  assert.equal(sandboxAgeMs(1000, 0.1, 0), 900);
  assert.equal(sandboxAgeMs(1000, 0.1, 0.5), 400);
  assert.equal(sandboxAgeMs(1000, 0.1, 0.95), 0);
});

test('usage is what du says, and a removed tree takes nothing else along', async () => {
  mkdirSync(`${root}/tree/deep/er`, { recursive: true });
  mkdirSync(`${root}/kept`);
  writeFileSync(`${root}/kept/file`, 'kept');
  writeFileSync(`${root}/tree/deep/file`, 'x'.repeat(10_000));
  linkSync(`${root}/tree/deep/file`, `${root}/tree/again`);
  symlinkSync(`${root}/kept`, `${root}/tree/link`);
  const du = Number(execFileSync('du', ['-sk', `${root}/tree`], { encoding: 'utf8' }).split('\t')[0]);
  assert.equal((await diskUsage(files, `${root}/tree`)) / 1024, du);
  assert.deepEqual(await removeTree(files, `${root}/tree`), { ok: true, value: undefined });
  assert.equal(existsSync(`${root}/tree`), false);
  assert.equal(readFileSync(`${root}/kept/file`, 'utf8'), 'kept');
  assert.ok((await removeTree(files, `${root}/tree`)).ok);
  const full = await diskFullness(files, root);
  assert.ok(full.ok && full.value >= 0 && full.value <= 1);
});

test('a stream over its limit is moved along and goes on empty; the oldest goes', async () => {
  const path = `${root}/stdout`;
  const limits = { maxBytes: 5, keptFiles: 2 };
  const rotated: boolean[] = [];
  for (const text of ['small', 'first large', 'second large', 'third large']) {
    writeFileSync(path, text);
    rotated.push(await rotate(files, path, limits));
  }
  assert.deepEqual(rotated, [false, true, true, true]);
  assert.deepEqual(readdirSync(root).sort(), ['stdout', 'stdout.1', 'stdout.2']);
  assert.deepEqual(
    ['', '.1', '.2'].map((suffix) => readFileSync(`${path}${suffix}`, 'utf8')),
    ['', 'third large', 'second large'],
  );
  assert.equal(await rotate(files, `${root}/none`, limits), false);
});
