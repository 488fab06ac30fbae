import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  lchownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { createFiles } from '@meseta/platform/files';
import { createOutbound } from '@meseta/platform/outbound';
import { createProcesses } from '@meseta/platform/processes';
import type { CommandInfoURI } from '@meseta/wire';
import type { LaunchOwner } from '../plan/plan.js';
import type { ByteLimits } from './byte-budget.js';
import { createFetcher, type Fetcher } from './fetcher.js';

let root = '';
let sandbox = '';
let server: Server;
let base = '';
let requests: string[] = [];

/** Serves the folder `origin`. /moved redirects to plain.txt, /stalls sends half of the announced bytes. */
before(async () => {
  server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://x');
    requests.push(`${request.method} ${url.pathname}`);
    if (url.pathname === '/moved') {
      response.writeHead(302, { location: '/plain.txt' }).end();
      return;
    }
    if (url.pathname === '/stalls') {
      response.writeHead(200, { 'content-length': 10 }).write('half');
      return;
    }
    try {
      const data = readFileSync(`${root}/origin${url.pathname}`);
      response.setHeader('content-length', data.length);
      response.end(request.method === 'HEAD' ? undefined : data);
    } catch {
      response.writeHead(404).end('no');
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

after(() => {
  server.closeAllConnections();
  server.close();
});

beforeEach(() => {
  requests = [];
  root = mkdtempSync(`${tmpdir()}/meseta-fetcher-`);
  chmodSync(root, 0o711);
  sandbox = `${root}/sand box`;
  mkdirSync(`${root}/origin/in/folder`, { recursive: true });
  mkdirSync(sandbox);
  writeFileSync(`${root}/origin/plain.txt`, 'plain text\n');
  writeFileSync(`${root}/origin/in/folder/leaf.txt`, 'leaf\n');
  writeFileSync(`${root}/origin/run.sh`, '#!/bin/sh\n');
  for (const [name, option] of [
    ['a.tar', '-cf'],
    ['a.tar.gz', '-czf'],
    ['a.tgz', '-czf'],
  ] as const) {
    execFileSync('tar', [option, `${root}/origin/${name}`, '-C', `${root}/origin/in`, 'folder']);
  }
  execFileSync('sh', ['-c', 'gzip -c "$1" >"$1.gz"', 'sh', `${root}/origin/plain.txt`]);
});

afterEach(() => rmSync(root, { recursive: true, force: true }));

const unlimited = { maxUriBytes: 1e9, maxTaskBytes: 1e9 };

function fetcher(cacheBytes = 1e6, stallTimeoutMs = 20_000, limits: ByteLimits = unlimited): Fetcher {
  return createFetcher({
    files: createFiles(),
    processes: createProcesses(),
    outbound: createOutbound(),
    setpriv: '/usr/bin/setpriv',
    cacheDir: `${root}/cache`,
    cacheBytes,
    frameworksHome: `${root}/origin`,
    stallTimeoutMs,
    ...limits,
  });
}

const get = (it: Fetcher, uris: readonly CommandInfoURI[], owner?: LaunchOwner) =>
  it.fetch(uris, sandbox, owner, new AbortController().signal);

const mode = (name: string): string => (statSync(`${sandbox}/${name}`).mode & 0o777).toString(8);
const listing = (): string[] => (readdirSync(sandbox, { recursive: true }) as string[]).sort();

test('URIs are copied, renamed, made executable, and extracted by their suffix', async () => {
  const origin = `${root}/origin`;
  const done = await get(fetcher(), [
    { value: `${origin}/plain.txt` },
    { value: `file://${origin}/run.sh`, executable: true },
    { value: `${origin}/a.tar.gz` },
    { value: 'a.tar', extract: false },
    { value: `${origin}/plain.txt`, output_file: 'deep/er/renamed.txt' },
    { value: ` ${base}/run.sh?x=1`, output_file: 'r.sh', executable: true },
    { value: `${base}/plain.txt.gz`, output_file: 'other.gz' },
    { value: `${base}/moved`, output_file: 'moved' },
  ]);
  assert.deepEqual(done, { ok: true, value: undefined });
  assert.deepEqual(listing(), [
    'a.tar', 'a.tar.gz', 'deep', 'deep/er', 'deep/er/renamed.txt', 'folder', 'folder/leaf.txt', 'moved', 'other', 'other.gz',
    'plain.txt', 'r.sh', 'run.sh',
  ]); // biome-ignore format: one list
  const modes = ['plain.txt', 'run.sh', 'folder', 'folder/leaf.txt', 'r.sh', 'moved', 'a.tar.gz'].map(mode);
  assert.deepEqual(modes, ['644', '755', '755', '644', '755', '644', '644']);
  for (const name of ['moved', 'other']) assert.equal(readFileSync(`${sandbox}/${name}`, 'utf8'), 'plain text\n');
});

const refused: readonly [CommandInfoURI, RegExp][] = [
  [{ value: 'plain.txt', output_file: '../out' }, /output_file: expected a path without "..", got "..\/out"/],
  [{ value: 'plain.txt', output_file: '/etc/out' }, /within the sandbox/],
  [{ value: 'plain.txt', output_file: 'a/../../out' }, /without ".."/],
  [{ value: 'plain.txt', output_file: '' }, /output_file: expected a path, got ""/],
  [{ value: 'plain.txt', output_file: 'a\nb' }, /output_file: expected no slash, backslash and control character/],
  [{ value: `http://host/${'é'.repeat(128)}` }, /its last part: expected at most 255 bytes, got 256/],
  [{ value: 'http://host/a\nb' }, /its last part: expected no slash, backslash and control character/],
  [{ value: 'ftp://host/file' }, /no fetcher for "ftp:\/\/"/],
  [{ value: 'hdfs://host/file' }, /no fetcher for "hdfs:\/\/"/],
  [{ value: 'http://host' }, /path is missing/],
  [{ value: "it's" }, /illegal characters/],
  [{ value: 'file://rel/ative' }, /absolute path/],
  [{ value: 'no-such-file' }, /no-such-file': .*No such file/],
];

test('FETCHER-2: a URI that can not or must not be fetched is refused with an error that names it', async () => {
  for (const [uri, expected] of refused) {
    const done = await get(fetcher(), [uri]);
    assert.equal(done.ok, false, uri.value);
    if (!done.ok) assert.match(done.error, expected);
  }
  assert.deepEqual(listing(), []);
});

test('FETCHER-2: a fetch ends at the first failure; the error has the status, or that the download stalled', async () => {
  const missing = await get(fetcher(), [{ value: `${base}/nothing.txt` }, { value: `${base}/plain.txt` }]);
  assert.match(missing.ok ? '' : missing.error, /nothing\.txt': .*404/);
  assert.deepEqual(requests, ['GET /nothing.txt']);
  const stalled = await get(fetcher(1e6, 400), [{ value: `${base}/stalls` }]);
  assert.match(stalled.ok ? '' : stalled.error, /no byte arrived for 400 ms/);
  assert.deepEqual(listing(), []);
});

test('a fetch can be aborted', async () => {
  const controller = new AbortController();
  const done = fetcher().fetch([{ value: `${base}/stalls` }], sandbox, undefined, controller.signal);
  await once(server, 'request');
  controller.abort();
  assert.match(((await done) as { error: string }).error, /stopped/);
});

test('no file of an archive is extracted outside the sandbox', async () => {
  writeFileSync(`${root}/evil.txt`, 'evil\n');
  execFileSync('tar', ['-cPf', `${root}/origin/climbs.tar`, '-C', sandbox, '../evil.txt']);
  execFileSync('tar', ['-cPf', `${root}/origin/absolute.tar`, `${root}/evil.txt`]);
  rmSync(`${root}/evil.txt`);
  const done = await get(fetcher(), [{ value: 'climbs.tar' }]);
  assert.equal(done.ok, false);
  await get(fetcher(), [{ value: 'absolute.tar' }]);
  assert.throws(() => statSync(`${root}/evil.txt`));
});

test('FETCHER-CACHE-3: fetches of one URI share a download; unused files are evicted; a file that does not fit is not cached', async () => {
  for (const name of ['x1', 'x2', 'x3', 'big'])
    writeFileSync(`${root}/origin/${name}`, 'x'.repeat(name === 'big' ? 50 : 10));
  const it = fetcher(25);
  const cached = (name: string): CommandInfoURI => ({ value: `${base}/${name}`, cache: true });
  const gets = (name: string): number => requests.filter((request) => request === `GET /${name}`).length;
  const together = [1, 2, 3].map((n) => get(it, [{ ...cached('x1'), output_file: `x1-${n}` }]));
  for (const done of await Promise.all(together)) assert.deepEqual(done, { ok: true, value: undefined });
  assert.equal(gets('x1'), 1);
  await get(it, [cached('x2'), cached('x1'), cached('x3')]);
  await get(it, [cached('x1'), cached('x2')]);
  assert.deepEqual([gets('x1'), gets('x2'), gets('x3')], [1, 2, 1], 'x2 was the least recently used');
  await get(it, [cached('big'), cached('big')]);
  assert.equal(gets('big'), 2);
  assert.equal(it.metrics().cacheSizeUsedBytes, 20);
  const failed = await get(it, [cached('nothing')]);
  assert.equal(failed.ok, false);
  assert.deepEqual([it.metrics().taskFetchesSucceeded, it.metrics().taskFetchesFailed], [6, 1]);
});

test('FETCHER-CACHE-1: a local file that grows, or hides its size, counts with the bytes that were copied', async () => {
  // Files of /proc have the size 0.
  const uri = { value: 'file:///proc/version', cache: true };
  const it = fetcher(1000);
  assert.deepEqual(await get(it, [uri]), { ok: true, value: undefined });
  assert.equal(it.metrics().cacheSizeUsedBytes, readFileSync('/proc/version').length);
  const small = fetcher(10);
  assert.deepEqual(await get(small, [uri]), { ok: true, value: undefined });
  assert.equal(small.metrics().cacheSizeUsedBytes, 0);
  assert.deepEqual(readdirSync(`${root}/cache/downloads`), []);
});

test('FETCHER-3: the first fetch removes the files of an earlier process, later fetches keep the cache', async () => {
  mkdirSync(`${root}/cache/downloads/tree`, { recursive: true });
  writeFileSync(`${root}/cache/downloads/tree/old`, 'old');
  const it = fetcher();
  const uri = { value: `${base}/plain.txt`, cache: true };
  for (const output_file of ['first', 'second']) assert.ok((await get(it, [{ ...uri, output_file }])).ok);
  assert.deepEqual(
    readdirSync(`${root}/cache/downloads`).map((name) => name.replace(/^\d+-/, '')),
    ['plain.txt'],
  );
  assert.equal(requests.filter((request) => request === 'GET /plain.txt').length, 1);
});

const nobody = { name: 'nobody', uid: 65534, gid: 65534, groups: [65534] };

test("FETCHER-1: fetched files belong to the sandbox's user, and no file is read that this user may not read", {
  skip: process.getuid?.() !== 0,
}, async () => {
  chownSync(sandbox, nobody.uid, nobody.gid);
  const it = fetcher();
  const done = await get(it, [{ value: `${base}/a.tgz` }, { value: `${base}/plain.txt`, cache: true }], nobody);
  assert.deepEqual(done, { ok: true, value: undefined });
  for (const name of ['a.tgz', 'folder', 'folder/leaf.txt', 'plain.txt'])
    assert.equal(statSync(`${sandbox}/${name}`).uid, nobody.uid);
  chmodSync(`${root}/origin/plain.txt`, 0o600);
  assert.equal((await get(it, [{ value: 'plain.txt' }], nobody)).ok, false);
  assert.equal((await get(it, [{ value: 'plain.txt', cache: true }], nobody)).ok, false);
  symlinkSync(root, `${sandbox}/link`);
  assert.equal((await get(it, [{ value: `${base}/run.sh`, output_file: 'link/out' }], nobody)).ok, false);
});

test('a local fifo, device or directory fails at once, cached or not', async () => {
  execFileSync('mkfifo', [`${root}/origin/fifo`]);
  for (const value of ['fifo', '/dev/zero', 'in']) {
    for (const cache of [false, true]) {
      const done = await get(fetcher(), [{ value, cache }]);
      assert.match(done.ok ? '' : done.error, /expected a regular file, got a directory, fifo or device/, value);
    }
  }
});

/** Fetches a URI after an archive whose links lead out of the sandbox. */
async function getThroughLinks(uri: CommandInfoURI): Promise<string> {
  mkdirSync(`${root}/links`);
  symlinkSync(`${root}/outside`, `${root}/links/out`);
  symlinkSync('in', `${root}/links/inside`);
  symlinkSync(`${root}/outside/file`, `${root}/links/file`);
  mkdirSync(`${root}/links/in`);
  execFileSync('tar', ['-cf', `${root}/origin/links.tar`, '-C', `${root}/links`, '.']);
  mkdirSync(`${root}/outside`);
  chmodSync(`${root}/outside`, 0o777);
  const done = await get(fetcher(), [{ value: 'links.tar' }, uri]);
  assert.deepEqual(readdirSync(`${root}/outside`), []);
  return done.ok ? '' : done.error;
}

for (const [name, uri, expected] of [
  [
    'into a directory',
    { value: 'plain.txt', output_file: 'out/new' },
    /out\/new: a link in the sandbox leads out of it/,
  ],
  ['to a file', { value: 'plain.txt', output_file: 'file' }, /file: a link is there/],
  ['within the sandbox', { value: 'plain.txt', output_file: 'inside/new' }, /^$/],
] as const) {
  test(`FETCHER-1: output_file through a link of an archive: ${name}`, async () => {
    assert.match(await getThroughLinks(uri), expected);
    if (expected.source === '^$') assert.equal(readFileSync(`${sandbox}/in/new`, 'utf8'), 'plain text\n');
  });
}

test('a cache directory that another user made, or replaced by a link, is refused', {
  skip: process.getuid?.() === 0 ? false : 'needs root, to act for another user',
}, async () => {
  mkdirSync(`${root}/victim`);
  writeFileSync(`${root}/victim/kept`, 'kept');
  symlinkSync(`${root}/victim`, `${root}/cache`);
  lchownSync(`${root}/cache`, nobody.uid, nobody.gid);
  const linked = await get(fetcher(), [{ value: `${base}/plain.txt` }]);
  assert.match(linked.ok ? '' : linked.error, /fetcher cache directory: .*cache is a symbolic link of user 65534/);
  rmSync(`${root}/cache`);
  mkdirSync(`${root}/cache`);
  symlinkSync(`${root}/victim`, `${root}/cache/downloads`);
  for (const path of ['cache', 'cache/downloads']) lchownSync(`${root}/${path}`, nobody.uid, nobody.gid);
  const owned = await get(fetcher(), [{ value: `${base}/plain.txt` }]);
  assert.match(owned.ok ? '' : owned.error, /fetcher cache directory: .*cache belongs to user 65534/);
  assert.deepEqual(readdirSync(`${root}/victim`), ['kept']);
});

test("FETCHER-1: the programs of a fetch run in the container's sandbox, not where a link leads", {
  skip: process.getuid?.() === 0 ? false : 'needs root, to act for another user',
}, async () => {
  const nested = `${sandbox}/containers/one`;
  mkdirSync(`${root}/victim/one`, { recursive: true });
  chmodSync(`${root}/victim/one`, 0o777);
  symlinkSync(`${root}/victim`, `${sandbox}/containers`);
  const done = await fetcher().fetch([{ value: 'plain.txt' }], nested, nobody, new AbortController().signal);
  assert.match(done.ok ? '' : done.error, /containers: is not a directory \(a symbolic link is not followed\)/);
  assert.deepEqual(readdirSync(`${root}/victim/one`), []);
});

/** The bytes of the files in the sandbox. */
const sandboxBytes = (): number =>
  listing().reduce(
    (sum, name) => sum + (statSync(`${sandbox}/${name}`).isFile() ? statSync(`${sandbox}/${name}`).size : 0),
    0,
  );

test('PLACER-1: no URI writes more bytes than its limit: downloads, copies, and archives whatever sizes they declare', async () => {
  const maxUriBytes = 200_000;
  const make = (script: string): void => void execFileSync('sh', ['-ec', script], { cwd: `${root}/origin` });
  make(
    'head -c 300000 /dev/zero >large && gzip -c large >bomb.gz && tar -cf bomb.tar large && tar -czf bomb.tgz large',
  );
  make(
    'tar -cJf bomb.txz large && zip -q bomb.zip large && rm -f many && for i in 1 2 3; do head -c 90000 /dev/zero >m$i; done',
  );
  make('zip -q many.zip m1 m2 m3 && tar -czf many.tar.gz m1 m2 m3');
  // Its directory and its entry declare 9 bytes.
  const lie = readFileSync(`${root}/origin/bomb.zip`);
  lie.writeUInt32LE(9, 22);
  lie.writeUInt32LE(9, lie.indexOf(Buffer.from('PK\x01\x02', 'latin1')) + 24);
  writeFileSync(`${root}/origin/lie.zip`, lie);
  const names = ['bomb.gz', 'bomb.tgz', 'bomb.txz', 'bomb.zip', 'many.zip', 'many.tar.gz', 'lie.zip'];
  const uris: readonly CommandInfoURI[] = [
    { value: 'large' },
    { value: `${base}/large` },
    { value: 'bomb.tar' },
    { value: `${base}/bomb.tar`, cache: true },
    { value: 'large', cache: true },
    ...names.map((value) => ({ value })),
    ...names.map((name) => ({ value: `${base}/${name}`, cache: true })),
  ];
  for (const uri of uris) {
    const done = await get(fetcher(1e6, 20_000, { maxUriBytes, maxTaskBytes: 1e9 }), [uri]);
    assert.match(done.ok ? `${JSON.stringify(uri)} was fetched` : done.error, /more bytes than it may have/);
    // The kernel counts in blocks of 512.
    assert.ok(sandboxBytes() <= maxUriBytes + 512, `${JSON.stringify(uri)}: ${sandboxBytes()} bytes`);
    rmSync(sandbox, { recursive: true });
    mkdirSync(sandbox);
  }
});

test('PLACER-1: the URIs of a task share a limit, and files within it are complete', async () => {
  const make = (script: string): void => void execFileSync('sh', ['-ec', script], { cwd: `${root}/origin` });
  make('head -c 60000 /dev/urandom >one && tar -czf one.tar.gz one && gzip -c one >two.gz && zip -q one.zip one');
  const limits = { maxUriBytes: 150_000, maxTaskBytes: 260_000 };
  const uris = [{ value: 'one', output_file: 'first' }, { value: 'one.tar.gz' }, { value: 'two.gz' }];
  const fits = await get(fetcher(1e6, 20_000, limits), uris.slice(0, 2));
  assert.deepEqual(fits, { ok: true, value: undefined });
  const whole = readFileSync(`${root}/origin/one`);
  for (const name of ['first', 'one']) assert.ok(readFileSync(`${sandbox}/${name}`).equals(whole), name);
  const all = await get(fetcher(1e6, 20_000, limits), uris);
  assert.match(all.ok ? 'fetched' : all.error, /'two.gz'.*more bytes than it may have/s);
  assert.deepEqual(await get(fetcher(1e6, 20_000, limits), [{ value: 'one.zip' }]), { ok: true, value: undefined });
});

test('an archive with damaged compressed data fails the fetch', async () => {
  const bytes = readFileSync(`${root}/origin/plain.txt.gz`);
  bytes.writeUInt32LE(0, bytes.length - 8);
  writeFileSync(`${root}/origin/broken.gz`, bytes);
  const done = await get(fetcher(), [{ value: 'broken.gz' }]);
  assert.match(done.ok ? 'fetched' : done.error, /it can't be extracted: .*damaged/s);
});
