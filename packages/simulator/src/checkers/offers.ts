// Offers, checked when they are sent.
import type { OfferId } from '@meseta/base';
import type { MasterEffect } from '@meseta/master/core/io';
import type { MasterState } from '@meseta/master/core/state';
import { quantitiesOf, quantity } from '@meseta/resources';
import type { Offer, Resource } from '@meseta/wire';
import { isTerminal } from '@meseta/wire/task-states';
import type { MasterProcess } from '../nodes/master.js';
import type { Cluster } from '../run/cluster.js';
import type { World } from '../world.js';
import type { Checker, CheckerKind, Count } from './checker.js';
import type { RecordKeeper, Records } from './records.js';
import { offersIn } from './scheduler-messages.js';

export const offers: CheckerKind = {
  name: 'offers',
  invariants: {
    "a reservation is offered to its role and that role's descendants only":
      'No other role is offered a reserved resource.',
    "a role's offers and tasks never exceed its limit":
      "No offer brings a role's unreserved, non-revocable scalars above its limit, and none is made while they are above it.",
    'unmet guarantees are held back for their roles':
      'No other role is offered the resources that unmet guarantees need.',
    'guarantees are met when they can be':
      'At the end, when a framework in each such role keeps every offer, no usable resource stays free while a guarantee is not met.',
    "only an active agent's resources are offered":
      "The agent's connection has not broken since its registration, and in the records it is admitted and neither deactivated nor draining.",
  },
  allowances: {
    usedBeforeTheLimit:
      "An agent that returns with tasks may bring a role above its limit; so may offers to the role's descendants, which Mesos does not cut to the role's limit.",
  },
  create: createOffersChecker,
};

const topOf = (role: string): string => role.split('/')[0] ?? role;

const isReserved = (it: Resource): boolean => (it.reservations ?? []).length > 0;
const isLimited = (it: Resource): boolean => !isReserved(it) && it.revocable === undefined;

/** The state of a master that its offers are checked against. */
interface OfferContext {
  readonly world: World;
  readonly count: Count;
  readonly state: MasterState;
  readonly records: Records;
  /** The agents to which this master confirmed their registration: the address of the connection, by agent id. */
  readonly connected: ReadonlyMap<string, string>;
}

function createOffersChecker({ world, masters }: Cluster, count: Count, keeper: RecordKeeper): Checker {
  const connections = new Map<MasterProcess, Map<string, string>>();
  return {
    observer: {
      masterStarted: (master) => void connections.set(master, new Map()),
      masterStepped(master, input, effects) {
        const connected = connections.get(master) ?? new Map<string, string>();
        if (input.kind === 'peerLost') {
          for (const [id, address] of connected) if (address === input.address) connected.delete(id);
        }
        const context: OfferContext = { world, count, state: master.core.state, records: keeper.of(master), connected };
        for (const effect of effects) {
          recordConnection(connected, effect);
          for (const offer of offersIn(effect)) {
            checkOffer(context, offer);
            count('offers checked');
          }
        }
      },
    },
    checkQuiescence() {
      const leader = masters.leader();
      if (leader !== undefined) checkGuarantees(world, count, leader.core.state, keeper.of(leader));
    },
  };
}

function recordConnection(connected: Map<string, string>, effect: MasterEffect): void {
  if (effect.kind !== 'send') return;
  const { name, body } = effect.message;
  if (name !== 'AgentRegisteredMessage' && name !== 'AgentReregisteredMessage') return;
  const [pid = ''] = effect.to;
  connected.set(body.agent_id.value, pid.slice(pid.lastIndexOf('@') + 1));
}

