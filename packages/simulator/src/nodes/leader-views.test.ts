import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createMachine, type Machine } from '../engine/machine.js';
import { QUIET_NETWORK } from '../engine/network.js';
import { createWorld } from '../world.js';
import { createLeaderViews } from './leader-views.js';

test('an address with stale reads reads the leader of their beginning, also after a restart, and the new one when they end', () => {
  const world = createWorld({ seed: 1, encoded: false, network: QUIET_NETWORK });
  const [a, b] = ['a', 'b'].map((name) => createMachine(name, `${name}:1`, 1)) as [Machine, Machine];
  let leader: Machine | undefined = a;
  const views = createLeaderViews(world, world.random('election'), () => leader);
  const read = new Map<string, string | undefined>();
  const watchers = ['stale:1', 'fresh:1'].map((address) => ({
    address,
    isListening: () => true,
    leaderChanged: (it: Machine | undefined) => void read.set(address, it?.name),
  }));
  for (const watcher of watchers) views.watch(watcher);
  const poll = (): void => {
    for (let round = 0; round < 50; round++) views.notifyAll();
  };
  poll();
  views.readStale('stale:1', 10_000);
  leader = b;
  poll();
  assert.deepEqual([read.get('stale:1'), read.get('fresh:1')], ['a', 'b']);
  read.clear();
  for (const watcher of watchers) views.forget(watcher);
  poll();
  assert.deepEqual([read.get('stale:1'), read.get('fresh:1')], ['a', 'b']);
  world.timeline.runUntil(10_000);
  poll();
  assert.equal(read.get('stale:1'), 'b');
});
