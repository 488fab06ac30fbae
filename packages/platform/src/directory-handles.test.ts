import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { afterEach, beforeEach, test } from 'node:test';
import type { DirectoryHandle, SystemResult } from '@meseta/base';
import { createFiles } from './files.js';

const files = createFiles();
const nobody = { uid: 65534, gid: 65534 };
const asRoot = { skip: process.getuid?.() === 0 ? false : 'needs root, to act for another user' };
let root = '';
const handles: { close(): void }[] = [];

/** The value of a successful call; a handle is closed after the test. */
function got<T>(result: SystemResult<T>): T {
  assert.ok(result.ok, result.ok ? '' : result.error.message);
  const { value } = result;
  if (typeof value === 'object' && value !== null && 'close' in value)
    handles.push({ close: () => Reflect.apply(value.close as () => void, value, []) });
  return value;
}

const open = async (path = root): Promise<DirectoryHandle> => got(await files.openDirectory(path));
const codeOf = (result: SystemResult<unknown>): string => (result.ok ? 'ok' : result.error.code);

beforeEach(() => {
  root = mkdtempSync(`${tmpdir()}/meseta-handles-`);
  chmodSync(root, 0o755);
  mkdirSync(`${root}/victim`, { mode: 0o700 });
  writeFileSync(`${root}/victim/secret`, 'secret', { mode: 0o600 });
  mkdirSync(`${root}/sandbox`);
});

afterEach(() => {
  for (const each of handles.splice(0)) each.close();
  rmSync(root, { recursive: true, force: true });
});

test('HANDLES-1: a name is one path component', async () => {
  const directory = await open();
  for (const name of ['', '.', '..', 'sandbox/x', '../x', 'x\0y']) {
    assert.equal(codeOf(await directory.openDirectory(name)), 'EINVAL', JSON.stringify(name));
    assert.equal(codeOf(await directory.removeFile(name)), 'EINVAL');
    assert.equal(codeOf(await directory.makeDirectory(name, { mode: 0o755 })), 'EINVAL');
    assert.equal(codeOf(await directory.rename('sandbox', name)), 'EINVAL');
  }
});

test('HANDLES-1: an open directory stays the same when its path is replaced', async () => {
  const directory = await open(`${root}/sandbox`);
  renameSync(`${root}/sandbox`, `${root}/elsewhere`);
  symlinkSync(`${root}/victim`, `${root}/sandbox`);
  got(await directory.makeFile('new', { mode: 0o640 }));
  assert.equal(statSync(`${root}/elsewhere/new`).mode & 0o777, 0o640);
  assert.equal(existsSync(`${root}/victim/new`), false);
});