function checkOffer({ world, count, state, records, connected }: OfferContext, offer: Offer): void {
  const role = offer.allocation_info?.role ?? '*';
  const agentId = offer.agent_id.value;
  const subjects = [offer.id.value, agentId];
  const entry = records.agents.get(agentId);
  if (entry === undefined || entry.deactivated || !connected.has(agentId)) {
    const why = entry === undefined ? 'is not admitted' : entry.deactivated ? 'is deactivated' : 'is not connected';
    const text = `offer ${offer.id.value} of ${agentId}, which ${why}`;
    world.fail("only an active agent's resources are offered", text, subjects);
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
  if (records.quotas.size === 0) return;
  if (checkLimit(world, state, records, offer, role, subjects)) count('offers checked against a limit');
  if (checkHeadroom(world, state, records, offer, role, subjects)) count('offers checked against guarantees of others');
}

/**
 * The unreserved, non-revocable amount of a resource, in thousandths, that tasks and executors of a top-level role and its
 * descendants use, and that is in offers to the roles that `offersTo` selects.
 */
function used(state: MasterState, top: string, name: string, offersTo: (role: string) => boolean): number {
  const lists: Resource[] = [];
  const add = (resources: readonly Resource[] | undefined, counted: (role: string) => boolean): void => {
    for (const it of resources ?? []) if (isLimited(it) && counted(it.allocation_info?.role ?? '*')) lists.push(it);
  };
  const isBelow = (role: string): boolean => topOf(role) === top;
  for (const framework of state.frameworks.values()) {
    for (const task of framework.tasks.values()) if (!isTerminal(task.state)) add(task.resources, isBelow);
  }
  for (const { executors } of state.agents.registered.values()) {
    for (const own of executors.values()) for (const executor of own.values()) add(executor.resources, isBelow);
  }
  for (const offer of state.offers.values()) add(offer.resources, offersTo);
  return quantity(quantitiesOf(lists), name);
}

const offered = (offer: Offer, name: string): number =>
  quantity(quantitiesOf((offer.resources ?? []).filter(isLimited)), name);

/** The amount that is reserved for the role, in thousandths, used or not. */
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

/** Returns whether the role has a limit on a resource of the offer. */
function checkLimit(
  world: World,
  state: MasterState,
  { quotas }: Records,
  offer: Offer,
  role: string,
  subjects: readonly string[],
): boolean {
  let limited = false;
  for (const [name, limit] of Object.entries(quotas.get(role)?.limits ?? {})) {
    if (offered(offer, name) === 0 || !state.offers.has(offer.id.value as OfferId)) continue;
    limited = true;
    const inUse = used(state, role, name, (it) => it === role);
    if (inUse <= (limit.value ?? 0) * 1000) continue;
    const text = `role ${role} has ${inUse / 1000} ${name} with offer ${offer.id.value}, its limit is ${limit.value}`;
    world.fail("a role's offers and tasks never exceed its limit", text, subjects);
  }
  return limited;
}

/** Returns whether guarantees of other roles were not met when the offer was made. */
function checkHeadroom(
  world: World,
  state: MasterState,
  records: Records,
  offer: Offer,
  role: string,
  subjects: readonly string[],
): boolean {
  let hasUnmet = false;
  const { quotas } = records;
  for (const name of ['cpus', 'mem']) {
    if (offered(offer, name) === 0) continue;
    let required = 0;
    for (const [other, { guarantees }] of quotas) {
      const guarantee = (guarantees?.[name]?.value ?? 0) * 1000;
      const has = used(state, other, name, (it) => topOf(it) === other) + reservedFor(state, other, name);
      // The offer may be what the role's own guarantee needs.
      if (other === topOf(role) && guarantee > 0) return hasUnmet;
      required += Math.max(0, guarantee - has);
    }
    if (required === 0) continue;
    hasUnmet = true;
    const available = freeAmount(state, records, name);
    if (available >= required) continue;
    const text = `role ${role} was offered ${offered(offer, name) / 1000} ${name}; ${available / 1000} are left, guarantees need ${required / 1000}`;
    world.fail('unmet guarantees are held back for their roles', text, subjects);
  }
  return hasUnmet;
}

/** The unreserved and free amount, in thousandths, on agents whose resources may be offered. */
function freeAmount(state: MasterState, records: Records, name: string): number {
  let free = 0;
  for (const agent of state.agents.registered.values()) {
    if (!agent.connected || records.agents.get(agent.id)?.deactivated !== false) continue;
    free += quantity(quantitiesOf(state.allocator.available(agent.id).resources.filter(isLimited)), name);
  }
  return free;
}

/** The resource of the simulated quotas. */
const CPUS = 'cpus';
/** Smaller amounts, in thousandths, are not offered. */
const LEAST_OFFERED = 10;

function checkGuarantees(world: World, count: Count, state: MasterState, records: Records): void {
  if (state.allocator.totals().eventsPending > 0) return;
  for (const [role, { guarantees }] of records.quotas) {
    const guarantee = (guarantees?.[CPUS]?.value ?? 0) * 1000;
    const has = used(state, role, CPUS, (it) => topOf(it) === role) + reservedFor(state, role, CPUS);
    if (guarantee === 0) continue;
    count(has >= guarantee ? 'guarantees met' : 'guarantees that could not be met');
    if (has >= guarantee) continue;
    for (const agent of state.agents.registered.values()) {
      if (!agent.connected || records.agents.get(agent.id)?.deactivated !== false) continue;
      const free = quantity(quantitiesOf(state.allocator.available(agent.id).resources.filter(isLimited)), CPUS);
      if (free < LEAST_OFFERED) continue;
      const text = `role ${role} has ${has / 1000} of ${guarantee / 1000} cpus, agent ${agent.id} has ${free / 1000} free`;
      world.fail('guarantees are met when they can be', text, [agent.id]);
    }
  }
}
