// What is in offers, when they are sent.
//
// `a reservation is offered to its role and that role's descendants only`
// `a role's offers and tasks never pass its limit`: an offer never brings a role's unreserved, non-revocable scalars
//     above its limit, and none is made while they are above it (an agent that returns with tasks may do that).
// `guarantees are held back for their roles`: no other role is offered what unmet guarantees need.
// `an offer is of an agent that can be offered`: connected, not deactivated.

import type { MasterState } from '@meseta/master/core/state';
import { quantitiesOf, quantity } from '@meseta/resources';
import type { Offer, Resource } from '@meseta/wire';
import { isTerminal } from '../nodes/scheduler.js';
import type { World } from '../world.js';
import type { CreateChecker } from './checker.js';

const isReserved = (it: Resource): boolean => (it.reservations ?? []).length > 0;
const counts = (it: Resource): boolean => !isReserved(it) && it.revocable === undefined;

export const createOffersChecker: CreateChecker = ({ world }, count) => ({
  observer: {
    masterStepped({ core }, _input, effects) {
      for (const effect of effects) {
        if (effect.kind !== 'event' || effect.event.offers === undefined) continue;
        for (const offer of effect.event.offers.offers ?? []) {
          checkOffer(world, core.state, offer);
          count('offers checked');
        }
      }
    },
  },
});

function checkOffer(world: World, state: MasterState, offer: Offer): void {
  const role = offer.allocation_info?.role ?? '*';
  const subjects = [offer.id.value, offer.agent_id.value];
  const agent = state.agents.registered.get(offer.agent_id.value as never);
  if (agent === undefined || !agent.connected || agent.deactivated) {
    world.fail(
      'an offer is of an agent that can be offered',
      `offer ${offer.id.value} of ${offer.agent_id.value}`,
      subjects,
    );
  }
  for (const resource of offer.resources ?? []) {
    const owner = resource.reservations?.at(-1)?.role;
    if (owner !== undefined && owner !== role && !role.startsWith(`${owner}/`)) {
      const text = `offer ${offer.id.value} to ${role} has ${resource.name} reserved for ${owner}`;
      world.fail("a reservation is offered to its role and that role's descendants only", text, subjects);
    }
  }
  checkLimit(world, state, offer, role, subjects);
  checkHeadroom(world, state, offer, role, subjects);
}

/** Unreserved, non-revocable, in thousandths: tasks', executors' and offers' of the role. */
function used(state: MasterState, role: string, name: string): number {
  const lists: Resource[] = [];
  const take = (resources: readonly Resource[] | undefined): void => {
    for (const it of resources ?? []) if (counts(it) && it.allocation_info?.role === role) lists.push(it);
  };
  for (const framework of state.frameworks.values()) {
    for (const task of framework.tasks.values()) if (!isTerminal(task.state)) take(task.resources);
  }
  for (const offer of state.offers.values()) take(offer.resources);
  return quantity(quantitiesOf(lists), name);
}

const offered = (offer: Offer, name: string): number =>
  quantity(quantitiesOf((offer.resources ?? []).filter(counts)), name);

/** What is reserved for the role, used or not. */
function reservedFor(state: MasterState, role: string, name: string): number {
  let amount = 0;
  for (const agent of state.agents.registered.values()) {
    const own = agent.totalResources.filter(
      (it) => isReserved(it) && it.reservations?.[0]?.role?.split('/')[0] === role,
    );
    amount += quantity(quantitiesOf(own), name);
  }
  return amount;
}

function checkLimit(world: World, state: MasterState, offer: Offer, role: string, subjects: readonly string[]): void {
  for (const [name, limit] of Object.entries(state.registrar.durable.quotas.get(role)?.limits ?? {})) {
    if (offered(offer, name) === 0 || !state.offers.has(offer.id.value as never)) continue;
    const inUse = used(state, role, name);
    if (inUse <= (limit.value ?? 0) * 1000) continue;
    const text = `role ${role} has ${inUse / 1000} ${name} with offer ${offer.id.value}, its limit is ${limit.value}`;
    world.fail("a role's offers and tasks never pass its limit", text, subjects);
  }
}

function checkHeadroom(
  world: World,
  state: MasterState,
  offer: Offer,
  role: string,
  subjects: readonly string[],
): void {
  const { quotas } = state.registrar.durable;
  for (const name of ['cpus', 'mem']) {
    if (offered(offer, name) === 0) continue;
    let required = 0;
    for (const [other, { guarantees }] of quotas) {
      const guarantee = (guarantees?.[name]?.value ?? 0) * 1000;
      const has = used(state, other, name) + reservedFor(state, other, name);
      // A role with a guarantee of its own may be owed what it is offered.
      if (other === role && guarantee > 0) return;
      required += Math.max(0, guarantee - has);
    }
    if (required === 0) continue;
    const available = freeOf(state, name);
    if (available >= required) continue;
    const text = `role ${role} was offered ${offered(offer, name) / 1000} ${name}; ${available / 1000} are left, guarantees need ${required / 1000}`;
    world.fail('guarantees are held back for their roles', text, subjects);
  }
}

/** Unreserved and free on agents that are offered. */
function freeOf(state: MasterState, name: string): number {
  let free = 0;
  for (const agent of state.agents.registered.values()) {
    if (!agent.connected || agent.deactivated) continue;
    free += quantity(quantitiesOf(state.allocator.available(agent.id).resources.filter(counts)), name);
  }
  return free;
}
