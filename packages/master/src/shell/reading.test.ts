// Endpoints besides those of the state: help, metrics, files; and the encoding of answers.
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { createMasterClient, masterEndpoints, sampleOf } from '@meseta/api';
import type { RunningMaster } from './start.js';
import { startLeader } from './testing.js';

const logText = 'first line\nsecond line, of an ü\n';
let directory: string;
let master: RunningMaster;
let url: string;

before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'meseta-reading-'));
  const logFile = join(directory, 'log');
  await writeFile(logFile, logText);
  master = await startLeader(['--registry=in_memory'], logFile);
  url = `http://${master.address}`;
});

after(async () => {
  await master.stop();
  await rm(directory, { recursive: true, force: true });
});

const text = async (path: string, init: RequestInit = {}): Promise<string> => (await fetch(url + path, init)).text();
const json = async (path: string): Promise<unknown> => JSON.parse(await text(path));

test('HEAD answers as GET would, without a body, and changes nothing', async () => {
  const client = createMasterClient({ address: url });
  const quota_configs = [{ role: 'web', guarantees: {}, limits: { cpus: { value: 2 } } }];
  assert.ok((await client.call('UPDATE_QUOTA', { quota_configs })).ok);
  for (const path of ['/quota', '/quota/web', '/state', '/metrics', '/weights', '/maintenance/schedule']) {
    const head = await fetch(url + path, { method: 'HEAD' });
    assert.deepEqual([path, head.status, await head.text()], [path, 200, '']);
    assert.ok(Number(head.headers.get('content-length')) > 0, path);
  }
  const quota = await client.call('GET_QUOTA');
  assert.equal(quota.ok && quota.value.status.configs?.length, 1);
  for (const path of ['/teardown', '/api/v1', '/machine/down']) {
    assert.equal((await fetch(url + path, { method: 'HEAD' })).status, 405, path);
  }
});

test('long answers are compressed for clients that accept gzip', async () => {
  for (const path of ['/openapi.json', '/help', '/metrics/snapshot', '/state']) {
    const packed = await fetch(url + path, { headers: { 'Accept-Encoding': 'deflate, gzip;q=0.5' } });
    assert.equal(packed.headers.get('content-encoding'), 'gzip', path);
    assert.ok((await packed.text()).length > 1024, path);
    for (const refusing of ['identity', 'gzip;q=0', 'br']) {
      const plain = await fetch(url + path, { headers: { 'Accept-Encoding': refusing } });
      assert.equal(plain.headers.get('content-encoding'), null, `${path} to ${refusing}`);
      await plain.text();
    }
  }
  const short = await fetch(`${url}/weights`, { headers: { 'Accept-Encoding': 'gzip' } });
  assert.equal(short.headers.get('content-encoding'), null);
  assert.deepEqual(await short.json(), []);
});

test('/metrics/snapshot and /metrics have the same metrics', async () => {
  const snapshot = (await json('/metrics/snapshot')) as Record<string, number>;
  const lines = (await text('/metrics')).split('\n');
  const shown = new Set(lines.map((line) => line.split(/[ {]/, 1)[0]));
  for (const name of Object.keys(snapshot)) {
    const samples = [sampleOf(name, 'gauge').name, sampleOf(name, 'counter').name];
    assert.ok(
      samples.some((sample) => shown.has(sample)),
      name,
    );
  }
  const limit = lines.find((line) => line.startsWith('mesos_master_cpus_total '));
  assert.equal(limit, `mesos_master_cpus_total ${snapshot['master/cpus_total']}`);
  assert.ok((snapshot['meseta/heap_limit_bytes'] ?? 0) > 0);
  assert.ok('meseta/event_loop_delay_ms/p99' in snapshot);
});

test('/help lists every endpoint, and finds it by each of its names', async () => {
  const help = (await json('/help?format=json')) as { processes: { id: string; endpoints: { name: string }[] }[] };
  const count = help.processes.reduce((sum, { endpoints }) => sum + endpoints.length, 0);
  assert.equal(count, Object.keys(masterEndpoints).length);
  for (const path of ['', '/master', '/master/tasks', '/tasks', '/metrics/snapshot', '/master/api/v1/scheduler']) {
    assert.equal((await fetch(`${url}/help${path}`)).status, 200, path);
  }
  assert.equal((await fetch(`${url}/help/nothing`)).status, 400);
});

test('the OpenAPI document has every path', async () => {
  const document = (await json('/openapi.json')) as { paths: Record<string, Record<string, unknown>> };
  for (const { path, aliased } of Object.values(masterEndpoints)) {
    assert.ok(document.paths[path], path);
    assert.equal(`/master${path}` in document.paths, aliased, path);
  }
});

test('/files/* serves the log under its virtual path, and no other file', async () => {
  const size = Buffer.byteLength(logText);
  assert.deepEqual(await json('/files/read?path=/master/log'), { data: '', offset: size });
  const part = await json('/files/read?path=/master/log&offset=6&length=4');
  assert.deepEqual(part, { data: 'line', offset: 6 });
  assert.equal(await text('/files/download?path=/master/log'), logText);
  assert.deepEqual(await json('/files/debug'), { '/master/log': join(directory, 'log') });
  for (const path of ['/etc/passwd', '/master/log/../../etc/passwd', `${directory}/log`, '/master']) {
    assert.equal((await fetch(`${url}/files/read?path=${path}`)).status, 404, path);
  }
  const client = createMasterClient({ address: url });
  const read = await client.call('READ_FILE', { path: '/master/log', offset: 0, length: 5 });
  assert.deepEqual(read, { ok: true, value: { size, data: Buffer.from('first').toString('base64') } });
  const list = await client.call('LIST_FILES', { path: '/master/log' });
  assert.equal(!list.ok && list.error.code === 'refused' && list.error.status, 404);
});

test('OPERATOR-STREAMS-1: subscribers that come together share one rendering of the snapshot, and each gets it once', async () => {
  const hits = async (): Promise<number> =>
    ((await json('/metrics/snapshot')) as Record<string, number>)['master/http_cache_hits'] ?? 0;
  const body = JSON.stringify({ type: 'SUBSCRIBE' });
  const headers = { 'Content-Type': 'application/json', Accept: 'application/json' };
  const before = await hits();
  const ended = new AbortController();
  const answers = await Promise.all(
    Array.from({ length: 20 }, () => fetch(`${url}/api/v1`, { method: 'POST', headers, body, signal: ended.signal })),
  );
  assert.ok((await hits()) - before >= 19);
  const texts = await Promise.all(
    answers.map(async (answer) => {
      assert.ok(answer.body);
      let read = '';
      for await (const chunk of answer.body.pipeThrough(new TextDecoderStream())) {
        read += chunk;
        if (read.includes('HEARTBEAT')) break;
      }
      return read;
    }),
  );
  ended.abort();
  for (const read of texts) {
    assert.equal(read, texts[0]);
    assert.equal(read.split('"type":"SUBSCRIBED"').length, 2);
  }
});
