// Both sides of CRAM-MD5, message by message.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { LibprocessMessage } from '@meseta/wire';
import { challengeOf, createCramMd5Client, createCramMd5Server } from './cram-md5.js';

const secrets = new Map([
  ['alice', 'a:secret'],
  ['bob builder', 'b'],
]);

const dataOf = (text: string): string => Buffer.from(text).toString('base64');

test('CRAM-MD5: the example of RFC 2195, both sides', () => {
  const challenge = '<1896.697170952@postoffice.reston.mci.net>';
  const client = createCramMd5Client({ principal: 'tim', secret: 'tanstaaftanstaaf' }, 'agent@h:1');
  const server = createCramMd5Server(new Map([['tim', 'tanstaaftanstaaf']]), challenge);
  assert.deepEqual(client.begin(), { name: 'AuthenticateMessage', body: { pid: 'agent@h:1' } });
  const sent: LibprocessMessage[] = [server.begin()];
  let message = sent[0];
  let outcome: unknown;
  for (const side of [client, server, client, server, client]) {
    if (message === undefined) break;
    const { replies, end } = side.receive(message);
    message = replies[0];
    outcome = end;
    sent.push(...replies);
  }
  assert.deepEqual(
    sent.map(({ name }) => name),
    [
      'AuthenticationMechanismsMessage',
      'AuthenticationStartMessage',
      'AuthenticationStepMessage',
      'AuthenticationStepMessage',
      'AuthenticationCompletedMessage',
    ],
  );
  assert.deepEqual(sent[2]?.body, { data: dataOf(challenge) });
  assert.deepEqual(sent[3]?.body, { data: dataOf('tim b913a602c7eda7a495b4e6e7334d3890') });
  assert.deepEqual(outcome, { kind: 'authenticated', principal: 'tim' });
});

const start = (more = {}): LibprocessMessage => ({
  name: 'AuthenticationStartMessage',
  body: { mechanism: 'CRAM-MD5', ...more },
});

const step = (text: string): LibprocessMessage => ({
  name: 'AuthenticationStepMessage',
  body: { data: Buffer.from(text).toString('base64') },
});

const ends = (message: string) => ({
  replies: [{ name: 'AuthenticationErrorMessage', body: { error: message } }],
  end: { kind: 'failed', reason: message },
});

test('CRAM-MD5: wrong answers of known and unknown principals are rejected alike', () => {
  for (const principal of ['alice', 'eve']) {
    const server = createCramMd5Server(secrets, '<1@h>');
    server.receive(start());
    assert.deepEqual(server.receive(step(`${principal} ${'0'.repeat(32)}`)), {
      replies: [{ name: 'AuthenticationFailedMessage', body: {} }],
      end: { kind: 'refused' },
    });
  }
});

test('CRAM-MD5: the client ignores results that come before its answer', () => {
  const client = createCramMd5Client({ principal: 'alice', secret: 's' }, 'p@h:1');
  for (const name of ['AuthenticationCompletedMessage', 'AuthenticationFailedMessage'] as const) {
    assert.deepEqual(client.receive({ name, body: {} }), { replies: [] });
  }
});

test('CRAM-MD5: the server ends a session at a message out of turn, with the reason', () => {
  const secrets = new Map([
    ['a b', 's'],
    ['e', ''],
  ]);
  const lastStepOf = (...messages: LibprocessMessage[]) => {
    const server = createCramMd5Server(secrets, '<1@h>');
    return messages.map((message) => server.receive(message)).at(-1);
  };
  const challenge = {
    replies: [{ name: 'AuthenticationStepMessage', body: { data: Buffer.from('<1@h>').toString('base64') } }],
  };
  const why = "field 'data': expected a principal and its answer to the challenge";
  assert.deepEqual(lastStepOf(start()), challenge);
  assert.deepEqual(lastStepOf(start({ data: '' })), challenge);
  assert.deepEqual(lastStepOf(start({ mechanism: 'PLAIN' })), ends("field 'mechanism': expected CRAM-MD5"));
  assert.deepEqual(
    lastStepOf(start({ data: 'YQ==' })),
    ends("field 'data': expected none, as in CRAM-MD5 the server sends first"),
  );
  assert.deepEqual(lastStepOf(start(), start()), ends("unexpected authentication 'start'"));
  assert.deepEqual(lastStepOf(start(), step('nospace'), start()), ends("unexpected authentication 'start'"));
  assert.deepEqual(lastStepOf(step('a x')), ends("unexpected authentication 'step'"));
  assert.deepEqual(lastStepOf(start(), step('nospace'), step('a x')), ends("unexpected authentication 'step'"));
  assert.deepEqual(lastStepOf(start(), step('nospace')), ends(why));
  assert.deepEqual(lastStepOf(start(), step(' x')), ends(why));
  assert.deepEqual(lastStepOf(start(), step(`${'x'.repeat(1023)} y`)), ends(why));
  const refused = { replies: [{ name: 'AuthenticationFailedMessage', body: {} }], end: { kind: 'refused' } };
  assert.deepEqual(lastStepOf(start(), step(`${'x'.repeat(1022)} y`)), refused);
  assert.deepEqual(lastStepOf(start(), step('unknown e4ab7ec43ec1d6d0bfb4ee5f22cd4dd1')), refused);
  const other: LibprocessMessage = { name: 'PongAgentMessage', body: {} };
  assert.deepEqual(lastStepOf(other), ends("expected 'start' or 'step', got PongAgentMessage"));
});

test('CRAM-MD5: a challenge holds a random text, the millisecond and the host', () => {
  assert.equal(challengeOf('r', 1234.7, 'h'), '<r.1234@h>');
});

test('CRAM-MD5: no answer is correct for a principal without a secret', () => {
  const client = createCramMd5Client({ principal: 'ghost', secret: '' }, 'p@h:1');
  client.receive({ name: 'AuthenticationMechanismsMessage', body: { mechanisms: ['CRAM-MD5'] } });
  const [answer] = client.receive(step('<1@h>')).replies;
  const server = createCramMd5Server(new Map(), '<1@h>');
  server.receive(start());
  assert.deepEqual(server.receive(answer as LibprocessMessage).end, { kind: 'refused' });
});
