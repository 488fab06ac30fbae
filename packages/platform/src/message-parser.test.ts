import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { createMessageParser, type Parsed } from './message-parser.js';

const factsFile = '../shared/facts/libprocess-messages.json';
const limits = { maxHeadBytes: 2000, maxBodyBytes: 100_000 };

interface Run {
  readonly messages: string[];
  readonly end: Parsed;
  readonly rest: string;
  readonly continues: number;
}

/** Feeds bytes cut at the given places. */
function run(bytes: Buffer, cuts: readonly number[]): Run {
  const messages: string[] = [];
  let continues = 0;
  const parser = createMessageParser(
    {
      message: (head, body) =>
        messages.push(
          `${head.from}>${head.to} ${head.wireName} ${Buffer.from(body).toString('base64')} ${head.keepAlive}`,
        ),
      continueExpected: () => continues++,
    },
    limits,
  );
  let end: Parsed = { kind: 'more' };
  const places = [0, ...[...cuts].sort((a, b) => a - b), bytes.length];
  for (let i = 1; i < places.length; i++) {
    end = parser.push(bytes.subarray(places[i - 1], places[i]));
    if (end.kind !== 'foreign') continue;
    const rest = Buffer.concat([end.rest, bytes.subarray(places[i])]).toString('latin1');
    return { messages, end, rest, continues };
  }
  return { messages, end, rest: '', continues };
}

const from = 'Libprocess-From: slave(1)@10.0.0.7:5051\r\n';
const sent = 'slave(1)@10.0.0.7:5051>master';
const base64 = (text: string): string => Buffer.from(text).toString('base64');

const readable: readonly (readonly [name: string, bytes: string, messages: string[], rest?: string])[] = [
  ['no body', `POST /master/a.B HTTP/1.1\r\n${from}\r\n`, [`${sent} a.B  true`]],
  [
    'a length',
    `POST /master/a.B HTTP/1.1\r\n${from}content-LENGTH:3\r\n\r\nabc`,
    [`${sent} a.B ${base64('abc')} true`],
  ],
  [
    'chunks with extensions and trailers',
    `POST /master/a.B HTTP/1.1\r\n${from}Transfer-Encoding: Chunked\r\n\r\n2;x=y\r\nab\r\n1\r\nc\r\n0\r\nT: 1\r\n\r\n`,
    [`${sent} a.B ${base64('abc')} true`],
  ],
  [
    'the sender in User-Agent alone',
    'POST /master/a.B HTTP/1.1\r\nUser-Agent: libprocess/slave(1)@10.0.0.7:5051\r\n\r\n',
    [`${sent} a.B  true`],
  ],
  [
    'an escaped actor',
    `POST /slave%281%29/a.B?x=1 HTTP/1.1\r\n${from}\r\n`,
    ['slave(1)@10.0.0.7:5051>slave(1) a.B  true'],
  ],
  ['HTTP/1.0', `POST /master/a.B HTTP/1.0\r\n${from}\r\n`, [`${sent} a.B  false`]],
  ['Connection: close', `POST /master/a.B HTTP/1.1\r\n${from}Connection: close\r\n\r\n`, [`${sent} a.B  false`]],
  ['a GET', 'GET /state HTTP/1.1\r\nHost: x\r\n\r\n', [], 'GET /state HTTP/1.1\r\nHost: x\r\n\r\n'],
  ['a GET with a sender', `GET /master/x HTTP/1.1\r\n${from}\r\n`, [], `GET /master/x HTTP/1.1\r\n${from}\r\n`],
  [
    'another agent',
    'POST /api/v1 HTTP/1.1\r\nUser-Agent: curl\r\n\r\n{}',
    [],
    'POST /api/v1 HTTP/1.1\r\nUser-Agent: curl\r\n\r\n{}',
  ],
  [
    'a message, then another protocol',
    `POST /master/a.B HTTP/1.1\r\n${from}Content-Length: 1\r\n\r\nzGET / HTTP/1.1\r\n\r\n`,
    [`${sent} a.B ${base64('z')} true`],
    'GET / HTTP/1.1\r\n\r\n',
  ],
];
for (const [name, text, messages, rest = ''] of readable) {
  test(`MESSAGE-PARSER-1: ${name}, cut at every byte and byte by byte`, () => {
    const bytes = Buffer.from(text, 'latin1');
    const everywhere = Array.from({ length: bytes.length }, (_, i) => i);
    for (const cuts of [[], everywhere, ...everywhere.map((i) => [i])]) {
      const done = run(bytes, cuts);
      assert.deepEqual(done.messages, messages);
      assert.equal(done.rest, rest);
    }
  });
}

