// Allocations of agents' resources to clients, offered or in use, and the free resources (ALLOCATOR-2, ALLOCATOR-3).
import { assert } from '@meseta/base';
import { type Bundle, containsBundle } from '@meseta/resources';
import { removeIfUnused } from './clients.js';
import { chargeClient, chargeConsumed } from './roles.js';
import type { Agent, Client, State } from './state.js';
import { accumulate, type Vector } from './vectors.js';

/** Whether the agent may be offered, so that its free resources count as headroom. */
export const isOfferable = (agent: Agent): boolean => agent.active && agent.whitelisted;

/** Keeps `available` right around `change`, which changes the free resources or whether the agent is offerable. */
export function changeFree(state: State, agent: Agent, change: () => void): void {
  if (isOfferable(agent)) accumulate(state.available, agent.free.countable, -1);
  change();
  if (isOfferable(agent)) accumulate(state.available, agent.free.countable, 1);
}

export function refreshFree(state: State, agent: Agent): void {
  changeFree(state, agent, () => {
    agent.free = state.shapes.of(state.table.subtract(agent.total, agent.unavailable));
  });
}

/** Allocates `bundle` (unallocated form) to the client: offers it, or marks it as in use at once. */
export function allocateToClient(state: State, agent: Agent, client: Client, bundle: Bundle, isInUse: boolean): void {
  addAllocation(state, agent, client, bundle, isInUse);
  refreshFree(state, agent);
}

/** The same without `refreshFree`, which the caller calls after the last of several allocations. */
export function addAllocation(state: State, agent: Agent, client: Client, bundle: Bundle, isInUse: boolean): void {
  const { table } = state;
  const allocation = agent.allocations.get(client);
  const before = allocation?.offeredOrAllocated ?? table.empty;
  const after = table.add(before, bundle);
  if (allocation === undefined) {
    agent.allocations.set(client, { offeredOrAllocated: after, allocated: isInUse ? bundle : table.empty });
    client.allocationCount++;
    if (agent.maintenance !== undefined) state.inverseOfferDirtyAgents.add(agent);
  } else {
    allocation.offeredOrAllocated = after;
    if (isInUse) allocation.allocated = table.add(allocation.allocated, bundle);
  }
  chargeAllocation(state, client, before, after, bundle, 1);
  const shape = state.shapes.of(bundle);
  if (isInUse) chargeConsumed(client.role, shape.countable, 1);
  agent.unavailable = table.add(agent.unavailable, shape.unshared);
}

/** Frees `bundle` (unallocated form). With `wasInUse` undefined it is taken from the offered part if that contains it. */
export function releaseAllocation(
  state: State,
  agent: Agent,
  client: Client,
  bundle: Bundle,
  wasInUse: boolean | undefined,
): void {
  const { table } = state;
  const allocation = agent.allocations.get(client);
  assert(
    allocation !== undefined && containsBundle(allocation.offeredOrAllocated, bundle),
    `${client.framework.id} in role ${client.role.name} returned resources of ${agent.id} that are not offered or allocated to it`,
  );
  const before = allocation.offeredOrAllocated;
  const isInUse = wasInUse ?? !containsBundle(table.subtract(before, allocation.allocated), bundle);
  allocation.offeredOrAllocated = table.subtract(before, bundle);
  const shape = state.shapes.of(bundle);
  if (isInUse) {
    assert(
      containsBundle(allocation.allocated, bundle),
      `resources returned by ${client.framework.id} were not allocated`,
    );
    allocation.allocated = table.subtract(allocation.allocated, bundle);
    chargeConsumed(client.role, shape.countable, -1);
  }
  chargeAllocation(state, client, before, allocation.offeredOrAllocated, bundle, -1);
  agent.unavailable = table.subtract(agent.unavailable, shape.unshared);
  refreshFree(state, agent);
  if (!allocation.offeredOrAllocated.isEmpty) return;
  agent.allocations.delete(client);
  client.allocationCount--;
  removeIfUnused(state, client);
}

/** Tasks, executors or operations use offered resources now; shares and free resources stay the same. */
export function markAllocated(state: State, agent: Agent, client: Client, bundle: Bundle): void {
  const allocation = agent.allocations.get(client);
  assert(
    allocation !== undefined &&
      containsBundle(state.table.subtract(allocation.offeredOrAllocated, allocation.allocated), bundle),
    `${client.framework.id} in role ${client.role.name} uses resources of ${agent.id} that were not offered to it`,
  );
  allocation.allocated = state.table.add(allocation.allocated, bundle);
  const shape = state.shapes.of(bundle);
  chargeConsumed(client.role, shape.countable, 1);
  // A shared resource that is no longer only offered may be offered to the client again.
  if (shape.hasShared) state.dirtyAgents.add(agent);
}

/** Frees everything that is offered or allocated to the client on the agent. */
export function releaseAllAllocations(state: State, agent: Agent, client: Client): void {
  const allocation = agent.allocations.get(client);
  if (allocation === undefined) return;
  const { offeredOrAllocated, allocated } = allocation;
  if (!allocated.isEmpty) releaseAllocation(state, agent, client, allocated, true);
  const offered = state.table.subtract(offeredOrAllocated, allocated);
  if (!offered.isEmpty) releaseAllocation(state, agent, client, offered, false);
}

/** A share counts a shared resource once, whatever its copies: a bundle with one is charged as the difference. */
function chargeAllocation(
  state: State,
  client: Client,
  before: Bundle,
  after: Bundle,
  bundle: Bundle,
  sign: 1 | -1,
): void {
  const shape = state.shapes.of(bundle);
  if (!shape.hasShared) {
    chargeClient(state, client, shape.scalars, shape.countable, sign);
    return;
  }
  const delta: Vector = state.dimensions.vectorOf(after.quantities);
  accumulate(delta, state.dimensions.vectorOf(before.quantities), -1);
  if (sign < 0) for (let d = 0; d < delta.length; d++) delta[d] = -(delta[d] as number);
  chargeClient(state, client, delta, shape.countable, sign);
}
