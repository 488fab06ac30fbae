// What is in offers, when they are sent.
//
// `a reservation is offered to its role and that role's descendants only`
// `a role's offers and tasks never pass its limit`: an offer never brings a role's unreserved, non-revocable scalars
//     above its limit, and none is made while they are above it (an agent that returns with tasks may do that, and
//     what is offered to its descendants, which Mesos doesn't cut to its limit).
// `guarantees are held back for their roles`: no other role is offered what unmet guarantees need.
// `guarantees are met when they can be`: at rest, when somebody in each such role takes what it gets, nothing that would
//     count is left unoffered while one is not met.
// `an offer is of an agent that can be offered`: connected, not deactivated.

import type { MasterState } from '@meseta/master/core/state';
import { quantitiesOf, quantity } from '@meseta/resources';
import type { Offer, Resource } from '@meseta/wire';
import { isTerminal } from '../nodes/scheduler.js';
import type { World } from '../world.js';
import type { Count, CreateChecker } from './checker.js';

const topOf = (role: string): string => role.split('/')[0] ?? role;

const isReserved = (it: Resource): boolean => (it.reservations ?? []).length > 0;
const counts = (it: Resource): boolean => !isReserved(it) && it.revocable === undefined;

export const createOffersChecker: CreateChecker = ({ world, masters }, count) => ({
  observer: {
    masterStepped({ core }, _input, effects) {
      for (const effect of effects) {
        if (effect.kind !== 'event' || effect.event.offers === undefined) continue;
        for (const offer of effect.event.offers.offers ?? []) {
          checkOffer(world, count, core.state, offer);
          count('offers checked');
        }
      }
    },
  },
  atRest() {
    const leader = masters.leader();
    if (leader !== undefined) checkGuarantees(world, count, leader.core.state);
  },
});

function checkOffer(world: World, count: Count, state: MasterState, offer: Offer): void {
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
    if (owner !== undefined)
      count(owner === role ? 'reservations offered to their role' : 'reservations offered to a descendant');
  }
  if (checkLimit(world, state, offer, role, subjects)) count('offers checked against a limit');
  if (checkHeadroom(world, state, offer, role, subjects)) count('offers checked against guarantees of others');
}

/** Unreserved, non-revocable, in thousandths: what tasks of a top-level role and its descendants have, and offers. */
function used(state: MasterState, top: string, name: string, offersTo: (role: string) => boolean): number {
  const lists: Resource[] = [];
  const take = (resources: readonly Resource[] | undefined, counted: (role: string) => boolean): void => {
    for (const it of resources ?? []) if (counts(it) && counted(it.allocation_info?.role ?? '*')) lists.push(it);
  };
  const isBelow = (role: string): boolean => topOf(role) === top;
  for (const framework of state.frameworks.values()) {
    for (const task of framework.tasks.values()) if (!isTerminal(task.state)) take(task.resources, isBelow);
  }
  for (const { executors } of state.agents.registered.values()) {
    for (const own of executors.values()) for (const executor of own.values()) take(executor.resources, isBelow);
  }
  for (const offer of state.offers.values()) take(offer.resources, offersTo);
  return quantity(quantitiesOf(lists), name);
}

const offered = (offer: Offer, name: string): number =>
  quantity(quantitiesOf((offer.resources ?? []).filter(counts)), name);

/** What is reserved for the role, used or not. */
function reservedFor(state: MasterState, role: string, name: string): number {
  let amount = 0;
  for (const agent of state.agents.registered.values()) {
    const own = agent.totalResources.filter(
      (it) => isReserved(it) && topOf(it.reservations?.[0]?.role ?? '*') === role,
    );
    amount += quantity(quantitiesOf(own), name);
  }
  return amount;
}

/** Answers whether there was a limit to keep to. */
function checkLimit(
  world: World,
  state: MasterState,
  offer: Offer,
  role: string,
  subjects: readonly string[],
): boolean {
  let limited = false;
  for (const [name, limit] of Object.entries(state.registrar.durable.quotas.get(role)?.limits ?? {})) {
    if (offered(offer, name) === 0 || !state.offers.has(offer.id.value as never)) continue;
    limited = true;
    const inUse = used(state, role, name, (it) => it === role);
    if (inUse <= (limit.value ?? 0) * 1000) continue;
    const text = `role ${role} has ${inUse / 1000} ${name} with offer ${offer.id.value}, its limit is ${limit.value}`;
    world.fail("a role's offers and tasks never pass its limit", text, subjects);
  }
  return limited;
}

/** Answers whether others were owed something. */
function checkHeadroom(
  world: World,
  state: MasterState,
  offer: Offer,
  role: string,
  subjects: readonly string[],
): boolean {
  let owed = false;
  const { quotas } = state.registrar.durable;
  for (const name of ['cpus', 'mem']) {
    if (offered(offer, name) === 0) continue;
    let required = 0;
    for (const [other, { guarantees }] of quotas) {
      const guarantee = (guarantees?.[name]?.value ?? 0) * 1000;
      const has = used(state, other, name, (it) => topOf(it) === other) + reservedFor(state, other, name);
      // A role with a guarantee of its own may be owed what it is offered.
      if (other === topOf(role) && guarantee > 0) return owed;
      required += Math.max(0, guarantee - has);
    }
    if (required === 0) continue;
    owed = true;
    const available = freeOf(state, name);
    if (available >= required) continue;
    const text = `role ${role} was offered ${offered(offer, name) / 1000} ${name}; ${available / 1000} are left, guarantees need ${required / 1000}`;
    world.fail('guarantees are held back for their roles', text, subjects);
  }
  return owed;
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

/** What quota is about here; less of it, in thousandths, is not offered. */
const [CPUS, LEAST_OFFERED] = ['cpus', 10];

function checkGuarantees(world: World, count: Count, state: MasterState): void {
  if (state.allocator.totals().eventsPending > 0) return;
  for (const [role, { guarantees }] of state.registrar.durable.quotas) {
    const guarantee = (guarantees?.[CPUS]?.value ?? 0) * 1000;
    const has = used(state, role, CPUS, (it) => topOf(it) === role) + reservedFor(state, role, CPUS);
    if (guarantee === 0) continue;
    count(has >= guarantee ? 'guarantees met' : 'guarantees that could not be met');
    if (has >= guarantee) continue;
    for (const agent of state.agents.registered.values()) {
      if (!agent.connected || agent.deactivated) continue;
      const free = quantity(quantitiesOf(state.allocator.available(agent.id).resources.filter(counts)), CPUS);
      if (free < LEAST_OFFERED) continue;
      const text = `role ${role} has ${has / 1000} of ${guarantee / 1000} cpus, agent ${agent.id} has ${free / 1000} free`;
      world.fail('guarantees are met when they can be', text, [agent.id]);
    }
  }
}
