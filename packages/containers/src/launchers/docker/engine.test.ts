// Answers of an engine that is too old, broken or hostile. What a real one answers is in docker.test.ts.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import * as http from 'node:http';
import { tmpdir } from 'node:os';
import { after, before, test } from 'node:test';
import { sendLocalRequest } from '@meseta/platform/local-http';
import { createEngine } from './engine.js';
import { factsOf, pidOf } from './inspected.js';

const directory = mkdtempSync(`${tmpdir()}/meseta-engine-`);
const socket = `${directory}/socket`;
const paths: string[] = [];
let versions: unknown = {};
let answer = (response: http.ServerResponse): void => void response.end();

const server = http.createServer((request, response) => {
  if (request.url === '/version') return void response.end(JSON.stringify(versions));
  paths.push(request.url ?? '');
  request.resume();
  request.on('end', () => answer(response));
});

before(() => new Promise<void>((resolve) => server.listen(socket, resolve)));
after(() => {
  server.closeAllConnections();
  server.close();
  rmSync(directory, { recursive: true });
});

const engine = () => createEngine(sendLocalRequest, socket, new Map());

async function problemOf(
  call: Promise<{ readonly ok: boolean; readonly error?: { readonly message: string } }>,
): Promise<string> {
  const result = await call;
  return result.ok ? 'none' : (result.error?.message ?? '');
}

test('the version is the highest that both know; an engine that is too old or none is named', async () => {
  answer = (response) => response.end('[]');
  for (const [ApiVersion, MinAPIVersion, expected] of [
    ['1.41', '1.12', '/v1.41/'],
    ['1.44', '1.24', '/v1.44/'],
    ['9.99', '1.44', '/v1.51/'],
    ['9.99', '9.9', '/v9.9/'],
  ]) {
    versions = { ApiVersion, MinAPIVersion };
    assert.equal(await problemOf(engine().list('a=b')), 'none');
    assert.match(paths.at(-1) ?? '', new RegExp(`^${expected}`));
  }
  versions = { ApiVersion: '1.40' };
  assert.match(await problemOf(engine().connect()), /expected version 1\.41 of its API or newer/);
  versions = [];
  assert.match(await problemOf(engine().connect()), /it is no Docker engine/);
});

test('an answer that is too long, no JSON, or an error with a long text is a failure with a short message', async () => {
  versions = { ApiVersion: '1.41' };
  const long = 'x'.repeat(5 * 2 ** 20);
  answer = (response) => response.end(JSON.stringify({ Id: long }));
  assert.match(await problemOf(engine().inspect('a')), /the engine's answer: expected at most 4194304 bytes/);
  answer = (response) => response.end('<html>');
  assert.match(await problemOf(engine().inspect('a')), /is no JSON/);
  answer = (response) => response.writeHead(500).end(JSON.stringify({ message: 'y'.repeat(100_000) }));
  assert.equal((await problemOf(engine().start('a'))).length, 2003);
  answer = (response) => response.writeHead(418).end('teapot');
  assert.match(await problemOf(engine().start('a')), /status 418/);
});

test('a pull fails with the error in its last line, although its status is 200; a line has a limit', async () => {
  versions = { ApiVersion: '1.41' };
  const image = { repository: 'a', tag: 'b', registry: undefined };
  const pull = () => engine().provideImage(image, true, new AbortController().signal);
  answer = (response) => response.end('{"status":"Pulling"}\n{"error":"no such manifest"}\n');
  assert.equal(await problemOf(pull()), 'no such manifest');
  answer = (response) => response.end('{"status":"Pulling"}\nno json\n');
  assert.equal(await problemOf(pull()), 'none');
  answer = (response) => response.end('z'.repeat(5 * 2 ** 20));
  assert.match(await problemOf(pull()), /a line of the engine: expected at most/);
});

test('answers of other types than the API says are errors, or nothing in them counts', async () => {
  versions = { ApiVersion: '1.41' };
  for (const [text, status] of [
    ['null', undefined],
    ['7', undefined],
    ['[]', undefined],
    ['{"State": {"Status": 1}, "NetworkSettings": {"Networks": {"a": null}}}', undefined],
    ['{"State": {"Status": "running", "Pid": "1"}, "HostConfig": null}', 'running'],
  ]) {
    answer = (response) => response.end(text);
    const found = await engine().inspect('a');
    assert.ok(found.ok && found.value !== undefined);
    assert.equal(found.value.container.State.Status, status);
    assert.equal(pidOf(found.value.container), 0);
    assert.deepEqual(factsOf(found.value.container, found.value.json, undefined).networkInfos, undefined);
  }
  answer = (response) => response.end('{}');
  assert.match(await problemOf(engine().list('a=b')), /is no list/);
  answer = (response) => response.end('[null, 1, {"Names": [2, "/mesos-a"]}, {"Names": "x", "State": 3}]');
  const listed = await engine().list('a=b');
  assert.deepEqual(listed.ok && listed.value.map(({ Names }) => Names), [[], [], ['/mesos-a'], []]);
  answer = (response) => response.end('['.repeat(100_000) + ']'.repeat(100_000));
  assert.match(await problemOf(engine().inspect('a')), /nested too deep/);
});

test('a command whose start the engine does not answer ends at its timeout', async () => {
  versions = { ApiVersion: '1.41' };
  answer = (response) => {
    if (paths.at(-1)?.endsWith('/start')) return;
    response.end('{"Id": "e", "Running": true, "Pid": 12345}');
  };
  const run = await engine().exec('a', { words: ['x'], environment: [] }, 50);
  assert.deepEqual(run, { ok: true, value: { kind: 'timedOut', pid: 12345 } });
});

test('names in paths are encoded, so that none leaves its place', async () => {
  versions = { ApiVersion: '1.41' };
  answer = (response) => response.end('{}');
  await engine().inspect('../../images?x=y');
  assert.equal(paths.at(-1), '/v1.41/containers/..%2F..%2Fimages%3Fx%3Dy/json');
});
