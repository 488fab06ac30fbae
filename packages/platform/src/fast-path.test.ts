import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { after, test } from 'node:test';
import type { CallResponse } from './fast-path.js';
import { createHost, type Host } from './host.js';
import { until } from './testing/until.js';

const opened: (() => unknown)[] = [];
after(async () => {
  for (const close of opened) await close();
});

interface Taken {
  readonly host: Host;
  readonly calls: string[];
  /** Of calls with the body `later`. */
  readonly later: ((answer: CallResponse) => void)[];
}

/** Takes calls of /api, but those with the body `no`; node:http answers everything with what it is. */
async function hostOfCalls(): Promise<Taken> {
  const calls: string[] = [];
  const later: Taken['later'] = [];
  const made = await createHost({
    ip: '127.0.0.1',
    port: 0,
    onMessage: () => 'accepted',
    onRequest(request, response) {
      let body = '';
      request.on('data', (bytes) => {
        body += bytes;
      });
      request.on('end', () => response.end(`http ${request.method} ${request.url} ${body.length}`));
    },
    fastPath: {
      targets: new Set(['/api']),
      headers: { 'X-Own': 'yes' },
      tryHandle(head, body, answer) {
        const text = Buffer.from(body).toString('latin1');
        if (text === 'no') return false;
        calls.push(text.slice(0, 10));
        if (text === 'later') later.push(answer);
        else if (text === 'bad') answer({ status: 400, text: 'é', headers: { Allow: 'b' } });
        else if (head.headers['x'] === 'now') answer({ status: 202 });
        else setImmediate(answer, { status: 202 });
        return true;
      },
    },
    onPeerLost() {},
  });
  assert.ok(made.ok);
  opened.push(() => made.value.close());
  return { host: made.value, calls, later };
}

const call = (body: string, header = '', target = '/api'): string =>
  `POST ${target} HTTP/1.1\r\nHost: a\r\n${header}Content-Length: ${body.length}\r\n\r\n${body}`;
const get = 'GET /state HTTP/1.1\r\n\r\n';
const message = 'POST /master/a.Name HTTP/1.1\r\nLibprocess-From: x(1)@127.0.0.1:1\r\n\r\n';

interface Talk {
  readonly socket: Socket;
  said(): string;
  readonly ended: Promise<unknown>;
}

function talk(host: Host): Talk {
  const socket = connect({ port: host.bound.port, host: '127.0.0.1', noDelay: true });
  let text = '';
  socket.on('data', (bytes) => {
    text += bytes.toString('utf8');
  });
  opened.push(() => socket.destroy());
  return { socket, said: () => text, ended: new Promise((resolve) => socket.once('close', resolve)) };
}

/** What was answered, and by whom. */
const answers = (text: string): string[] =>
  [...text.matchAll(/HTTP\/1\.1 (\d+)[\s\S]*?\r\n\r\n(http \S+ \S+ \d+)?/g)].map(([, status, http]) =>
    http === undefined ? String(status) : http,
  );

const large = 'x'.repeat(2 ** 20 + 1);
const mixes: readonly (readonly [name: string, sent: string, answered: string[], taken: string[]])[] = [
  ['one', call('a'), ['202'], ['a']],
  ['one without a body', call(''), ['202'], ['']],
  ['three in one packet', call('a') + call('b', 'X: now\r\n') + call('c'), ['202', '202', '202'], ['a', 'b', 'c']],
  ['refused ones', call('bad') + call('bad') + call('a'), ['400', '400', '202'], ['bad', 'bad', 'a']],
  ['not taken', call('a') + call('no') + call('b'), ['202', 'http POST /api 2', 'http POST /api 1'], ['a']],
  ['another path', call('a') + call('b', '', '/other'), ['202', 'http POST /other 1'], ['a']],
  ['a path with a query', call('a', '', '/api?x=1'), ['http POST /api?x=1 1'], []],
  ['then a GET', call('a') + get + call('b'), ['202', 'http GET /state 0', 'http POST /api 1'], ['a']],
  ['after a message', message + call('a'), ['202', '202'], ['a']],
  ['then a message', call('a') + message + get, ['202', '202', 'http GET /state 0'], ['a']],
  [
    'in chunks',
    `${call('a')}POST /api HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nbc\r\n0\r\n\r\n`,
    ['202', 'http POST /api 2'],
    ['a'],
  ],
];

