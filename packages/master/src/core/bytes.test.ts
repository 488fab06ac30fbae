import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bytesOfUuid, isUuid } from './bytes.js';

const uuidOfVersion = (version: number): string => `01234567-89ab-${version.toString(16)}cde-8f01-23456789abcd`;

test('a uuid is the base64 of its 16 bytes', () => {
  for (const text of [
    uuidOfVersion(4),
    '00000000-0000-4000-8000-000000000001',
    'ffffffff-ffff-5fff-bfff-ffffffffffff',
  ]) {
    assert.equal(bytesOfUuid(text), Buffer.from(text.replaceAll('-', ''), 'hex').toString('base64'));
  }
});

test('16 bytes are a uuid if their version is 1 to 5', () => {
  const accepted = Array.from({ length: 16 }, (_, version) => version).filter((version) =>
    isUuid(bytesOfUuid(uuidOfVersion(version))),
  );
  assert.deepEqual(accepted, [1, 2, 3, 4, 5]);
});

test('other lengths and other characters are no uuid', () => {
  const uuid = bytesOfUuid(uuidOfVersion(4));
  for (const text of [
    '',
    uuid.slice(0, -2),
    `${uuid}=`,
    `A${uuid}`,
    `AA${uuid}`,
    `${uuid}AA`,
    uuid.replace(/^./, '-'),
  ]) {
    assert.equal(isUuid(text), false, text);
  }
});
