import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createProcesses } from './processes.js';

const { run } = createProcesses();
const limits = { timeoutMs: 10_000 };

test("a helper does not get this process' environment, which may hold secrets", async (t) => {
  process.env['MESETA_TEST_SECRET'] = 'hunter2';
  t.after(() => delete process.env['MESETA_TEST_SECRET']);
  const shown = async (environment?: Record<string, string>): Promise<readonly string[]> => {
    const done = await run({ program: 'env', arguments: [], environment }, limits);
    assert.ok(done.ok && done.value.end.kind === 'exited' && done.value.end.code === 0);
    return done.value.stdout.trim().split('\n');
  };
  assert.deepEqual(await shown(), ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin']);
  assert.deepEqual(await shown({ A: 'b', PATH: '/bin:/usr/bin' }), ['A=b', 'PATH=/bin:/usr/bin']);
});

test('a program reads its input completely, or ends without reading it', async () => {
  const input = 'x'.repeat(1_000_000);
  const counted = await run({ program: 'wc', arguments: ['-c'], input }, limits);
  assert.equal(counted.ok && counted.value.stdout.trim(), '1000000');
  const careless = await run({ program: 'true', arguments: [], input }, limits);
  assert.deepEqual(careless.ok && careless.value.end, { kind: 'exited', code: 0 });
  const nothing = await run({ program: 'cat', arguments: [] }, limits);
  assert.equal(nothing.ok && nothing.value.stdout, '');
});
