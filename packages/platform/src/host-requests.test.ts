// What requests may look like, and how many of them a connection may have under way: over real sockets.
import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { connect, type Socket } from 'node:net';
import { after, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { createByteBudget } from './byte-budget.js';
import { createHost, type HostOptions } from './host.js';
import { createBodyReader } from './read-body.js';

const opened: (() => unknown)[] = [];
after(async () => {
  for (const close of opened) await close();
});

const MIB = 2 ** 20;
const bodies = createBodyReader({ budget: createByteBudget(256 * MIB) });

/** Answers with the target, the Host and the body's length and beginning; takes fast-path calls to /plain. */
async function startHost(options: Partial<HostOptions> = {}): Promise<{ port: number; messages: string[] }> {
  const messages: string[] = [];
  const made = await createHost({
    ip: '127.0.0.1',
    port: 0,
    onMessage({ body }) {
      messages.push(Buffer.from(body).toString('latin1'));
      return 'accepted';
    },
    async onRequest(request, response) {
      const body = await bodies.read(request);
      if (!body.ok) return response.writeHead(body.error.status, { connection: 'close' }).end(body.error.message);
      const text = Buffer.from(body.value).toString('latin1');
      return response.end(`${request.url} ${request.headers.host} ${text.length} ${text.slice(0, 20)}`);
    },
    fastPath: {
      targets: new Set(['/plain']),
      headers: {},
      tryHandle(_, body, answer) {
        answer({ status: 200, text: `plain ${Buffer.from(body).toString('latin1')}` });
        return true;
      },
    },
    onPeerLost: () => {},
    ...options,
  });
  assert.ok(made.ok);
  opened.push(() => made.value.close());
  return { port: made.value.bound.port, messages };
}

const open = (port: number): Socket => {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  socket.on('error', () => {});
  opened.push(() => socket.destroy());
  return socket;
};

/** All that comes back for these bytes until the connection ends. */
const exchange = (port: number, ...pieces: readonly (string | Buffer)[]): Promise<string> =>
  new Promise((resolve) => {
    const socket = open(port);
    let text = '';
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1');
    });
    socket.on('close', () => resolve(text));
    socket.on('end', () => socket.end());
    for (const piece of pieces) socket.write(piece);
  });

const statuses = (text: string): string[] =>
  [...text.matchAll(/HTTP\/1\.1 (\d+) /g)].map((match) => match[1] as string);
const bodyOf = (text: string): string => text.split('\r\n\r\n').at(-1) ?? '';
const last = 'Connection: close\r\n';

const targets: readonly (readonly [target: string, seen: string | RegExp])[] = [
  ['http://10.0.0.1:5050/state?x=1', '/state?x=1 10.0.0.1:5050 0 '],
  ['HTTP://Localhost/master/state', '/master/state Localhost 0 '],
  ['http://[::1]:5050', '/ [::1]:5050 0 '],
  ['http://h:1?a=b', '/?a=b h:1 0 '],
  ['https://h/x', '/x h 0 '],
  ['//h/x', '//h/x own 0 '],
  ['http://user@h/x', /Target: expected a path/],
  ['http:///x', /Target: expected a path/],
  ['ftp://h/x', /Target: expected a path/],
  ['x', /Target: expected a path/],
  ['*', /Target: expected a path/],
];
for (const [target, seen] of targets) {
  test(`the target ${target}`, async () => {
    const { port } = await startHost();
    const answer = await exchange(port, `OPTIONS ${target} HTTP/1.1\r\nHost: own\r\n${last}\r\n`);
    const body = answer.startsWith('HTTP/1.1 200') ? bodyOf(answer) : answer;
    if (typeof seen === 'string') assert.ok(body.includes(seen), answer);
    else assert.match(body, /^HTTP\/1\.1 400/);
  });
}

const text = 'x'.repeat(2000);
const packed = gzipSync(text);
const posted = (lines: string): string => `POST /p HTTP/1.1\r\nHost: h\r\n${last}${lines}\r\n`;
const sized = (body: Buffer, lines: string): [string, Buffer] => [
  posted(`${lines}Content-Length: ${body.length}\r\n`),
  body,
];
const bomb = gzipSync(Buffer.alloc(40 * MIB));
const GZIP = 'Content-Encoding: gzip\r\n';
const unpacked: readonly (readonly [what: string, request: [string, Buffer], seen: RegExp])[] = [
  ['gzipped', sized(packed, GZIP), /^HTTP\/1\.1 200.* 2000 xxx/s],
  ['gzipped, in other letters', sized(packed, 'content-encoding: GZip\r\n'), /^HTTP\/1\.1 200.* 2000 xxx/s],
  ['that is not gzip', sized(Buffer.from(text), GZIP), /^HTTP\/1\.1 400.*expected gzip/s],
  ['cut short', sized(packed.subarray(0, packed.length - 9), GZIP), /^HTTP\/1\.1 400.*expected gzip/s],
  ['that is empty', sized(Buffer.alloc(0), GZIP), /^HTTP\/1\.1 (200|400)/s],
  ['in another encoding, taken as it is', sized(Buffer.from(text), 'Content-Encoding: br\r\n'), /200.* 2000 xxx/s],
  ['that unpacks to a thousand times its length', sized(bomb, GZIP), /^HTTP\/1\.1 413.*unpacks to more/s],
];
for (const [what, [head, body], seen] of unpacked) {
  test(`BODIES-3: a body ${what}`, async () => {
    const { port } = await startHost();
    assert.match(await exchange(port, head, body), seen);
  });
}