const refused: readonly (readonly [name: string, bytes: string, reason: RegExp])[] = [
  ['no message name', `POST /master HTTP/1.1\r\n${from}\r\n`, /path/],
  ['no actor', `POST //a.B HTTP/1.1\r\n${from}\r\n`, /path/],
  ['a broken escape', `POST /m%zz/a.B HTTP/1.1\r\n${from}\r\n`, /percent/],
  ['a sender at a name', 'POST /master/a.B HTTP/1.1\r\nLibprocess-From: a@localhost:1\r\n\r\n', /IP address/],
  [
    'a sender at the address of no host',
    'POST /master/a.B HTTP/1.1\r\nLibprocess-From: a@0.0.0.0:1\r\n\r\n',
    /IP address/,
  ],
  [
    'a sender whose id is a path',
    'POST /master/a.B HTTP/1.1\r\nLibprocess-From: a/b?c@1.2.3.4:1\r\n\r\n',
    /id of visible/,
  ],
  [
    'a sender whose id ends a line',
    'POST /master/a.B HTTP/1.1\r\nLibprocess-From: a HTTP/1.0@1.2.3.4:1\r\n\r\n',
    /id of visible/,
  ],
  ['a sender that is no pid', 'POST /master/a.B HTTP/1.1\r\nLibprocess-From: me\r\n\r\n', /sender/],
  ['a length that is no number', `POST /master/a.B HTTP/1.1\r\n${from}Content-Length: -1\r\n\r\n`, /Content-Length/],
  ['an unknown encoding', `POST /master/a.B HTTP/1.1\r\n${from}Transfer-Encoding: gzip\r\n\r\n`, /Transfer-Encoding/],
  ['a chunk size that is none', `POST /master/a.B HTTP/1.1\r\n${from}Transfer-Encoding: chunked\r\n\r\nxyz\r\n`, /hex/],
  [
    'a chunk longer than it said',
    `POST /master/a.B HTTP/1.1\r\n${from}Transfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n`,
    /line end/,
  ],
  ['a length over the limit', `POST /master/a.B HTTP/1.1\r\n${from}Content-Length: 100001\r\n\r\n`, /limit/],
  [
    'a chunk over the limit',
    `POST /master/a.B HTTP/1.1\r\n${from}Transfer-Encoding: chunked\r\n\r\nffffffff\r\n`,
    /limit/,
  ],
];
for (const [name, text, reason] of refused) {
  test(`refused: ${name}`, () => {
    const { end, messages } = run(Buffer.from(text, 'latin1'), []);
    assert.equal(end.kind, 'bad');
    assert.match(end.kind === 'bad' ? end.reason : '', reason);
    assert.deepEqual(messages, []);
  });
}

test('MESSAGE-PARSER-2: a head that never ends is given away at the limit', () => {
  const { end } = run(Buffer.from(`POST /master/x HTTP/1.1\r\nX: ${'y'.repeat(3000)}`), []);
  assert.equal(end.kind, 'foreign');
});

