import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Pid } from '@meseta/base';
import type { Context } from './context.js';
import { link, unlink } from './links.js';
import { createWorld } from './testing.js';

const [first, second, other] = ['a@10.0.0.2:1', 'b@10.0.0.2:1', 'c@10.0.0.3:1'] as Pid[] as [Pid, Pid, Pid];

test('an address is watched for each linked pid; unlinking a pid that is not linked does nothing', () => {
  const world = createWorld();
  const ctx: Context = { state: world.master.state, now: world.now(), effects: [] };
  const linked = () => [...ctx.state.links].map(([address, pids]) => [address, [...pids]]);
  link(ctx, first);
  link(ctx, second);
  link(ctx, other);
  assert.deepEqual(linked(), [
    ['10.0.0.2:1', [first, second]],
    ['10.0.0.3:1', [other]],
  ]);
  unlink(ctx, first);
  unlink(ctx, first);
  assert.deepEqual(linked(), [
    ['10.0.0.2:1', [second]],
    ['10.0.0.3:1', [other]],
  ]);
  unlink(ctx, second);
  assert.deepEqual(linked(), [['10.0.0.3:1', [other]]]);
  assert.deepEqual(
    ctx.effects.map((effect) => `${effect.kind} ${'to' in effect ? effect.to : ''}`),
    [`link ${first}`, `link ${second}`, `link ${other}`, `unlink ${first}`, `unlink ${second}`],
  );
});
