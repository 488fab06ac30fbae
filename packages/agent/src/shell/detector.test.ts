import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLogger } from '@meseta/platform';
import { createDetector } from './detector.js';

const options = { sessionTimeoutMs: 10_000, log: createLogger({ component: 'test', level: 'silent' }) };

test('--master accepts an address or a file; an error says what is expected, without secrets', async () => {
  for (const flag of ['127.0.0.1:5050', 'master@127.0.0.1:5050']) {
    const detector = await createDetector(flag, options);
    assert.ok(detector.ok);
    const detected: unknown[] = [];
    detector.value.start((master) => detected.push(master));
    assert.deepEqual(detected, ['master@127.0.0.1:5050']);
    await detector.value.close();
  }
  for (const [flag, expected] of [
    ['127.0.0.1', /expected host:port/],
    ['127.0.0.1:99999', /expected host:port/],
    ['etcd://me:secret@127.0.0.1:2379', /the path is missing/],
    ['etcds://me:secret@127.0.0.1:2379/a?ca=/no/such/file', /^ca: can't read \/no\/such\/file/],
    ['zk://me:secret@127.0.0.1:2181', /the path is missing/],
    ['zk://me:secret@127.0.0.1:x/mesos', /is no HOST:PORT/],
    ['file:///no/such/file', /can't read \/no\/such\/file/],
  ] as const) {
    const detector = await createDetector(flag, options);
    assert(!detector.ok);
    assert.match(detector.error, expected);
    assert.doesNotMatch(detector.error, /secret/);
  }
});
