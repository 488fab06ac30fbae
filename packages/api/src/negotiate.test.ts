import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MasterCallCodec } from '@meseta/wire/codecs';
import { decodeBody, responseType, statusOf } from './index.js';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

test('a body is decoded by its Content-Type, or refused with the status of Mesos', () => {
  const table: readonly (readonly [type: string | undefined, body: Uint8Array, status: number])[] = [
    [undefined, bytes('{"type":"GET_HEALTH"}'), 400],
    ['text/plain', bytes('{"type":"GET_HEALTH"}'), 415],
    ['application/json; charset=utf-8', bytes('{"type":"GET_HEALTH"}'), 415],
    ['application/json', bytes(''), 400],
    ['application/json', bytes('x'), 400],
    ['application/json', bytes('[]'), 400],
    ['application/json', bytes('7'), 400],
    ['application/json', bytes('{"type":"GET_HEALTH"}'), 200],
    ['application/x-protobuf', MasterCallCodec.encode({ type: 'GET_HEALTH' }), 200],
    ['application/x-protobuf', Uint8Array.of(255, 255), 400],
  ];
  for (const [type, body, status] of table) {
    const decoded = decodeBody(type, body, MasterCallCodec);
    assert.equal(decoded.ok ? 200 : statusOf(decoded.error.code), status, `${type} ${body}`);
    if (!decoded.ok) assert.notEqual(decoded.error.text, '');
  }
});

test('the response is JSON if Accept allows it', () => {
  const table: readonly (readonly [accept: string | undefined, type: string | undefined])[] = [
    [undefined, 'application/json'],
    ['*/*', 'application/json'],
    ['application/x-protobuf', 'application/x-protobuf'],
    ['application/x-protobuf, application/json', 'application/json'],
    ['application/json;q=0, application/*', 'application/x-protobuf'],
    ['text/html', undefined],
  ];
  for (const [accept, type] of table) {
    const answer = responseType(accept);
    assert.equal(answer.ok ? answer.value : undefined, type, accept);
    if (!answer.ok) assert.equal(statusOf(answer.error.code), 406);
  }
});
