import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Pid, pidOf } from '@meseta/base';
import { DEFAULT_MASTER_OPTIONS } from '@meseta/master/core/options';
import { QUIET_NETWORK } from '../engine/network.js';
import { createPeers } from '../engine/peers.js';
import { createMasters } from '../nodes/masters.js';
import { createWorld } from '../world.js';
import type { FrameworkPlan } from './framework-plan.js';
import { startFramework } from './scripts.js';

const PLAN: FrameworkPlan = {
  kind: 'failover',
  role: 'red',
  partitionAware: true,
  checkpoint: true,
  failoverTimeoutMs: 3_600_000,
  alive: 1,
  total: 1,
  longestTaskMs: 5_000,
  launches: 'commands',
  reconcilesAtRandom: false,
  speaks: 'driver',
};

test('a framework is started again when each of its processes was replaced by another', () => {
  const world = createWorld({ seed: 1, encoded: false, network: QUIET_NETWORK });
  const masters = createMasters(world, 1, DEFAULT_MASTER_OPTIONS, [1]);
  const { clients, quiesce } = startFramework(world, masters, 0, PLAN);
  quiesce();
  world.timeline.runUntil(10_000);
  assert.equal(clients[0]?.connected, true);

  const [first] = clients;
  const master = createPeers({
    network: world.network,
    address: masters.machines[0]?.address ?? '',
    encoded: false,
    onMessage: () => {},
    onPeerLost: () => {},
  });
  const driver = pidOf(`scheduler-${first?.name}`, first?.address ?? '') as Pid;
  const body = { message: 'Framework failed over' };
  master.send(driver, 'master', { name: 'FrameworkErrorMessage', body });
  world.timeline.runUntil(11_000);
  assert.equal(first?.replaced, true);
  assert.equal(first?.connected, false);

  world.timeline.runUntil(75_000);
  assert(clients.some(({ connected }) => connected));
});

test('of a framework without an id, one process runs at a time', () => {
  const world = createWorld({ seed: 1, encoded: false, network: QUIET_NETWORK });
  const masters = createMasters(world, 1, DEFAULT_MASTER_OPTIONS, [1]);
  masters.crash(0, 'reset', 10_000_000);
  const { clients } = startFramework(world, masters, 0, PLAN);
  world.timeline.runUntil(1_200_000);
  assert(clients.length > 10);
  assert.equal(clients.filter(({ stopped }) => !stopped).length, 1);
});
