// A random cluster, and a model of it that has only totals, offers, tasks and quotas. A step is a pair of numbers.
import { assert } from '@meseta/base';
import {
  add,
  allocate,
  contains,
  isInSubtree,
  isReserved,
  isRevocable,
  isScalar,
  limit,
  quantitiesOf,
  quantity,
  type Resources,
  reservationRole,
  subtract,
  unallocate,
} from '@meseta/resources';
import type { Resource } from '@meseta/wire';
import type { OfferDecision, Quota, SorterKind } from '../types.js';
import { CHANGES } from './changes.js';
import {
  aid,
  fid,
  frameworkInfo,
  quotaOf,
  res,
  revocableCpus,
  sharedVolume,
  type TestCluster,
  testCluster,
} from './cluster.js';

const ROLES = ['*', 'a', 'a/b', 'a/c', 'b', 'c/d/e'];
const CAPABILITIES = ['SHARED_RESOURCES', 'REVOCABLE_RESOURCES', 'GPU_RESOURCES', 'REGION_AWARE'] as const;
const mountDisk: Resource = {
  name: 'disk',
  type: 'SCALAR',
  scalar: { value: 40 },
  disk: { source: { type: 'MOUNT', mount: { root: '/m' } } },
};
const TOTALS: Resources[] = [
  res('cpus:4;mem:100;ports:[1-9]'),
  res('cpus:0.5;mem:31'),
  [...res('cpus:8;mem:50;cpus(a):2;mem(a):10;cpus(a/b):1;mem(b):64'), sharedVolume('a')],
  [...res('cpus:2;mem:64;disk:5'), mountDisk, revocableCpus],
  res('cpus:3;mem:40;gpus:1'),
];
const QUOTAS: Quota[] = [
  quotaOf({}),
  quotaOf({ cpus: 3 }),
  quotaOf({ cpus: 2, mem: 40 }, { cpus: 5, mem: 90 }),
  quotaOf({}, { cpus: 2.5 }),
  quotaOf({}, { mem: 0 }),
  quotaOf({ cpus: 30 }),
  quotaOf({}, { disk: 20 }),
];

interface Task {
  readonly offer: OfferDecision;
  readonly used: Resources;
}

export interface World {
  readonly cluster: TestCluster;
  readonly totals: Map<string, Resources>;
  readonly hosts: Map<string, string>;
  readonly deactivated: Set<string>;
  whitelist: readonly string[] | undefined;
  /** Whether each is active. */
  readonly frameworks: Map<string, boolean>;
  readonly quotas: Map<string, Quota>;
  offers: OfferDecision[];
  tasks: Task[];
  /** How many agents and frameworks were named. */
  named: number;
}

export const createWorld = (minimum: boolean, sorter: SorterKind): World => ({
  cluster: testCluster({
    roleSorter: sorter,
    frameworkSorter: sorter,
    ...(minimum ? {} : { minAllocatableResources: [] }),
    domain: { fault_domain: { region: { name: 'here' }, zone: { name: 'z' } } },
  }),
  totals: new Map(),
  hosts: new Map(),
  deactivated: new Set(),
  whitelist: undefined,
  frameworks: new Map(),
  quotas: new Map(),
  offers: [],
  tasks: [],
  named: 0,
});

// --- steps

type Step = (world: World, n: number) => void;
const pick = <T>(list: Iterable<T>, n: number): T | undefined => {
  const all = [...list];
  return all[n % Math.max(1, all.length)];
};

function takeOffer(world: World, n: number): OfferDecision | undefined {
  const offer = pick(world.offers, n);
  world.offers = world.offers.filter((other) => other !== offer);
  return offer;
}

function removeWhere(world: World, matches: (offer: OfferDecision) => boolean): void {
  world.offers = world.offers.filter((offer) => !matches(offer));
  world.tasks = world.tasks.filter(({ offer }) => !matches(offer));
}

function returnOffers(world: World, matches: (offer: OfferDecision) => boolean): void {
  for (const offer of world.offers) if (matches(offer)) world.cluster.returnOffer(offer);
  world.offers = world.offers.filter((offer) => !matches(offer));
}

