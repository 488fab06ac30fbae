import assert from 'node:assert/strict';
import { test } from 'node:test';
import { detectMaster } from './detector.js';

test('--master accepts an address or a file; an error says what is expected', async () => {
  assert.deepEqual(await detectMaster('127.0.0.1:5050'), { ok: true, value: 'master@127.0.0.1:5050' });
  assert.deepEqual(await detectMaster('master@127.0.0.1:5050'), { ok: true, value: 'master@127.0.0.1:5050' });
  for (const [flag, expected] of [
    ['127.0.0.1', /expected host:port/],
    ['127.0.0.1:99999', /expected host:port/],
    ['zk://127.0.0.1:2181/mesos', /zk:\/\/ is not supported yet/],
    ['file:///no/such/file', /can't read \/no\/such\/file/],
  ] as const) {
    const detected = await detectMaster(flag);
    assert(!detected.ok);
    assert.match(detected.error, expected);
  }
});
