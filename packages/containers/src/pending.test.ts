import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ContainerId, ok } from '@meseta/base';
import { createPendingOperations } from './pending.js';
import { planContext, spec } from './testing/plans.js';

test('a call of an isolator is pending until it ends, also if it fails', async () => {
  const { track, list } = createPendingOperations();
  let release = (): void => {};
  const gate = new Promise<void>((resolve) => {
    release = resolve;
  });
  const isolator = track({
    name: 'test/slow',
    supports: () => ok(undefined),
    async prepare() {
      await gate;
      return ok({});
    },
    async cleanUp() {
      await gate;
      throw new Error('broken');
    },
  });
  const prepared = isolator.prepare?.(spec, {
    owner: undefined,
    host: planContext.host,
    signal: new AbortController().signal,
  });
  const cleaned = assert.rejects(isolator.cleanUp?.('d' as ContainerId) ?? Promise.resolve(), /broken/);
  assert.deepEqual(list(), [
    { operation: 'prepare', component: 'test/slow', args: { containerId: 'c' } },
    { operation: 'cleanup', component: 'test/slow', args: { containerId: 'd' } },
  ]);
  assert.equal(isolator.update, undefined);
  release();
  assert.deepEqual(await prepared, ok({}));
  await cleaned;
  assert.deepEqual(list(), []);
});
