import assert from 'node:assert/strict';
import { test } from 'node:test';
import { throttlingOfVersion1, throttlingOfVersion2 } from './cgroups-blkio.js';

const device = { major_number: 8, minor_number: 16 };

test('statistics of version 1: each device with its operations, then the total of all', () => {
  const serviced = '8:16 Read 3\n8:16 Write 1\n8:16 Sync 4\n8:16 Async 0\n8:16 Discard 0\n8:16 Total 4\nTotal 4\n';
  const bytes = '8:16 Read 12288\n8:16 Total 12288\nTotal 12288\n';
  const [first, total, ...others] = throttlingOfVersion1(serviced, bytes);
  assert.deepEqual(first?.device, device);
  assert.deepEqual(first?.io_serviced?.slice(0, 2), [
    { op: 'READ', value: 3 },
    { op: 'WRITE', value: 1 },
  ]);
  assert.deepEqual(first?.io_service_bytes, [
    { op: 'READ', value: 12288 },
    { op: 'TOTAL', value: 12288 },
  ]);
  assert.deepEqual(total, {
    io_serviced: [{ op: 'TOTAL', value: 4 }],
    io_service_bytes: [{ op: 'TOTAL', value: 12288 }],
  });
  assert.equal(others.length, 0);
  assert.deepEqual(throttlingOfVersion1(undefined, 'x\n1 2 3 4\n'), []);
});

test('statistics of version 2 have the same form; a device without numbers is left out', () => {
  const text = '8:16 rbytes=4096 wbytes=8192 rios=1 wios=2 dbytes=0 dios=0\n254:0 \n259:1\n';
  const [first, total, ...others] = throttlingOfVersion2(text);
  assert.deepEqual(first?.device, device);
  assert.deepEqual(first?.io_serviced, [
    { op: 'READ', value: 1 },
    { op: 'WRITE', value: 2 },
    { op: 'DISCARD', value: 0 },
    { op: 'TOTAL', value: 3 },
  ]);
  assert.deepEqual(total, {
    io_serviced: [{ op: 'TOTAL', value: 3 }],
    io_service_bytes: [{ op: 'TOTAL', value: 12288 }],
  });
  assert.equal(others.length, 0);
});