const agentSteps: Step[] = [
  (world, n) => {
    const id = `agent${world.named++}`;
    const total = TOTALS[n % TOTALS.length] as Resources;
    world.totals.set(id, total);
    const domain = { fault_domain: { region: { name: n % 7 === 0 ? 'away' : 'here' }, zone: { name: 'z' } } };
    world.hosts.set(id, `host${n % 3}`);
    world.cluster.agent(id, total, { hostname: `host${n % 3}`, ...(n % 2 ? { domain } : {}) });
  },
  (world, n) => {
    const id = n % 3 ? undefined : pick(world.totals.keys(), n);
    if (id === undefined) return;
    world.cluster.allocator.removeAgent(aid(id));
    world.totals.delete(id);
    removeWhere(world, (offer) => offer.agentId === id);
  },
  ({ cluster: { allocator }, totals, deactivated }, n) => {
    const id = pick(totals.keys(), n);
    if (id === undefined) return;
    if (n % 3 === 0) {
      allocator.deactivateAgent(aid(id));
      deactivated.add(id);
    } else if (n % 3 === 1) {
      allocator.activateAgent(aid(id));
      deactivated.delete(id);
    } else {
      const total = add(totals.get(id) as Resources, res(`cpus:1;mem(b):${1 + (n % 9)}`));
      assert(allocator.updateAgent(aid(id), { total }), 'a larger total is a change');
      totals.set(id, total);
    }
  },
  (world, n) => {
    world.whitelist = n % 2 ? undefined : ['host0', 'host1'];
    world.cluster.allocator.updateWhitelist(world.whitelist);
  },
];

const frameworkSteps: Step[] = [
  (world, n) => {
    const id = `framework${world.named++}`;
    world.frameworks.set(id, true);
    const roles = ROLES.filter((_, i) => (n >> i) & 1);
    const capabilities = CAPABILITIES.filter((_, i) => (n >> (i + 3)) & 1);
    world.cluster.framework(id, roles.length === 0 ? ['*'] : roles, capabilities);
  },
  (world, n) => {
    const { frameworks, cluster } = world;
    const id = pick(frameworks.keys(), n);
    if (id === undefined) return;
    if (n % 5 === 0) {
      cluster.allocator.removeFramework(fid(id));
      frameworks.delete(id);
      removeWhere(world, (offer) => offer.frameworkId === id);
    } else if (frameworks.get(id)) {
      cluster.allocator.deactivateFramework(fid(id));
      frameworks.set(id, false);
      returnOffers(world, (offer) => offer.frameworkId === id);
    } else {
      cluster.allocator.activateFramework(fid(id));
      frameworks.set(id, true);
    }
  },
  ({ cluster: { allocator }, frameworks }, n) => {
    const id = pick(frameworks.keys(), n);
    if (id === undefined) return;
    if (n % 2) allocator.suppress(fid(id), n % 3 ? undefined : ['a']);
    else allocator.revive(fid(id), n % 3 ? undefined : ['a']);
  },
  (world, n) => {
    const id = pick(world.frameworks.keys(), n);
    const roles = ROLES.filter((_, i) => (n >> (i + 1)) & 1);
    if (id === undefined || roles.length === 0) return;
    returnOffers(world, (offer) => offer.frameworkId === id && !roles.includes(offer.role));
    const info = frameworkInfo(roles, CAPABILITIES.slice(n % 5));
    const filter = { min_allocatable_resources: { quantities: n % 3 ? [{ quantities: { cpus: { value: 3 } } }] : [] } };
    const options = { suppressedRoles: n % 4 === 0 ? ['a'] : [] };
    const filters = n % 2 ? { offer_filters: { a: filter } } : {};
    world.cluster.allocator.updateFramework(fid(id), { ...info, ...filters }, options);
  },
];

const offerSteps: Step[] = [
  (world, n) => {
    const offer = takeOffer(world, n);
    if (offer !== undefined) world.cluster.decline(offer, [0, 0.5, 1, 3, 10, -1][n % 6]);
  },
  (world, n) => {
    const offer = takeOffer(world, n);
    if (offer !== undefined) world.cluster.returnOffer(offer);
  },
  (world, n) => {
    const offer = takeOffer(world, n);
    if (offer === undefined) return;
    const { allocator, now } = world.cluster;
    const { frameworkId, agentId, resources } = offer;
    const wanted = allocate(res(n % 2 ? 'cpus:1;mem:10' : 'cpus:0.3'), offer.role);
    const used = contains(resources.resources, wanted) ? wanted : resources.resources;
    world.tasks.push({ offer, used });
    allocator.transitionOfferedToAllocated(frameworkId, agentId, used);
    const options = { filters: { refuse_seconds: n % 3 ? 0 : 5 }, leftover: true };
    allocator.recoverResources(frameworkId, agentId, subtract(resources.resources, used), now, options);
  },
  (world, n) => {
    const task = pick(world.tasks, n);
    if (task === undefined) return;
    world.tasks = world.tasks.filter((other) => other !== task);
    const { frameworkId, agentId } = task.offer;
    const { allocator, now } = world.cluster;
    allocator.recoverResources(frameworkId, agentId, task.used, now, { allocated: true });
  },
];

