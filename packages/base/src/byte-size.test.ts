import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatByteSize, parseByteSize } from './byte-size.js';

test('byte sizes are parsed and formatted as by Mesos', () => {
  const table: readonly (readonly [text: string, bytes: number, written: string])[] = [
    ['0B', 0, '0B'],
    ['1023B', 1023, '1023B'],
    ['1024B', 1024, '1KB'],
    ['10kb', 10_240, '10KB'],
    ['1536KB', 1_572_864, '1536KB'],
    ['3MB', 3 * 2 ** 20, '3MB'],
    ['2GB', 2 ** 31, '2GB'],
    [' 5TB ', 5 * 2 ** 40, '5TB'],
    ['12tB', 12 * 2 ** 40, '12TB'],
  ];
  for (const [text, bytes, written] of table) {
    assert.deepEqual(parseByteSize(text), { ok: true, value: bytes }, text);
    assert.equal(formatByteSize(bytes), written);
  }
  for (const text of ['', '2', '2 GB', '-1MB', '1PB', 'MB', 'x1MB', '1MBx', '1.5MB']) {
    const expected = `expected a size such as 10MB (units B KB MB GB TB), got ${JSON.stringify(text)}`;
    assert.deepEqual(parseByteSize(text), { ok: false, error: expected });
  }
  fc.assert(
    fc.property(fc.nat(2 ** 40), (bytes) =>
      assert.deepEqual(parseByteSize(formatByteSize(bytes)), { ok: true, value: bytes }),
    ),
  );
});
