import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatResources, quantitiesToRecord } from '@meseta/resources';
import type { Resource } from '@meseta/wire';
import {
  allocateToClient,
  changeFree,
  isOfferable,
  markAllocated,
  releaseAllAllocations,
  releaseAllocation,
} from './allocations.js';
import { startMaintenance } from './inverse-offers.js';
import { res, sharedVolume } from './testing/cluster.js';
import { testState } from './testing/state.js';

const volume = sharedVolume('a');

/** The agent A with cpus and a shared volume, and a client of the framework f in the role a. */
function setup() {
  const test = testState();
  const { state } = test;
  const agent = test.agent('A', [...res('cpus:4;mem:100'), volume]);
  test.framework('f', ['a'], ['SHARED_RESOURCES']);
  const client = test.client('f', 'a');
  const role = test.role('a');
  const bundleOf = (text: string, ...more: Resource[]) => state.table.intern([...res(text), ...more]);
  const amounts = (vector: readonly number[]) => quantitiesToRecord(state.dimensions.quantitiesOf(vector));
  const books = () => ({
    free: formatResources(agent.free.bundle.resources),
    available: amounts(state.available),
    share: amounts(client.entry.allocation),
    consumed: amounts(role.consumedOrOffered),
    allocated: amounts(role.consumed),
  });
  return { state, agent, client, bundleOf, books };
}

const VOLUME = 'disk(reservations: [(DYNAMIC,a)])[v:p]<SHARED>:10';

test('ALLOCATOR-2, ALLOCATOR-3: offers, use and return change the free resources, shares and consumption', () => {
  const { state, agent, client, bundleOf, books } = setup();
  const before = books();
  assert.deepEqual(before, {
    free: `cpus:4; mem:100; ${VOLUME}`,
    available: { cpus: 4, mem: 100 },
    share: {},
    consumed: { disk: 10 },
    allocated: { disk: 10 },
  });
  allocateToClient(state, agent, client, bundleOf('cpus:3'), false);
  assert.equal(client.allocationCount, 1);
  const offered = {
    free: `cpus:1; mem:100; ${VOLUME}`,
    available: { cpus: 1, mem: 100 },
    share: { cpus: 3 },
    consumed: { cpus: 3, disk: 10 },
    allocated: { disk: 10 },
  };
  assert.deepEqual(books(), offered);
  markAllocated(state, agent, client, bundleOf('cpus:2'));
  assert.deepEqual(books(), { ...offered, allocated: { cpus: 2, disk: 10 } });
  releaseAllocation(state, agent, client, bundleOf('cpus:1'), undefined);
  assert.deepEqual(books().allocated, { cpus: 2, disk: 10 }, 'the offered part is returned first');
  releaseAllocation(state, agent, client, bundleOf('cpus:1'), undefined);
  assert.deepEqual(books().allocated, { cpus: 1, disk: 10 });
  releaseAllocation(state, agent, client, bundleOf('cpus:1'), true);
  assert.deepEqual([books(), client.allocationCount, agent.allocations.size], [before, 0, 0]);
});

test('resources in use at once, and more of them, count as allocated', () => {
  const { state, agent, client, bundleOf, books } = setup();
  for (const text of ['cpus:1', 'cpus:2;mem:10']) {
    allocateToClient(state, agent, client, bundleOf(text), true);
  }
  assert.deepEqual(books().allocated, { cpus: 3, mem: 10, disk: 10 });
  assert.equal(client.allocationCount, 1);
  assert.throws(() => markAllocated(state, agent, client, bundleOf('cpus:1')), /that were not offered to it/);
  assert.throws(
    () => releaseAllocation(state, agent, client, bundleOf('cpus:4'), true),
    /that are not offered or allocated to it/,
  );
  allocateToClient(state, agent, client, bundleOf('cpus:1'), false);
  assert.throws(() => releaseAllocation(state, agent, client, bundleOf('cpus:4'), true), /were not allocated/);
});

test('copies of a shared resource stay free and count once in shares', () => {
  const { state, agent, client, bundleOf, books } = setup();
  const copy = bundleOf('cpus:1', volume);
  allocateToClient(state, agent, client, copy, true);
  allocateToClient(state, agent, client, copy, true);
  assert.deepEqual([books().free, books().share], [`cpus:2; mem:100; ${VOLUME}`, { cpus: 2, disk: 10 }]);
  assert.deepEqual(books().consumed, { cpus: 2, disk: 10 });
  releaseAllocation(state, agent, client, copy, true);
  assert.deepEqual([books().free, books().share], [`cpus:3; mem:100; ${VOLUME}`, { cpus: 1, disk: 10 }]);
  releaseAllocation(state, agent, client, copy, true);
  assert.deepEqual([books().share, agent.unavailable.isEmpty], [{}, true]);
});

test('only use of a shared resource lets the agent be offered again', () => {
  const { state, agent, client, bundleOf } = setup();
  allocateToClient(state, agent, client, bundleOf('cpus:2', volume), false);
  state.dirtyAgents.clear();
  markAllocated(state, agent, client, bundleOf('cpus:1'));
  assert.equal(state.dirtyAgents.size, 0);
  markAllocated(state, agent, client, bundleOf('cpus:1', volume));
  assert.deepEqual([...state.dirtyAgents], [agent]);
});

test('everything that is offered or allocated to a client can be freed at once', () => {
  for (const [offered, used] of [
    ['cpus:1', 'cpus:2'],
    ['cpus:1', ''],
    ['', 'cpus:2'],
    ['', ''],
  ] as const) {
    const { state, agent, client, bundleOf, books } = setup();
    const before = books();
    if (used !== '') allocateToClient(state, agent, client, bundleOf(used), true);
    if (offered !== '') allocateToClient(state, agent, client, bundleOf(offered), false);
    releaseAllAllocations(state, agent, client);
    assert.deepEqual([books(), agent.allocations.size], [before, 0], `${offered} ${used}`);
  }
});

test('the first allocation on an agent with maintenance makes an inverse offer due', () => {
  const { state, agent, client, bundleOf } = setup();
  allocateToClient(state, agent, client, bundleOf('cpus:1'), false);
  assert.equal(state.inverseOfferDirtyAgents.size, 0);
  releaseAllAllocations(state, agent, client);
  startMaintenance(state, agent, { start: { nanoseconds: 0n } });
  state.inverseOfferDirtyAgents.clear();
  allocateToClient(state, agent, client, bundleOf('cpus:1'), false);
  assert.deepEqual([...state.inverseOfferDirtyAgents], [agent]);
});

test('ALLOCATOR-3: only free resources of agents that are active and whitelisted are available', () => {
  const { state, agent, books } = setup();
  for (const [active, whitelisted, available] of [
    [false, true, {}],
    [false, false, {}],
    [true, false, {}],
    [true, true, { cpus: 4, mem: 100 }],
  ] as const) {
    changeFree(state, agent, () => Object.assign(agent, { active, whitelisted }));
    assert.deepEqual([isOfferable(agent), books().available], [active && whitelisted, available]);
  }
});
