import assert from 'node:assert/strict';
import { test } from 'node:test';
import { acceptedType, bodyType, JSON_TYPE, PROTOBUF_TYPE } from './media.js';

const ACCEPT: readonly (readonly [accept: string | undefined, type: string | undefined])[] = [
  [undefined, JSON_TYPE],
  ['*/*', JSON_TYPE],
  ['application/*', JSON_TYPE],
  [JSON_TYPE, JSON_TYPE],
  [PROTOBUF_TYPE, PROTOBUF_TYPE],
  ['APPLICATION/X-Protobuf', PROTOBUF_TYPE],
  [`${PROTOBUF_TYPE}, ${JSON_TYPE};q=0.1`, JSON_TYPE],
  [`${JSON_TYPE}; q=0, ${PROTOBUF_TYPE}`, PROTOBUF_TYPE],
  [`${JSON_TYPE};q=0.0,*/*`, PROTOBUF_TYPE],
  [`*/*;q=0,${PROTOBUF_TYPE}`, PROTOBUF_TYPE],
  [`${JSON_TYPE};q=`, JSON_TYPE],
  [`;${JSON_TYPE};;q=0,${PROTOBUF_TYPE}`, PROTOBUF_TYPE],
  [`${JSON_TYPE};q=x`, undefined],
  [`text/html, ${JSON_TYPE};charset=utf-8`, JSON_TYPE],
  ['application/xml', undefined],
  ['text/*', undefined],
  ['*/*;q=0', undefined],
  ['', undefined],
  [',;,', undefined],
];

for (const [accept, type] of ACCEPT) {
  test(`Accept: ${accept ?? '(none)'} gives ${type ?? 'no acceptable type'}`, () =>
    assert.equal(acceptedType(accept), type));
}

test('Content-Type is compared as a whole', () => {
  assert.equal(bodyType(JSON_TYPE), JSON_TYPE);
  assert.equal(bodyType(PROTOBUF_TYPE), PROTOBUF_TYPE);
  for (const other of ['', 'application/JSON', `${JSON_TYPE}; charset=utf-8`, ` ${JSON_TYPE}`, 'text/plain']) {
    assert.equal(bodyType(other), undefined, other);
  }
});
