import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '@meseta/base';
import { parseCallHead } from './fast-path-head.js';
import { parseMessageHead } from './message-parser.js';
import { parseRequestHead } from './request-head.js';

const head = (...lines: string[]): string => lines.join('\r\n');
const POST = 'POST /master/a.B HTTP/1.1';
const FROM = 'Libprocess-From: a@1.2.3.4:5';

const foreign: readonly (readonly [what: string, lines: readonly string[]])[] = [
  ['no version', ['POST /master/a.B']],
  ['another version', ['POST /master/a.B HTTP/2.0']],
  ['two spaces', ['POST  /master/a.B HTTP/1.1']],
  ['a tab', ['POST\t/master/a.B HTTP/1.1']],
  ['a fourth part', ['POST /master/a.B HTTP/1.1 x']],
  ['a method in lower case', ['post /master/a.B HTTP/1.1']],
  ['a target in absolute form', ['POST http://h/master/a.B HTTP/1.1']],
  ['a control character in the target', ['POST /master/\x01 HTTP/1.1']],
  ['a byte beyond ASCII in the target', ['POST /master/\u00e9 HTTP/1.1']],
  ['a space before the colon', [POST, 'Content-Length : 3']],
  ['a folded line', [POST, 'X: a', ' b']],
  ['a folded line with a tab', [POST, 'X: a', '\tb']],
  ['a folded length', [POST, 'Content-Length:', ' 3']],
  ['a bare line feed', [POST, 'X: a\nContent-Length: 3']],
  ['a bare line feed behind the request line', [`${POST}\nContent-Length: 3`]],
  ['a bare carriage return', [POST, 'X: a\rY: b']],
  ['a zero byte in a value', [POST, 'X: a\0b']],
  ['a zero byte in a name', [POST, 'X\0: a']],
  ['a head over the limit', [POST, `X: ${'a'.repeat(LIMITS.requestHead.most)}`]],
  ['a name without letters', [POST, ': a']],
  ['a line without a colon', [POST, 'Content-Length 3']],
  ['the same length twice', [POST, 'Content-Length: 3', 'Content-Length: 3']],
  ['two lengths', [POST, 'Content-Length: 3', 'content-length: 4']],
  ['two encodings', [POST, 'Transfer-Encoding: chunked', 'transfer-encoding: identity']],
  ['two senders', [POST, FROM, FROM]],
  ['more than 200 lines', [POST, ...Array.from({ length: 201 }, (_, i) => `X-${i}: a`)]],
];
for (const [what, lines] of foreign) {
  test(`REQUEST-HEAD-1: ${what} is left to node:http by both readers`, () => {
    const text = head(...lines);
    assert.equal(parseRequestHead(text), undefined);
    assert.equal(parseCallHead(text), undefined);
    assert.equal(
      parseMessageHead(lines.includes(FROM) ? text : head(lines[0] as string, FROM, ...lines.slice(1))),
      'foreign',
    );
  });
}

const framings: readonly (readonly [what: string, lines: readonly string[], kind: string])[] = [
  ['no header', [POST], 'none'],
  ['a length', [POST, 'Content-Length: 3'], 'length'],
  ['chunks', [POST, 'Transfer-Encoding: Chunked'], 'chunked'],
  ['a length and chunks', [POST, 'Content-Length: 3', 'Transfer-Encoding: chunked'], 'invalid'],
  ['chunks by HTTP/1.0', ['POST /master/a.B HTTP/1.0', 'Transfer-Encoding: chunked'], 'invalid'],
  ['two codings', [POST, 'Transfer-Encoding: gzip, chunked'], 'invalid'],
  ['chunks twice', [POST, 'Transfer-Encoding: chunked, chunked'], 'invalid'],
  ['an unknown coding', [POST, 'Transfer-Encoding: xchunked'], 'invalid'],
  ['an empty length', [POST, 'Content-Length:'], 'invalid'],
  ['a negative length', [POST, 'Content-Length: -1'], 'invalid'],
  ['a length with a sign', [POST, 'Content-Length: +3'], 'invalid'],
  ['a length in hex digits', [POST, 'Content-Length: 0x3'], 'invalid'],
  ['a list of lengths', [POST, 'Content-Length: 3, 3'], 'invalid'],
  ['a length with a fraction', [POST, 'Content-Length: 3.0'], 'invalid'],
  ['a length and a no-break space', [POST, 'Content-Length: 3\u00a0'], 'invalid'],
  ['chunks and a no-break space', [POST, 'Transfer-Encoding: chunked\u00a0'], 'invalid'],
  ['a length between tabs and spaces', [POST, 'Content-Length:\t 3 \t '], 'length'],
  ['a length of sixteen digits', [POST, `Content-Length: ${'9'.repeat(16)}`], 'invalid'],
];
for (const [what, lines, kind] of framings) {
  test(`REQUEST-HEAD-2: ${what} frames a body as ${kind} for both readers`, () => {
    const text = head(...lines);
    assert.equal(parseRequestHead(text)?.framing.kind, kind);
    assert.equal(parseCallHead(text) !== undefined, kind === 'length');
    const message = parseMessageHead(head(lines[0] as string, FROM, ...lines.slice(1)));
    assert.equal(typeof message === 'object' && 'bad' in message, kind === 'invalid');
  });
}
