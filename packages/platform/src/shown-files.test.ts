import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { afterEach, beforeEach, test } from 'node:test';
import { setTimeout as setTimeoutPromise } from 'node:timers/promises';
import { refusal } from '@meseta/api';
import { err, ok } from '@meseta/base';
import { browse, download, type FindRoot, modeText, readPart, wholeText } from './shown-files.js';

let root = '';
const find: FindRoot = (path) => {
  if (path === '/sandbox') return ok(`${root}/sandbox`);
  if (path === '/log') return ok(`${root}/log`);
  return path === '/closed' ? err(refusal('forbidden', 'closed')) : undefined;
};

beforeEach(() => {
  root = mkdtempSync(`${tmpdir()}/meseta-shown-`);
  chmodSync(root, 0o755);
  mkdirSync(`${root}/sandbox/in/ner`, { recursive: true });
  mkdirSync(`${root}/victim`);
  writeFileSync(`${root}/victim/secret`, 'secret', { mode: 0o600 });
  writeFileSync(`${root}/sandbox/in/ner/file`, 'inner');
  writeFileSync(`${root}/log.1`, 'a log');
  symlinkSync('log.1', `${root}/log`);
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

/** The text at a path, or how its reading is refused. */
async function read(path: string): Promise<string> {
  const part = await readPart(find, path, 0, undefined);
  return part.ok ? part.value.data.toString() : part.error.code;
}

const leads: readonly [name: string, target: () => string, at: string, text: string][] = [
  ['to a directory beside it', () => 'in', '/ner/file', 'inner'],
  ['with dots that stay inside', () => './in/../in/ner/file', '', 'inner'],
  ['to where the sandbox lies', () => `${root}/sandbox/in/ner/file`, '', 'inner'],
  ['through another link', () => 'other/ner/file', '', 'inner'],
  ['out of it', () => `${root}/victim/secret`, '', 'notFound'],
  ['out of it and back', () => `../sandbox/in/ner/file`, '', 'notFound'],
  ['to what begins like it', () => `${root}/sandbox2/file`, '', 'notFound'],
  ['to itself', () => 'link', '', 'notFound'],
  ['to nothing', () => 'none', '', 'notFound'],
];

test('SHOWN-1: a link is resolved, and one that leads outside is not found', async () => {
  mkdirSync(`${root}/sandbox2`);
  writeFileSync(`${root}/sandbox2/file`, 'another');
  symlinkSync('in', `${root}/sandbox/other`);
  for (const [name, target, at, text] of leads) {
    symlinkSync(target(), `${root}/sandbox/link`);
    assert.equal(await read(`/sandbox/link${at}`), text, name);
    rmSync(`${root}/sandbox/link`);
  }
  assert.equal(await read('/log'), 'a log');
  assert.equal(await read('/sandbox/../log'), 'a log');
  assert.equal(await read(`/sandbox/../../${root}/victim/secret`), 'notFound');
});

test('SHOWN-2: a file that the viewer may not access is refused whether it exists or not', async () => {
  for (const path of ['/closed', '/closed/none']) assert.equal(await read(path), 'forbidden');
  assert.equal(await read('/other'), 'notFound');
});

test('SHOWN-3: reads of FIFOs, devices and directories are refused at once and leave no descriptor open', async () => {
  execFileSync('mkfifo', [`${root}/sandbox/fifo`]);
  const descriptors = readdirSync('/proc/self/fd').length;
  for (let tries = 0; tries < 8; tries++) assert.equal(await read('/sandbox/fifo'), 'badRequest');
  assert.equal(await read('/sandbox/in'), 'badRequest');
  assert.equal(await read('/sandbox/in/ner/file'), 'inner');
  assert.equal(await read('/log/below'), 'notFound');
  assert.equal(readdirSync('/proc/self/fd').length, descriptors);
});

test('a path longer than PATH_MAX is refused', async () => {
  const long = `/sandbox${'/a'.repeat(3000)}`;
  const refused = err(refusal('badRequest', 'path: expected at most 4096 characters, got 6008'));
  assert.deepEqual(await browse(find, long), refused);
  assert.deepEqual(await readPart(find, long, 0, undefined), refused);
});

test('the time of a file is shown within the bounds of its field', async () => {
  writeFileSync(`${root}/sandbox/far`, '');
  // The year 2400; the last that nanoseconds in 64 bits hold is 2262.
  utimesSync(`${root}/sandbox/far`, 13_569_465_600, 13_569_465_600);
  const shown = await browse(find, '/sandbox');
  const far = shown.ok ? shown.value.find(({ path }) => path === '/sandbox/far') : undefined;
  assert.equal(far?.mtime?.nanoseconds, 2n ** 63n - 1n);
});

test('a hard link to a file of another user is not read', {
  skip: process.getuid?.() === 0 ? false : 'needs root',
}, async () => {
  chownSync(`${root}/sandbox`, 65534, 65534);
  linkSync(`${root}/victim/secret`, `${root}/sandbox/hard`);
  assert.equal(await read('/sandbox/hard'), 'badRequest');
});

test('a listing is sorted, limited, and has the details of ls for each name', async () => {
  symlinkSync('/nowhere', `${root}/sandbox/a link`);
  const listed = await browse(find, '/sandbox/');
  assert.ok(listed.ok);
  const user = execFileSync('id', ['-un'], { encoding: 'utf8' }).trim();
  assert.deepEqual(
    listed.value.map(({ path, mode, uid }) => [path, ((mode ?? 0) & 0o170000).toString(8), uid]),
    [
      ['/sandbox/a link', '120000', user],
      ['/sandbox/in', '40000', user],
    ],
  );
  for (let number = 0; number < 10_100; number++) writeFileSync(`${root}/sandbox/in/${number}`, '');
  const many = await browse(find, '/sandbox/in');
  assert.ok(many.ok);
  assert.equal(many.value.length, 10_000);
  assert.equal((await browse(find, '/sandbox/in/1')).ok, false);
});

test('a download is the complete file, and an aborted one leaves no descriptor open', async (t) => {
  const size = 3_000_000;
  writeFileSync(`${root}/sandbox/large`, Buffer.alloc(size, 'x'));
  const server = createServer((request, response) => void download(find, request.url ?? '', response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/sandbox/large`;
  const whole = await fetch(url);
  assert.equal(whole.headers.get('content-disposition'), 'attachment; filename=large');
  assert.equal((await whole.arrayBuffer()).byteLength, size);
  const isLarge = (descriptor: string): boolean => {
    try {
      return readlinkSync(`/proc/self/fd/${descriptor}`).endsWith('/sandbox/large');
    } catch {
      // It was closed meanwhile.
      return false;
    }
  };
  const open = (): boolean => readdirSync('/proc/self/fd').some(isLarge);
  const broken = new AbortController();
  await fetch(url, { signal: broken.signal });
  broken.abort();
  for (let tries = 0; tries < 500 && open(); tries++) await new Promise((resolve) => setTimeout(resolve, 10));
  assert.equal(open(), false);
});

test('SHOWN-1: a directory that is replaced by a link in a loop shows no file of another user', {
  skip: process.getuid?.() === 0 ? false : 'needs root',
}, async () => {
  mkdirSync(`${root}/sandbox/d`);
  writeFileSync(`${root}/sandbox/d/secret`, 'harmless');
  symlinkSync(`${root}/victim`, `${root}/sandbox/link`);
  const script =
    'chdir $ARGV[0] or die; $| = 1; print "ready\n"; for (;;) { rename "d", "t"; rename "link", "d"; rename "d", "link"; rename "t", "d" }';
  const swapper = spawn('perl', ['-e', script, `${root}/sandbox`], { stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    await new Promise((resolve) => swapper.stdout.once('data', resolve));
    const seen = new Set<string>();
    for (let tries = 0; tries < 1500; tries++) seen.add(await read('/sandbox/d/secret'));
    assert.deepEqual(
      [...seen].filter((text) => !['harmless', 'notFound'].includes(text)),
      [],
    );
    assert.ok(seen.has('harmless'));
  } finally {
    swapper.kill('SIGKILL');
  }
});

test('SHOWN-4: a HEAD request for a download reads nothing of the file', async () => {
  const huge = `${root}/sandbox/huge`;
  writeFileSync(huge, '');
  truncateSync(huge, 2 ** 42);
  let downloaded: Promise<unknown> | undefined;
  const server = createServer((_, response) => {
    downloaded = download(find, '/sandbox/huge', response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  try {
    const response = await fetch(`http://127.0.0.1:${port}`, { method: 'HEAD', signal: AbortSignal.timeout(5_000) });
    assert.equal(response.headers.get('content-length'), String(2 ** 42));
    const timeout = setTimeoutPromise(5_000, 'still reading', { ref: false });
    assert.equal(await Promise.race([downloaded, timeout]), undefined);
  } finally {
    server.closeAllConnections();
    server.close();
  }
});

test('a read that ends inside a character leaves that character for the next read', () => {
  const whole = Buffer.from('aé€😀');
  const lengths = Array.from({ length: whole.length + 1 }, (_, n) => wholeText(whole.subarray(0, n)));
  assert.deepEqual(lengths, ['', 'a', 'a', 'aé', 'aé', 'aé', 'aé€', 'aé€', 'aé€', 'aé€', 'aé€😀']);
});

test('a mode is formatted as by ls', () => {
  for (const [mode, text] of [
    [0o100644, '-rw-r--r--'],
    [0o040755, 'drwxr-xr-x'],
    [0o120777, 'lrwxrwxrwx'],
    [0o104755, '-rwsr-xr-x'],
    [0o041777, 'drwxrwxrwt'],
    [0o102644, '-rw-r-Sr--'],
  ] as const) {
    assert.equal(modeText(mode), text);
  }
});