test('HANDLES-2: no call follows a link, and the error names it', async () => {
  symlinkSync(`${root}/victim`, `${root}/sandbox/directory`);
  symlinkSync(`${root}/victim/secret`, `${root}/sandbox/file`);
  symlinkSync(`${root}/victim/new`, `${root}/sandbox/nowhere`);
  const directory = await open(`${root}/sandbox`);
  const opened = await directory.openDirectory('directory');
  assert.match(opened.ok ? '' : opened.error.message, /sandbox\/directory: is not a directory \(a symbolic link/);
  for (const access of ['read', 'update'] as const) {
    const file = await directory.openFile('file', access);
    assert.match(file.ok ? '' : file.error.message, /sandbox\/file: is a symbolic link, which is not followed/);
  }
  assert.equal(codeOf(await directory.makeFile('nowhere', { mode: 0o644 })), 'EEXIST');
  assert.equal(codeOf(await directory.makeDirectory('nowhere', { mode: 0o755 })), 'EEXIST');
  assert.equal(got(await directory.statOf('file')).kind, 'symlink');
  assert.equal(got(await directory.readLink('file')), `${root}/victim/secret`);
  got(await directory.removeFile('file'));
  assert.equal(readFileSync(`${root}/victim/secret`, 'utf8'), 'secret');
  assert.equal(existsSync(`${root}/victim/new`), false);
});

test('HANDLES-3: only regular files are opened, without waiting', async () => {
  execFileSync('mkfifo', [`${root}/sandbox/fifo`]);
  const directory = await open(`${root}/sandbox`);
  for (const access of ['read', 'update'] as const) {
    const fifo = await directory.openFile('fifo', access);
    assert.match(fifo.ok ? '' : fifo.error.message, /sandbox\/fifo: .*expected a regular file, got a fifo/);
  }
  const devices = await open('/dev');
  assert.equal(codeOf(await devices.openFile('zero', 'read')), 'EINVAL');
  assert.equal(codeOf(await (await open()).openFile('sandbox', 'read')), 'EISDIR');
  assert.equal(codeOf(await directory.openFile('none', 'read')), 'ENOENT');
});

/** Takes a lease on the file that its argument names, and holds it. */
const LEASING = `$SIG{IO} = 'IGNORE'; open my $file, '+<', $ARGV[0] or die $!; fcntl $file, 1024, 1 or die $!; $| = 1; print "taken"; sleep 1 while 1;`;

test('HANDLES-3: a file on which a process holds a lease is refused at once', async (t) => {
  writeFileSync(`${root}/sandbox/file`, 'content');
  const holder = spawn('perl', ['-e', LEASING, `${root}/sandbox/file`], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.after(() => holder.kill('SIGKILL'));
  const [said] = await once(holder.stdout, 'data');
  assert.equal(String(said), 'taken');
  const directory = await open(`${root}/sandbox`);
  for (const access of ['read', 'update'] as const) {
    const file = await directory.openFile('file', access);
    assert.match(file.ok ? '' : file.error.message, /sandbox\/file: its user holds a lease on it/);
    assert.equal(codeOf(file), 'EAGAIN');
  }
  const ended = once(holder, 'exit');
  holder.kill('SIGKILL');
  await ended;
  got(await directory.openFile('file', 'update'));
});

test('a file is read in parts, appended to and truncated', async () => {
  const directory = await open();
  const made = got(await directory.makeFile('file', { mode: 0o644 }));
  got(await made.append(Buffer.from('hello world')));
  assert.equal(codeOf(await directory.makeFile('file', { mode: 0o644 })), 'EEXIST');
  const file = got(await directory.openFile('file', 'update'));
  assert.equal(Buffer.from(got(await file.read(6, 100))).toString(), 'world');
  assert.equal(got(await file.read(11, 100)).length, 0);
  got(await file.truncate(5));
  got(await file.append(Buffer.from('!')));
  assert.equal(readFileSync(`${root}/file`, 'utf8'), 'hello!');
  assert.equal(got(await file.stat()).sizeBytes, 6);
});

test('a directory is listed in parts until the caller stops', async () => {
  for (let number = 0; number < 600; number++) writeFileSync(`${root}/sandbox/${number}`, '');
  const directory = await open(`${root}/sandbox`);
  const sizes: number[] = [];
  got(await directory.list((part) => sizes.push(part.length) > 0));
  assert.equal(
    sizes.reduce((a, b) => a + b),
    600,
  );
  assert.ok(sizes.length > 1 && Math.max(...sizes) <= 256);
  let parts = 0;
  got(await directory.list(() => ++parts > 1));
  assert.equal(parts, 1);
});

test('links, renames, removal and notices of changes', async () => {
  const directory = await open(`${root}/sandbox`);
  const top = await open();
  got(await directory.makeLink('link', '/nowhere'));
  assert.equal(readlinkSync(`${root}/sandbox/link`), '/nowhere');
  got(await directory.rename('link', 'moved', top));
  assert.ok(lstatSync(`${root}/moved`).isSymbolicLink());
  let onChange = (): void => {};
  const change = new Promise<void>((resolve) => {
    onChange = resolve;
  });
  got(directory.watch(onChange));
  got(await directory.makeDirectory('inner', { mode: 0o711 }));
  await change;
  assert.equal(statSync(`${root}/sandbox/inner`).mode & 0o777, 0o711);
  got(await directory.removeEmptyDirectory('inner'));
  assert.equal(existsSync(`${root}/sandbox/inner`), false);
});

test('HANDLES-4: a new file gets its owner; a hard link to a file of another user is not opened', asRoot, async () => {
  chownSync(`${root}/sandbox`, nobody.uid, nobody.gid);
  linkSync(`${root}/victim/secret`, `${root}/sandbox/hard`);
  writeFileSync(`${root}/sandbox/mine`, 'mine');
  chownSync(`${root}/sandbox/mine`, nobody.uid, nobody.gid);
  linkSync(`${root}/sandbox/mine`, `${root}/sandbox/mine too`);
  const directory = await open(`${root}/sandbox`);
  assert.deepEqual([directory.isProtected, (await open()).isProtected], [false, true]);
  for (const access of ['read', 'update'] as const) {
    const opened = await directory.openFile('hard', access);
    assert.match(opened.ok ? '' : opened.error.message, /sandbox\/hard: .*hard link to a file of another user/);
  }
  assert.equal(Buffer.from(got(await got(await directory.openFile('mine', 'read')).read(0, 9))).toString(), 'mine');
  got(await directory.makeFile('file', { mode: 0o600, owner: nobody }));
  got(await directory.makeDirectory('folder', { mode: 0o750, owner: nobody }));
  for (const name of ['file', 'folder']) assert.equal(statSync(`${root}/sandbox/${name}`).uid, nobody.uid);
});

/** A process of the user `nobody` that swaps `d` and `link` of a directory as fast as it can, until it is killed. */
async function startSwapping(path: string): Promise<() => void> {
  const script = `chdir $ARGV[0] or die; $| = 1; print "ready\n"; for (;;) { rename "d", "t"; rename "link", "d"; rename "d", "link"; rename "t", "d" }`;
  const swapper = spawn('perl', ['-e', script, path], { stdio: ['ignore', 'pipe', 'inherit'], ...nobody });
  await new Promise((resolve) => swapper.stdout.once('data', resolve));
  return () => swapper.kill('SIGKILL');
}

test('HANDLES-2, HANDLES-4: a task that replaces a directory by a link in a loop gains no access', asRoot, async () => {
  mkdirSync(`${root}/sandbox/d`);
  writeFileSync(`${root}/sandbox/d/secret`, 'harmless');
  symlinkSync(`${root}/victim`, `${root}/sandbox/link`);
  for (const name of ['', '/d', '/d/secret']) chownSync(`${root}/sandbox${name}`, nobody.uid, nobody.gid);
  const directory = await open(`${root}/sandbox`);
  const stop = await startSwapping(`${root}/sandbox`);
  let found = 0;
  try {
    for (let tries = 0; tries < 1500; tries++) {
      const inner = await directory.openDirectory('d');
      if (!inner.ok) continue;
      const file = await inner.value.openFile('secret', 'read');
      if (file.ok) {
        found++;
        assert.equal(Buffer.from(got(await file.value.read(0, 100))).toString(), 'harmless');
        handles.pop();
        file.value.close();
      }
      const made = await inner.value.makeFile('new', { mode: 0o644, owner: nobody });
      if (made.ok) made.value.close();
      await inner.value.removeFile('new');
      inner.value.close();
    }
  } finally {
    stop();
  }
  assert.ok(found > 0, 'the directory itself was never met');
  assert.deepEqual(execFileSync('ls', ['-A', `${root}/victim`], { encoding: 'utf8' }), 'secret\n');
  assert.equal(statSync(`${root}/victim`).uid, 0);
});
