import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { crc32, tableCrc32 } from './crc32.js';

test('CRC-32 has the check value of IEEE 802.3, in parts too, by the table and by zlib', () => {
  assert.equal(tableCrc32(Buffer.from('123456789'), 0), 0xcbf43926);
  assert.equal(tableCrc32(Buffer.alloc(0), 0), 0);
  assert.equal(tableCrc32('123456789', 0), 0xcbf43926);
  for (const each of [crc32, tableCrc32]) assert.equal(each('key €', 7), each(Buffer.from('key €'), 7));
  fc.assert(
    fc.property(fc.uint8Array(), fc.uint8Array(), (a, b) => {
      assert.equal(tableCrc32(b, tableCrc32(a, 0)), tableCrc32(Buffer.concat([a, b]), 0));
      assert.equal(crc32(b, crc32(a, 0)), tableCrc32(b, tableCrc32(a, 0)));
    }),
  );
});
