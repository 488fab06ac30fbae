import assert from 'node:assert/strict';
import { test } from 'node:test';
import { acceptedType, accepts, bodyType, JSON_TYPE, MEDIA_TYPES, PROTOBUF_TYPE, RECORDIO_TYPE } from './media.js';

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
  [`;${JSON_TYPE};;q=1,${PROTOBUF_TYPE}`, JSON_TYPE],
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

test('Content-Type must match a media type exactly', () => {
  assert.equal(bodyType(JSON_TYPE), JSON_TYPE);
  assert.equal(bodyType(PROTOBUF_TYPE), PROTOBUF_TYPE);
  for (const other of ['', 'application/JSON', `${JSON_TYPE}; charset=utf-8`, ` ${JSON_TYPE}`, 'text/plain']) {
    assert.equal(bodyType(other), undefined, other);
  }
});

test('media types: Accept and Content-Type of each type', () => {
  assert.equal(RECORDIO_TYPE, 'application/recordio');
  assert.deepEqual(MEDIA_TYPES, ['application/json', 'application/x-protobuf']);
  assert.equal(bodyType(RECORDIO_TYPE), undefined);
  const table: readonly (readonly [accept: string | undefined, accepted: boolean])[] = [
    [undefined, true],
    ['application/recordio', true],
    ['application/*', true],
    ['*/*', true],
    ['*', false],
    ['application/recordio;q=0.001', true],
    ['application/recordio;q=-1', false],
    ['application/recordio;q=0;q=1', true],
    ['application/recordio;v=1;q=0', false],
    [' application/recordio\t;\nq = 0', false],
    ['application/recordio;q=0,application/recordio', false],
    ['application/*;q=0,*/*', false],
  ];
  for (const [accept, accepted] of table) assert.equal(accepts(accept, RECORDIO_TYPE), accepted, accept);
});
