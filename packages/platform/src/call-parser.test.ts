import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseCallHead } from './call-parser.js';

const head = (first: string, ...lines: string[]): string => [first, ...lines].join('\r\n');
const POST = 'POST /api HTTP/1.1';

test('a POST with a length is a plain call, whatever the letters of its header names', () => {
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
  ['two spaces', head('POST  /api HTTP/1.1', 'Content-Length: 0')],
  ['an absolute target', head('POST http://a/api HTTP/1.1', 'Content-Length: 0')],
  ['no length', head(POST, 'Host: a')],
  ['a length with a sign', head(POST, 'Content-Length: +1')],
  ['two lengths', head(POST, 'Content-Length: 1', 'Content-Length: 1')],
  ['a list of lengths', head(POST, 'Content-Length: 1, 1')],
  ['a header twice, in other letters', head(POST, 'Content-Length: 1', 'X: 1', 'x: 1')],
  ['chunks', head(POST, 'Content-Length: 1', 'Transfer-Encoding: chunked')],
  ['an expectation', head(POST, 'Content-Length: 1', 'Expect: 100-continue')],
  ['an upgrade', head(POST, 'Content-Length: 1', 'Upgrade: h2c')],
  ['a last request', head(POST, 'Content-Length: 1', 'Connection: close')],
  ['options of the connection', head(POST, 'Content-Length: 1', 'Connection: keep-alive, X')],
  ['a space before the colon', head(POST, 'Content-Length : 1')],
  ['a folded line', head(POST, 'Content-Length: 1', 'X: a', ' b')],
  ['a line without a name', head(POST, 'Content-Length: 1', ': a')],
  ['a bare line feed', head(POST, 'Content-Length: 1', 'X: a\nContent-Length: 2')],
  ['a bare carriage return', head(POST, 'Content-Length: 1', 'X: a\rb')],
  ['a zero byte', head(POST, 'Content-Length: 1', 'X: a\0')],
];
for (const [why, text] of foreign) {
  test(`not a plain call: ${why}`, () => assert.equal(parseCallHead(text), undefined));
}

test('a header may be named as what every object has', () => {
  const parsed = parseCallHead(head(POST, 'Content-Length: 1', '__proto__: a', 'constructor: b'));
  assert.deepEqual(Object.entries(parsed?.headers ?? {}).slice(1), [
    ['__proto__', 'a'],
    ['constructor', 'b'],
  ]);
});