test('BODIES-3: a gzipped libprocess message is unpacked too', async () => {
  const { port, messages } = await startHost();
  const head = `POST /master/a.B HTTP/1.1\r\nLibprocess-From: a@1.2.3.4:5\r\n${last}`;
  const answer = await exchange(port, `${head}${GZIP}Content-Length: ${packed.length}\r\n\r\n`, packed);
  assert.deepEqual([statuses(answer), messages], [['202'], [text]]);
});

const chunks = (count: number): string => '1\r\nx\r\n'.repeat(count);
for (const [what, head] of [
  ['a message', 'POST /master/a.B HTTP/1.1\r\nLibprocess-From: a@1.2.3.4:5\r\n'],
  ['a request', 'POST /p HTTP/1.1\r\nHost: h\r\n'],
] as const) {
  test(`BODIES-3: ${what} of many small chunks is refused at the limit, and taken below it`, async () => {
    const { port } = await startHost();
    const sent = (count: number): Promise<string> =>
      exchange(port, `${head}${last}Transfer-Encoding: chunked\r\n\r\n`, chunks(count), '0\r\n\r\n');
    assert.match(statuses(await sent(50_000))[0] ?? '', /^20/);
    assert.deepEqual(statuses(await sent(2_200_000)), ['413']);
  });
}

const TWICE = 'Content-Length: 3\r\n';
const CHUNKED = 'Transfer-Encoding: chunked\r\n';
/** Requests that two readers could end at different places. */
const ambiguous: readonly (readonly [what: string, lines: string, body: string])[] = [
  ['a length and chunks', `${TWICE}${CHUNKED}`, '0\r\n\r\n'],
  ['chunks and a length', `${CHUNKED}${TWICE}`, '0\r\n\r\n'],
  ['two equal lengths', `${TWICE}${TWICE}`, 'abc'],
  ['two lengths', `${TWICE}Content-Length: 4\r\n`, 'abcd'],
  ['a list of lengths', 'Content-Length: 3, 3\r\n', 'abc'],
  ['a length with a sign', 'Content-Length: +3\r\n', 'abc'],
  ['a length in hex digits', 'Content-Length: 0x3\r\n', 'abc'],
  ['a space before the colon', 'Content-Length : 3\r\n', 'abc'],
  ['a folded line', `${TWICE}X: a\r\n b\r\n`, 'abc'],
  ['a folded encoding', 'Transfer-Encoding:\r\n chunked\r\n', '0\r\n\r\n'],
  ['a bare line feed', 'X: a\nContent-Length: 3\r\n', 'abc'],
  ['a bare carriage return', `X: a\rY: b\r\n${TWICE}`, 'abc'],
  ['a zero byte', `X: a\0b\r\n${TWICE}`, 'abc'],
  ['another encoding', 'Transfer-Encoding: gzip, chunked\r\n', '0\r\n\r\n'],
  ['an unknown encoding', 'Transfer-Encoding: xchunked\r\n', '0\r\n\r\n'],
  ['chunks twice', `${CHUNKED}${CHUNKED}`, '0\r\n\r\n'],
  ['a bare line feed behind a chunk size', CHUNKED, '1\nx\r\n0\r\n\r\n'],
  ['a bare line feed behind a chunk', CHUNKED, '1\r\nx\n0\r\n\r\n'],
  ['a space behind a chunk size', CHUNKED, '1 \r\nx\r\n0\r\n\r\n'],
  ['a chunk size with a prefix', CHUNKED, '0x1\r\nx\r\n0\r\n\r\n'],
  ['a chunk size beyond all', CHUNKED, 'fffffffffffffffff\r\nx\r\n0\r\n\r\n'],
  ['a zero byte in a chunk extension', CHUNKED, '1;a\0b\r\nx\r\n0\r\n\r\n'],
  ['a folded trailer', CHUNKED, '0\r\nX: a\r\n b\r\n\r\n'],
];
const REQUESTS: Readonly<Record<string, string>> = {
  'a request': 'POST /p HTTP/1.1\r\nHost: h\r\n',
  'a message': 'POST /master/a.B HTTP/1.1\r\nLibprocess-From: a@1.2.3.4:5\r\n',
  'a fast-path call': 'POST /plain HTTP/1.1\r\nHost: h\r\n',
};
const BEFORE: Readonly<Record<string, string>> = {
  first: '',
  'after a message': 'POST /master/a.B HTTP/1.1\r\nLibprocess-From: a@1.2.3.4:5\r\n\r\n',
  'after a fast-path call': 'POST /plain HTTP/1.1\r\nContent-Length: 1\r\n\r\nz',
  'after a request': 'GET /g HTTP/1.1\r\nHost: h\r\n\r\n',
};
for (const [what, lines, body] of ambiguous) {
  test(`MESSAGE-PARSER-3: ${what} is refused by every reader, and nothing behind it is read`, async () => {
    const { port, messages } = await startHost();
    for (const [form, head] of Object.entries(REQUESTS)) {
      for (const [place, before] of Object.entries(BEFORE)) {
        messages.length = 0;
        const behind = 'POST /master/smuggled HTTP/1.1\r\nLibprocess-From: a@1.2.3.4:5\r\nContent-Length: 3\r\n\r\nbad';
        const answer = await exchange(port, `${before}${head}${lines}\r\n${body}${behind}`);
        const wanted = before === '' ? 1 : 2;
        const seen = statuses(answer);
        assert.match(seen.at(-1) ?? '', /^(400|501)$/, `${form} ${place}: ${answer}`);
        // Of a request before it the answer may be given up.
        assert.ok(seen.length <= wanted, `${form} ${place}: ${answer}`);
        assert.ok(!messages.includes('bad'), `${form} ${place}`);
      }
    }
  });
}