for (const [name, sent, answered, taken] of mixes) {
  for (const cut of ['whole', 'byte by byte', 'whole, then the end'] as const) {
    test(`FAST-PATH-2: ${name}, ${cut}`, async () => {
      const { host, calls } = await hostOfCalls();
      const { socket, said, ended } = talk(host);
      if (cut === 'byte by byte') {
        for (const byte of Buffer.from(sent, 'latin1')) {
          socket.write(Buffer.of(byte));
          await new Promise((resolve) => setImmediate(resolve));
        }
      } else if (cut === 'whole') socket.write(sent, 'latin1');
      else {
        socket.end(sent, 'latin1');
        await ended;
      }
      await until(said, () => answers(said()).length >= answered.length);
      assert.deepEqual(answers(said()), answered);
      assert.deepEqual(calls, taken);
    });
  }
}

test('FAST-PATH-2: a body over the limit of fast-path calls goes to node:http', async () => {
  const { host, calls } = await hostOfCalls();
  const { socket, said } = talk(host);
  socket.write(call('a') + call(large), 'latin1');
  await until(said, () => answers(said()).length === 2);
  assert.deepEqual(answers(said()), ['202', `http POST /api ${large.length}`]);
  assert.deepEqual(calls, ['a']);
});

test('an answer has the form of those of node:http and the headers of all answers', async () => {
  const { host } = await hostOfCalls();
  const { socket, said } = talk(host);
  socket.write(call('bad') + call('a'), 'latin1');
  await until(said, () => answers(said()).length === 2);
  const dateless = said().replaceAll(/Date: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT\r\n/g, '');
  assert.equal(
    dateless,
    'HTTP/1.1 400 Bad Request\r\nX-Own: yes\r\nAllow: b\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\né' +
      'HTTP/1.1 202 Accepted\r\nX-Own: yes\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n',
  );
});

test('FAST-PATH-1: the next call waits for the answer to the one before', async () => {
  const { host, calls, later } = await hostOfCalls();
  const { socket, said } = talk(host);
  socket.write(call('later') + call('a') + get, 'latin1');
  await until(
    () => calls.join(),
    () => later.length === 1,
  );
  socket.write(call('b'));
  const other = talk(host);
  other.socket.write(call('c'));
  await until(other.said, () => answers(other.said()).length === 1);
  assert.deepEqual(calls, ['later', 'c']);
  assert.equal(said(), '');
  later[0]?.({ status: 202 });
  await until(said, () => answers(said()).length === 4);
  assert.deepEqual(answers(said()), ['202', '202', 'http GET /state 0', 'http POST /api 1']);
});

test('half a call and the end of the client is answered 400; after a reset nothing is written', async () => {
  const { host, calls, later } = await hostOfCalls();
  const half = talk(host);
  half.socket.end(call('a') + call('abc').slice(0, -1), 'latin1');
  await half.ended;
  assert.deepEqual(answers(half.said()), ['202', '400']);
  const gone = talk(host);
  gone.socket.write(call('later') + call('b'), 'latin1');
  await until(
    () => calls.join(),
    () => later.length === 1,
  );
  gone.socket.resetAndDestroy();
  await gone.ended;
  await new Promise((resolve) => setTimeout(resolve, 20));
  later[0]?.({ status: 202 });
  const next = talk(host);
  next.socket.write(call('c'), 'latin1');
  await until(next.said, () => answers(next.said()).length === 1);
  assert.equal(calls.at(-1), 'c');
});

test('FAST-PATH-3: from a client that reads no answers no more is read', async () => {
  const { host, calls } = await hostOfCalls();
  const { socket } = talk(host);
  socket.pause();
  const sent = 400_000;
  const all = Buffer.from(call('a', 'X: now\r\n').repeat(sent), 'latin1');
  socket.write(all);
  let before = -1;
  while (before !== calls.length) {
    before = calls.length;
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
  assert.ok(calls.length < sent, `${calls.length} calls were taken`);
});
