import assert from 'node:assert/strict';
import {
  appendFileSync,
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { afterEach, beforeEach, test } from 'node:test';
import type { SystemResult } from '@meseta/base';
import { createFiles } from '@meseta/platform/files';
import { rotate, rotateSandbox } from '../streams/rotation.js';
import { createStreams, diskFullness, makeSandbox, openAroundSandbox, openSandbox } from './sandbox.js';

const files = createFiles();
const nobody = { uid: 65534, gid: 65534 };
const daemon = { uid: 1, gid: 1 };
const asRoot = { skip: process.getuid?.() === 0 ? false : 'needs root, to act for another user' };
let root = '';
const handles: { close(): void }[] = [];

beforeEach(() => {
  root = mkdtempSync(`${tmpdir()}/meseta-sandbox-`);
  chmodSync(root, 0o755);
});
afterEach(() => {
  for (const each of handles.splice(0)) each.close();
  rmSync(root, { recursive: true, force: true });
});

function got<T extends { close(): void }>(result: SystemResult<T>): T {
  assert.ok(result.ok, result.ok ? '' : result.error.message);
  handles.push(result.value);
  return result.value;
}

const errorOf = (result: SystemResult<unknown>): string => (result.ok ? '' : result.error.message);
const modeOf = (path: string): number => statSync(`${root}/${path}`).mode & 0o777;

test('SANDBOX-2: a sandbox is made with its parent directories and streams, and closed to other users', async () => {
  const sandbox = got(await makeSandbox(files, `${root}/runs/one`, undefined));
  writeFileSync(`${root}/runs/one/stdout`, 'kept');
  assert.ok((await createStreams(sandbox, undefined)).ok);
  assert.deepEqual(readdirSync(`${root}/runs/one`).sort(), ['stderr', 'stdout']);
  assert.equal(readFileSync(`${root}/runs/one/stdout`, 'utf8'), 'kept');
  assert.deepEqual([modeOf('runs'), modeOf('runs/one')], [0o755, 0o750]);
  const nested = ['containers/two', 'containers/two/containers/three'].map((below) => `${root}/runs/one/${below}`);
  for (const path of nested) {
    got(await makeSandbox(files, path, undefined));
    got(await openSandbox(files, path));
  }
  writeFileSync(`${root}/file`, '');
  assert.equal((await makeSandbox(files, `${root}/file/b`, undefined)).ok, false);
});

test(
  'SANDBOX-1: a link, or a directory that a task made, on the way to a nested sandbox is refused',
  asRoot,
  async () => {
    mkdirSync(`${root}/victim/priv`, { recursive: true, mode: 0o700 });
    const path = `${root}/runs/one`;
    got(await makeSandbox(files, path, nobody));
    symlinkSync(`${root}/victim`, `${path}/containers`);
    for (const tried of [
      await makeSandbox(files, `${path}/containers/priv`, nobody),
      await openSandbox(files, `${path}/containers/priv`),
      await openAroundSandbox(files, `${path}/containers/priv`),
    ]) {
      assert.match(errorOf(tried), /runs\/one\/containers: is not a directory \(a symbolic link/);
    }
    assert.deepEqual([statSync(`${root}/victim/priv`).uid, modeOf('victim/priv')], [0, 0o700]);
    rmSync(`${path}/containers`);
    mkdirSync(`${path}/containers/priv`, { recursive: true });
    chownSync(`${path}/containers`, nobody.uid, nobody.gid);
    const tried = await makeSandbox(files, `${path}/containers/priv`, nobody);
    assert.match(errorOf(tried), /runs\/one\/containers: belongs to user 65534, or others may write to it/);
  },
);

test('SANDBOX-1: an id that is not one component of a path is refused', async () => {
  got(await makeSandbox(files, `${root}/runs/one`, undefined));
  for (const id of ['..', '.']) {
    assert.match(errorOf(await makeSandbox(files, `${root}/runs/one/containers/${id}`, undefined)), /can't be a name/);
  }
});

test('SANDBOX-3: a directory or file that exists already is given to no other user', asRoot, async () => {
  const path = `${root}/runs/one`;
  const sandbox = got(await makeSandbox(files, path, nobody));
  got(await makeSandbox(files, `${path}/containers/of-root`, undefined));
  const taken = await makeSandbox(files, `${path}/containers/of-root`, nobody);
  assert.match(errorOf(taken), /exists already, and belongs to user 0/);
  got(await makeSandbox(files, `${path}/containers/of-daemon`, daemon));
  got(await makeSandbox(files, `${path}/containers/of-daemon`, daemon));
  writeFileSync(`${root}/secret`, 'secret', { mode: 0o600 });
  linkSync(`${root}/secret`, `${path}/stdout`);
  assert.match(errorOf(await createStreams(sandbox, nobody)), /stdout: .*hard link to a file of another user/);
  renameSync(`${root}/secret`, `${root}/moved`);
  rmSync(`${path}/stdout`);
  renameSync(`${root}/moved`, `${path}/stdout`);
  assert.match(errorOf(await createStreams(sandbox, nobody)), /stdout: belongs to user 0/);
  rmSync(`${path}/stdout`);
  symlinkSync(`${root}/created`, `${path}/stdout`);
  assert.match(errorOf(await createStreams(sandbox, nobody)), /stdout: is a symbolic link, which is not followed/);
  assert.equal(existsSync(`${root}/created`), false);
});

test('the used share of a disk is a number from 0 to 1', async () => {
  const full = await diskFullness(files, root);
  assert.ok(full.ok && full.value >= 0 && full.value <= 1);
});

test('a stream over its limit is rotated and goes on empty; the oldest rotated file is removed', async () => {
  const sandbox = got(await files.openDirectory(root));
  const limits = { maxBytes: 5, keptFiles: 2 };
  const rotated: boolean[] = [];
  for (const text of ['small', 'first large', 'second large', 'third large']) {
    writeFileSync(`${root}/stdout`, text);
    rotated.push(await rotate(sandbox, 'stdout', limits));
  }
  assert.deepEqual(rotated, [false, true, true, true]);
  assert.deepEqual(readdirSync(root).sort(), ['stdout', 'stdout.1', 'stdout.2']);
  assert.deepEqual(
    ['', '.1', '.2'].map((suffix) => readFileSync(`${root}/stdout${suffix}`, 'utf8')),
    ['', 'third large', 'second large'],
  );
  assert.equal(await rotate(sandbox, 'none', limits), false);
});

test('ROTATION-1: the end is copied of a file that is longer than all rotated files together may be', async () => {
  const sandbox = got(await files.openDirectory(root));
  writeFileSync(`${root}/stdout`, '');
  truncateSync(`${root}/stdout`, 2 ** 28);
  appendFileSync(`${root}/stdout`, 'the end');
  assert.equal(await rotate(sandbox, 'stdout', { maxBytes: 1000, keptFiles: 9 }), true);
  assert.deepEqual([statSync(`${root}/stdout`).size, statSync(`${root}/stdout.1`).size], [0, 10_000]);
  assert.match(readFileSync(`${root}/stdout.1`, 'utf8'), /the end$/);
});

test('rotation writes to, truncates and gives away no file outside the sandbox', asRoot, async () => {
  const path = `${root}/runs/one`;
  got(await makeSandbox(files, path, nobody));
  writeFileSync(`${root}/victim`, 'of root, and long', { mode: 0o600 });
  const limits = { maxBytes: 5, keptFiles: 2 };
  const rotateAll = async (): Promise<void> => {
    await rotateSandbox(files, path, limits);
    assert.deepEqual(
      [readFileSync(`${root}/victim`, 'utf8'), statSync(`${root}/victim`).uid],
      ['of root, and long', 0],
    );
  };
  // The old file can't be moved, and a copy to its name would go through the link.
  mkdirSync(`${path}/stdout.2/full`, { recursive: true });
  symlinkSync(`${root}/victim`, `${path}/stdout.1`);
  writeFileSync(`${path}/stdout`, 'evil and long');
  chownSync(`${path}/stdout`, nobody.uid, nobody.gid);
  await rotateAll();
  assert.equal(readFileSync(`${path}/stdout.1`, 'utf8'), 'evil and long');
  assert.equal(statSync(`${path}/stdout.1`).uid, nobody.uid);
  for (const put of [
    () => symlinkSync(`${root}/victim`, `${path}/stdout`),
    () => linkSync(`${root}/victim`, `${path}/stdout`),
  ]) {
    rmSync(`${path}/stdout`);
    put();
    await rotateAll();
  }
});