const otherSteps: Step[] = [
  ({ cluster, quotas }, n) => {
    const role = ['a', 'b', 'c', 'unused'][n % 4] as string;
    const quota = QUOTAS[(n >> 2) % QUOTAS.length] as Quota;
    quotas.set(role, quota);
    cluster.allocator.updateQuota(role, quota);
  },
  ({ cluster }, n) => cluster.allocator.updateWeights([[ROLES[n % ROLES.length] as string, 1 + (n % 3)]]),
  ({ cluster }, n) => {
    cluster.now += [10, 1000, 3000, 12_000][n % 4] as number;
  },
];

const STEPS = [...agentSteps, ...frameworkSteps, ...offerSteps, ...offerSteps, ...otherSteps, ...CHANGES];
export const stepKinds = STEPS.length;
export const takeStep = (world: World, [kind, n]: readonly [number, number]): void => STEPS[kind]?.(world, n);

// --- checks

const isCountable = (r: Resource): boolean => isScalar(r) && !isReserved(r) && !isRevocable(r);

function allocatedOn({ offers, tasks }: World, agentId: string): Resources {
  let sum: Resources = [];
  for (const offer of offers) if (offer.agentId === agentId) sum = add(sum, offer.resources.unallocated.resources);
  for (const { offer, used } of tasks) if (offer.agentId === agentId) sum = add(sum, unallocate(used));
  return sum;
}

/** The quota consumption of the role. */
function consumed({ totals, offers, tasks }: World, role: string, name: string): number {
  const lists: Resources[] = [];
  for (const total of totals.values()) {
    lists.push(total.filter((r) => isReserved(r) && isInSubtree(reservationRole(r) as string, role)));
  }
  for (const offer of offers) {
    if (isInSubtree(offer.role, role)) lists.push(offer.resources.resources.filter(isCountable));
  }
  for (const { offer, used } of tasks) if (isInSubtree(offer.role, role)) lists.push(used.filter(isCountable));
  return lists.reduce((sum, list) => sum + quantity(quantitiesOf(list), name), 0);
}

/** The free resources minus all unmet guarantees; negative if the guarantees are overcommitted. */
function surplus(world: World, name: string): number {
  let amount = 0;
  for (const [id, total] of world.totals) {
    const isListed = world.whitelist?.includes(world.hosts.get(id) as string) ?? true;
    if (world.deactivated.has(id) || !isListed) continue;
    amount += quantity(quantitiesOf(subtract(total, allocatedOn(world, id)).filter(isCountable)), name);
  }
  for (const [role, { guarantees }] of world.quotas) {
    amount -= Math.max(0, quantity(guarantees, name) - consumed(world, role, name));
  }
  return amount;
}

export function runAndCheck(world: World): void {
  const before = ['cpus', 'mem'].map((name) => surplus(world, name));
  const made = world.cluster.run();
  for (const offer of made) {
    assert(world.frameworks.get(offer.frameworkId) === true, 'only active frameworks are offered anything');
    for (const resource of offer.resources.resources) {
      assert(resource.allocation_info?.role === offer.role, 'an offer is allocated to its role');
      const role = reservationRole(resource);
      assert(role === undefined || isInSubtree(offer.role, role), 'reservations go to their role and below');
    }
  }
  world.offers.push(...made);
  for (const [i, name] of ['cpus', 'mem'].entries()) {
    const isKept = surplus(world, name) >= Math.min(0, before[i] as number);
    assert(isKept, `${name} that guarantees need were offered to others`);
  }
  for (const [id, total] of world.totals) {
    const withoutCopies = allocatedOn(world, id).filter((r) => r.shared === undefined);
    assert(contains(total, withoutCopies), `agent ${id} is offered more than it has`);
  }
  for (const [role, { limits }] of world.quotas) {
    for (const name of limits.names) {
      const grew = made.some(
        (offer) =>
          isInSubtree(offer.role, role) &&
          quantity(quantitiesOf(offer.resources.resources.filter(isCountable)), name) > 0,
      );
      const isWithin = consumed(world, role, name) <= (limit(limits, name) as number);
      assert(!grew || isWithin, `${role} was offered more ${name} than its limit`);
    }
  }
}

/** Checks that every pair has a reason, and that no reason says that an offer is pending. */
export function checkReasons({ cluster: { allocator, now }, totals, frameworks }: World): void {
  for (const id of frameworks.keys()) {
    for (const agentId of totals.keys()) {
      const reasons = allocator.explain(fid(id), aid(agentId), undefined, now);
      assert(reasons.length > 0, `no reason why ${id} is not offered ${agentId}`);
      assert(!reasons.some(({ kind }) => kind === 'pending'), `${id} should have been offered ${agentId}`);
    }
  }
}
