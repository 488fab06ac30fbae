// What clients hold on agents, and what is free there (ALLOCATOR-2, ALLOCATOR-3).
import { assert } from '@meseta/base';
import { type Bundle, containsBundle } from '@meseta/resources';
import { dropIfUnused } from './clients.js';
import { chargeAllocated, chargeHeld } from './roles.js';
import type { Agent, Client, State } from './state.js';
import { accumulate, type Vector } from './vectors.js';

/** Whether it is offered at all, so that what is free there counts as headroom. */
export const isOfferable = (agent: Agent): boolean => agent.active && agent.whitelisted;

/** What is free changed; `change` changes it, or whether the agent is offerable. */
export function changeFree(state: State, agent: Agent, change: () => void): void {
  if (isOfferable(agent)) accumulate(state.available, agent.free.countable, -1);
  change();
  if (isOfferable(agent)) accumulate(state.available, agent.free.countable, 1);
}

export function refreshFree(state: State, agent: Agent): void {
  changeFree(state, agent, () => {
    agent.free = state.shapes.of(state.table.subtract(agent.total, agent.taken));
  });
}

/** The client holds `bundle` (unallocated form) more. */
export function hold(state: State, agent: Agent, client: Client, bundle: Bundle, allocated: boolean): void {
  take(state, agent, client, bundle, allocated);
  refreshFree(state, agent);
}

/** The same without looking at what is free now, which the caller does after the last of several. */
export function take(state: State, agent: Agent, client: Client, bundle: Bundle, allocated: boolean): void {
  const { table } = state;
  const holding = agent.holdings.get(client);
  const before = holding?.held ?? table.empty;
  const after = table.add(before, bundle);
  if (holding === undefined) {
    agent.holdings.set(client, { held: after, allocated: allocated ? bundle : table.empty });
    client.holdings++;
    if (agent.maintenance !== undefined) state.inverseDirty.add(agent);
  } else {
    holding.held = after;
    if (allocated) holding.allocated = table.add(holding.allocated, bundle);
  }
  charge(state, client, before, after, bundle, 1);
  const shape = state.shapes.of(bundle);
  if (allocated) chargeAllocated(client.role, shape.countable, 1);
  agent.taken = table.add(agent.taken, shape.unshared);
}

/** The client gives `bundle` (unallocated form) back; not told whether it was allocated, the offered part goes first. */
export function release(
  state: State,
  agent: Agent,
  client: Client,
  bundle: Bundle,
  wasAllocated: boolean | undefined,
): void {
  const { table } = state;
  const holding = agent.holdings.get(client);
  assert(
    holding !== undefined && containsBundle(holding.held, bundle),
    `${client.framework.id} in role ${client.role.name} gives back what it doesn't hold on ${agent.id}`,
  );
  const before = holding.held;
  const allocated = wasAllocated ?? !containsBundle(table.subtract(before, holding.allocated), bundle);
  holding.held = table.subtract(before, bundle);
  const shape = state.shapes.of(bundle);
  if (allocated) {
    assert(containsBundle(holding.allocated, bundle), `what comes back from ${client.framework.id} was not allocated`);
    holding.allocated = table.subtract(holding.allocated, bundle);
    chargeAllocated(client.role, shape.countable, -1);
  }
  charge(state, client, before, holding.held, bundle, -1);
  agent.taken = table.subtract(agent.taken, shape.unshared);
  refreshFree(state, agent);
  if (!holding.held.isEmpty) return;
  agent.holdings.delete(client);
  client.holdings--;
  dropIfUnused(state, client);
}

/** Tasks, executors or operations use what was only offered; shares and what is free stay the same. */
export function confirm(state: State, agent: Agent, client: Client, bundle: Bundle): void {
  const holding = agent.holdings.get(client);
  assert(
    holding !== undefined && containsBundle(state.table.subtract(holding.held, holding.allocated), bundle),
    `${client.framework.id} in role ${client.role.name} uses what it was not offered on ${agent.id}`,
  );
  holding.allocated = state.table.add(holding.allocated, bundle);
  const shape = state.shapes.of(bundle);
  chargeAllocated(client.role, shape.countable, 1);
  // A shared resource may be offered to this client again.
  if (shape.hasShared) state.dirtyAgents.add(agent);
}

/** Everything that the client holds on the agent. */
export function releaseAll(state: State, agent: Agent, client: Client): void {
  const holding = agent.holdings.get(client);
  if (holding === undefined) return;
  const { held, allocated } = holding;
  if (!allocated.isEmpty) release(state, agent, client, allocated, true);
  const offered = state.table.subtract(held, allocated);
  if (!offered.isEmpty) release(state, agent, client, offered, false);
}

/** A copy of a shared resource more or less doesn't change a share: those are charged as the difference. */
function charge(state: State, client: Client, before: Bundle, after: Bundle, bundle: Bundle, sign: 1 | -1): void {
  const shape = state.shapes.of(bundle);
  if (!shape.hasShared) {
    chargeHeld(state, client, shape.all, shape.countable, sign);
    return;
  }
  const delta: Vector = state.dimensions.vectorOf(after.quantities);
  accumulate(delta, state.dimensions.vectorOf(before.quantities), -1);
  if (sign < 0) for (let d = 0; d < delta.length; d++) delta[d] = -(delta[d] as number);
  chargeHeld(state, client, delta, shape.countable, sign);
}
