import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRandom } from '@meseta/base';
import { base64ToBytes } from './base64.js';
import { isUuid, isUuidBytes, randomUuidBytes, uuidBase64, uuidText } from './uuid.js';

test('a uuid is 16 bytes with a version from 1 to 5', () => {
  const text = '82a7055f-0b15-46db-9d2d-ac08fd597e89';
  const base64 = uuidBase64(text) ?? '';
  assert.equal(Buffer.from(base64, 'base64').toString('hex'), text.replaceAll('-', ''));
  assert.equal(uuidText(base64), text);
  for (let version = 0; version < 16; version++) {
    const other = `82a7055f-0b15-${version.toString(16)}6db-9d2d-ac08fd597e89`;
    assert.equal(uuidBase64(other) !== undefined, version >= 1 && version <= 5, other);
  }
  for (const bytes of [0, 15, 17]) assert.ok(!isUuid(Buffer.alloc(bytes, 0x44).toString('base64')));
  assert.ok(isUuid(Buffer.alloc(16, 0x44).toString('base64')));
  assert.equal(uuidText('~'), undefined);
  assert.equal(uuidBase64(`${text}0`), undefined);
});

test('a uuid is converted from text to bytes and back; other text and bytes are none', () => {
  const text = '82a7055f-0b15-46db-9d2d-ac08fd597e89';
  for (const other of [text.toUpperCase(), text]) assert.equal(uuidText(uuidBase64(other) ?? ''), text);
  const bad = [
    `x${text}`,
    `${text}x`,
    text.slice(1),
    text.replace('-', ''),
    text.replaceAll('-', '_'),
    text.replace('8', 'g'),
  ];
  for (const other of bad) assert.equal(uuidBase64(other), undefined, other);
  const bytes = base64ToBytes(uuidBase64(text) ?? '') as Uint8Array;
  for (const [version, isUuid] of [
    [0x0f, false],
    [0x10, true],
    [0x5f, true],
    [0x60, false],
  ] as const)
    assert.equal(isUuidBytes(Uint8Array.from(bytes, (byte, i) => (i === 6 ? version : byte))), isUuid);
  assert.equal(isUuidBytes(new Uint8Array(0)), false);
  assert.equal(uuidText(Buffer.from(bytes.subarray(1)).toString('base64')), undefined);
});

test('a random uuid is of version 4, and the base64 of its 16 bytes', () => {
  const random = seededRandom(1);
  for (let i = 0; i < 20; i++) {
    const base64 = randomUuidBytes(random);
    const bytes = Buffer.from(base64, 'base64');
    assert.equal(bytes.toString('base64'), base64);
    assert.deepEqual([bytes.length, (bytes[6] as number) >> 4, (bytes[8] as number) >> 6], [16, 4, 2]);
  }
});