test('MESSAGE-PARSER-2: idle connections keep no long heads', () => {
  setFlagsFromString('--expose-gc');
  const collectGarbage = runInNewContext('gc') as () => void;
  const bytes = Buffer.from(`POST /master/a.B HTTP/1.1\r\n${from}X: ${'x'.repeat(60_000)}\r\n\r\n`);
  const sink = { message: () => {}, continueExpected: () => {} };
  collectGarbage();
  const before = process.memoryUsage().heapUsed;
  const parsers = Array.from({ length: 500 }, () => {
    const parser = createMessageParser(sink, { maxHeadBytes: 65_536, maxBodyBytes: 1 });
    assert.equal(parser.push(bytes).kind, 'more');
    return parser;
  });
  collectGarbage();
  const kept = (process.memoryUsage().heapUsed - before) / parsers.length;
  assert.ok(kept < 20_000, `each keeps ${kept} bytes`);
});

test('MESSAGE-PARSER-2: chunks count together: a body may have the limit, and one byte more is refused', () => {
  const head = `POST /master/a.B HTTP/1.1\r\n${from}Transfer-Encoding: chunked\r\n\r\n`;
  const chunk = (bytes: number): string => `${bytes.toString(16)}\r\n${'x'.repeat(bytes)}\r\n`;
  const table: readonly (readonly [chunks: readonly number[], messages: number])[] = [
    [[100_000], 1],
    [[100_001], 0],
    [[60_000, 40_000], 1],
    [[60_000, 40_001], 0],
    [[60_000, 60_000], 0],
    [[99_999, 1], 1],
    [[50_000, 50_000, 1], 0],
  ];
  for (const [chunks, messages] of table) {
    const done = run(Buffer.from(`${head}${chunks.map(chunk).join('')}0\r\n\r\n`), []);
    assert.equal(done.messages.length, messages, String(chunks));
    if (messages === 0) {
      const reason = 'body over the limit of 100000 bytes';
      assert.deepEqual(done.end, { kind: 'bad', reason, status: 413 });
    }
  }
});

test('a head that expects 100 Continue says so once', () => {
  const head = `POST /master/a.B HTTP/1.1\r\n${from}Expect: 100-continue\r\nContent-Length: 1\r\n\r\n`;
  assert.equal(run(Buffer.from(head), []).continues, 1);
});

test('MESSAGE-PARSER-1: the messages captured between Mesos processes, however cut', {
  skip: !existsSync(factsFile),
}, () => {
  const captured = JSON.parse(readFileSync(factsFile, 'utf8')) as {
    to: string;
    from: string;
    name: string;
    head: string[];
    bytes: string;
  }[];
  const pieces: (string | Buffer)[] = [];
  for (const one of captured) {
    const body = Buffer.from(one.bytes, 'base64');
    pieces.push(`${one.head.join('\r\n')}\r\n\r\n`);
    if (body.length > 0) pieces.push(`${body.length.toString(16)}\r\n`, body, '\r\n0\r\n\r\n');
  }
  const bytes = Buffer.concat(
    pieces.map((piece) => (typeof piece === 'string' ? Buffer.from(piece, 'latin1') : piece)),
  );
  const expected = captured.map((one) => `${one.from}>${one.to} ${one.name} ${one.bytes} true`);
  assert.ok(expected.length > 0);
  for (let i = 0; i < bytes.length; i++) assert.deepEqual(run(bytes, [i]).messages, expected);
  fc.assert(
    fc.property(fc.array(fc.nat(bytes.length), { maxLength: 50 }), (cuts) => {
      assert.deepEqual(run(bytes, cuts).messages, expected);
    }),
  );
});

test('hostile bytes end in an answer, never in an exception', () => {
  const start = Buffer.from(`POST /master/a.B HTTP/1.1\r\n${from}`);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.boolean(), (noise, withStart) => {
      const bytes = withStart ? Buffer.concat([start, noise]) : Buffer.from(noise);
      assert.ok(['more', 'foreign', 'bad'].includes(run(bytes, []).end.kind));
    }),
  );
});
