import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { afterEach, beforeEach, test } from 'node:test';
import type { DirectoryHandle } from '@meseta/base';
import { createFiles } from '@meseta/platform/files';
import { diskUsage, emptyDirectory, removeTree } from './trees.js';

const files = createFiles();
const done = { ok: true, value: undefined };
const asRoot = { skip: process.getuid?.() === 0 ? false : 'needs root, to act for another user' };
let root = '';
const handles: DirectoryHandle[] = [];

beforeEach(() => {
  root = mkdtempSync(`${tmpdir()}/meseta-trees-`);
  chmodSync(root, 0o755);
  mkdirSync(`${root}/kept`);
  writeFileSync(`${root}/kept/file`, 'kept');
});
afterEach(() => {
  for (const each of handles.splice(0)) each.close();
  execFileSync('rm', ['-rf', root]);
});

async function open(path: string): Promise<DirectoryHandle> {
  const directory = await files.openDirectory(path);
  assert.ok(directory.ok);
  handles.push(directory.value);
  return directory.value;
}

test('TREES-1: the targets of links in a removed tree stay; its usage is what du says', async () => {
  mkdirSync(`${root}/tree/deep/er`, { recursive: true });
  writeFileSync(`${root}/tree/deep/file`, 'x'.repeat(10_000));
  linkSync(`${root}/tree/deep/file`, `${root}/tree/again`);
  symlinkSync(`${root}/kept`, `${root}/tree/link`);
  symlinkSync(`${root}/kept`, `${root}/tree/deep/link`);
  linkSync(`${root}/kept/file`, `${root}/tree/deep/hard`);
  const du = Number(execFileSync('du', ['-sk', `${root}/tree`], { encoding: 'utf8' }).split('\t')[0]);
  assert.equal((await diskUsage(await open(`${root}/tree`))) / 1024, du);
  const parent = await open(root);
  assert.deepEqual(await removeTree(parent, 'tree'), done);
  assert.equal(existsSync(`${root}/tree`), false);
  assert.deepEqual(await removeTree(parent, 'tree'), done);
  symlinkSync(`${root}/kept`, `${root}/tree`);
  assert.deepEqual(await removeTree(parent, 'tree'), done);
  assert.deepEqual(readdirSync(root), ['kept']);
  assert.equal(readFileSync(`${root}/kept/file`, 'utf8'), 'kept');
});

test('TREES-2: trees deeper than a path can be long, and wide ones, are removed and measured', async () => {
  mkdirSync(`${root}/tree`);
  const script = 'chdir $ARGV[0]; for (1 .. 150) { my $name = "d" x 200; mkdir $name and chdir $name or die }';
  execFileSync('perl', ['-e', script, `${root}/tree`]);
  for (let number = 0; number < 300; number++) mkdirSync(`${root}/tree/w${number}`);
  const descriptors = readdirSync('/proc/self/fd').length;
  assert.ok((await diskUsage(await open(`${root}/tree`))) > 300 * 4096);
  assert.deepEqual(await emptyDirectory(await open(`${root}/tree`)), done);
  assert.deepEqual(readdirSync(`${root}/tree`), []);
  assert.equal(readdirSync('/proc/self/fd').length, descriptors + 2);
});

test('TREES-2: a tree that has the names which the removal uses itself is removed', async () => {
  mkdirSync(`${root}/tree/.removing-0/full`, { recursive: true });
  mkdirSync(`${root}/tree/b/inner/full`, { recursive: true });
  writeFileSync(`${root}/tree/.removing-1`, '');
  assert.deepEqual(await removeTree(await open(root), 'tree'), done);
  assert.deepEqual(readdirSync(root), ['kept']);
});

/** Starts a process of nobody that makes files in its working directory until it is killed. */
async function startWriting(path: string): Promise<() => void> {
  const script = `
    chdir $ARGV[0] or die; $| = 1; print "ready\n";
    for (my $n = 0; ; $n++) { open(my $f, ">", "f" . $n % 1000); mkdir "d" . $n % 1000 }`;
  const writer = spawn('perl', ['-e', script, path], {
    stdio: ['ignore', 'pipe', 'inherit'],
    uid: 65534,
    gid: 65534,
  });
  await new Promise((resolve) => writer.stdout.once('data', resolve));
  return () => writer.kill('SIGKILL');
}

test(
  'TREES-3: a process that escaped its container and goes on writing does not prolong the removal',
  asRoot,
  async () => {
    mkdirSync(`${root}/tree/a/b`, { recursive: true });
    for (const path of ['tree', 'tree/a', 'tree/a/b']) {
      chownSync(`${root}/${path}`, 65534, 65534);
      chmodSync(`${root}/${path}`, 0o777);
    }
    const stops = [await startWriting(`${root}/tree`), await startWriting(`${root}/tree/a/b`)];
    try {
      assert.deepEqual(await removeTree(await open(root), 'tree'), done);
      assert.deepEqual(readdirSync(root), ['kept']);
    } finally {
      for (const stop of stops) stop();
    }
  },
);

/** Starts a process of nobody that replaces its directories by links, until it is killed. */
async function startSwapping(path: string, target: string): Promise<() => void> {
  const script = `
    chdir $ARGV[0] or die; $| = 1; print "ready\n";
    for (;;) { mkdir "d"; mkdir "d/e"; open(my $f, ">", "d/file"); rename "d", "x"; symlink $ARGV[1], "d"; rename "x", "y"; unlink "d" }`;
  const swapper = spawn('perl', ['-e', script, path, target], {
    stdio: ['ignore', 'pipe', 'inherit'],
    uid: 65534,
    gid: 65534,
  });
  await new Promise((resolve) => swapper.stdout.once('data', resolve));
  return () => swapper.kill('SIGKILL');
}

test(
  'TREES-1: a task that replaces directories by links while its tree is removed loses only its tree',
  asRoot,
  async () => {
    for (let tries = 0; tries < 20; tries++) {
      mkdirSync(`${root}/tree/inner`, { recursive: true });
      for (const path of ['tree', 'tree/inner']) chownSync(`${root}/${path}`, 65534, 65534);
      const stop = await startSwapping(`${root}/tree/inner`, `${root}/kept`);
      const parent = await open(root);
      await removeTree(parent, 'tree');
      stop();
      assert.deepEqual(await removeTree(parent, 'tree'), done);
      assert.equal(readFileSync(`${root}/kept/file`, 'utf8'), 'kept');
    }
  },
);