const heads: readonly (readonly [what: string, lines: string, status: RegExp])[] = [
  ['200 header lines', 'X: a\r\n'.repeat(197), /^200$/],
  ['more than 200 header lines', 'X: a\r\n'.repeat(3000), /^431$/],
  ['a header beyond 64 KiB', `X: ${'a'.repeat(70_000)}\r\n`, /^431$/],
  ['two hosts', 'Host: other\r\n', /^400$/],
];
for (const [what, lines, status] of heads) {
  test(`a head with ${what}`, async () => {
    const { port } = await startHost();
    assert.match(statuses(await exchange(port, `GET /g HTTP/1.1\r\nHost: h\r\n${last}${lines}\r\n`))[0] ?? '', status);
  });
}

test('PIPELINING-1: of 2000 requests in one packet each has its answer, in order', async () => {
  const { port } = await startHost();
  const requests = Array.from({ length: 2000 }, (_, i) =>
    i % 3 === 0
      ? `POST /${i} HTTP/1.1\r\nContent-Length: 8\r\n\r\n\r\n\r\n\r\n\r\n`
      : `GET /${i} HTTP/1.1\r\n${i === 1999 ? last : ''}\r\n`,
  );
  const answer = await exchange(port, requests.join(''));
  const seen = [...answer.matchAll(/^\/(\d+) undefined (\d+)/gm)].map(([, i, length]) => [Number(i), Number(length)]);
  assert.deepEqual(
    seen,
    requests.map((_, i) => [i, i % 3 === 0 ? 8 : 0]),
  );
});

test('PIPELINING-2: requests whose answers wait are read up to the limit, and go on when these are given', async () => {
  const waiting: ServerResponse[] = [];
  let most = 0;
  const { port } = await startHost({
    onRequest(_, response) {
      waiting.push(response);
      most = Math.max(most, waiting.length);
    },
  });
  const socket = open(port);
  let answers = 0;
  socket.on('data', (chunk: Buffer) => {
    answers += statuses(chunk.toString('latin1')).length;
  });
  socket.write('GET / HTTP/1.1\r\n\r\n'.repeat(1000));
  const deadline = Date.now() + 10_000;
  while (answers < 1000 && Date.now() < deadline) {
    for (const response of waiting.splice(0)) response.end('x');
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.equal(answers, 1000);
  assert.equal(most, 32);
});

test('PIPELINING-3: one turn of the event loop serves a limited number of requests of a connection', async () => {
  let inTurn = 0;
  let most = 0;
  const { port } = await startHost({
    onRequest(_, response) {
      if (inTurn === 0) {
        setImmediate(() => {
          most = Math.max(most, inTurn);
          inTurn = 0;
        });
      }
      inTurn++;
      response.end('x');
    },
  });
  const answer = await exchange(port, 'GET / HTTP/1.1\r\n\r\n'.repeat(999), `GET / HTTP/1.1\r\n${last}\r\n`);
  assert.equal(statuses(answer).length, 1000);
  assert.ok(most <= 64, `${most} requests in one turn`);
});
