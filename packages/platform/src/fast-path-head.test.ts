import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseCallHead } from './fast-path-head.js';

const head = (first: string, ...lines: string[]): string => [first, ...lines].join('\r\n');
const POST = 'POST /api HTTP/1.1';

test('a POST with a length is a fast-path call, whatever the letters of its header names', () => {
  const text = head(POST, 'host: a:1', 'CONTENT-LENGTH: 12', 'Connection: Keep-Alive', 'X:\t a, b \t', 'Y:', 'Z: é');
  const headers = { host: 'a:1', 'content-length': '12', connection: 'Keep-Alive', x: 'a, b', y: '', z: 'é' };
  const parsed = parseCallHead(text);
  assert.deepEqual({ ...parsed?.headers }, headers);
  assert.equal(parsed?.target, '/api');
  assert.equal(parsed?.bodyBytes, 12);
});

const foreign: readonly (readonly [why: string, text: string])[] = [
  ['another method', head('GET /api HTTP/1.1', 'Content-Length: 0')],
  ['an older version', head('POST /api HTTP/1.0', 'Content-Length: 0')],
  ['no length', head(POST, 'Host: a')],
  ['chunks', head(POST, 'Content-Length: 1', 'Transfer-Encoding: chunked')],
  ['an expectation', head(POST, 'Content-Length: 1', 'Expect: 100-continue')],
  ['an upgrade', head(POST, 'Content-Length: 1', 'Upgrade: h2c')],
  ['a last request', head(POST, 'Content-Length: 1', 'Connection: close')],
  ['options of the connection', head(POST, 'Content-Length: 1', 'Connection: keep-alive, X')],
];
for (const [why, text] of foreign) {
  test(`not a fast-path call: ${why}`, () => assert.equal(parseCallHead(text), undefined));
}

test('a header may be named as what every object has', () => {
  const parsed = parseCallHead(head(POST, 'Content-Length: 1', '__proto__: a', 'constructor: b'));
  assert.deepEqual(Object.entries(parsed?.headers ?? {}).slice(1), [
    ['__proto__', 'a'],
    ['constructor', 'b'],
  ]);
});
