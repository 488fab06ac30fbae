// Random clusters against the full scan and against a model that knows only totals, offers and quotas.
import assert from 'node:assert/strict';
import { test } from 'node:test';
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
import fc from 'fast-check';
import { aid, fid, frameworkInfo, quotaOf, res, show, testCluster } from './testing.js';
import type { OfferDecision, Quota } from './types.js';

const ROLES = ['*', 'a', 'a/b', 'a/c', 'b', 'c/d/e'];
const CAPABILITIES = ['SHARED_RESOURCES', 'REVOCABLE_RESOURCES', 'GPU_RESOURCES', 'REGION_AWARE'] as const;
const sharedVolume: Resource = {
  name: 'disk',
  type: 'SCALAR',
  scalar: { value: 7 },
  disk: { persistence: { id: 'v' }, volume: { container_path: 'p', mode: 'RW' } },
  shared: {},
  reservations: [{ role: 'a', type: 'STATIC' }],
};
const mountDisk: Resource = {
  name: 'disk',
  type: 'SCALAR',
  scalar: { value: 40 },
  disk: { source: { type: 'MOUNT', mount: { root: '/m' } } },
};
const revocableCpus: Resource = { name: 'cpus', type: 'SCALAR', scalar: { value: 2 }, revocable: {} };
const TOTALS: Resources[] = [
  res('cpus:4;mem:100;ports:[1-9]'),
  res('cpus:0.5;mem:31'),
  [...res('cpus:8;mem:50;cpus(a):2;mem(a):10;cpus(a/b):1;mem(b):64'), sharedVolume],
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

/** Interprets numbers as things that happen to a cluster. */
function world(minimum: boolean, sorter: 'drf' | 'random') {
  const cluster = testCluster({
    roleSorter: sorter,
    frameworkSorter: sorter,
    ...(minimum ? {} : { minAllocatableResources: [] }),
    domain: { fault_domain: { region: { name: 'here' }, zone: { name: 'z' } } },
  });
  const { allocator } = cluster;
  const totals = new Map<string, Resources>();
  const frameworks = new Map<string, boolean>();
  const quotas = new Map<string, Quota>();
  let offers: OfferDecision[] = [];
  let tasks: Task[] = [];
  let counter = 0;
  const pick = <T>(list: readonly T[], n: number): T | undefined => list[n % Math.max(1, list.length)];
  const forget = (goes: (offer: OfferDecision) => boolean): void => {
    offers = offers.filter((offer) => !goes(offer));
    tasks = tasks.filter(({ offer }) => !goes(offer));
  };
  const take = (n: number): OfferDecision | undefined => {
    const offer = pick(offers, n);
    offers = offers.filter((other) => other !== offer);
    return offer;
  };
  const returnOffersOf = (id: string): void => {
    for (const offer of offers) if (offer.frameworkId === id) cluster.back(offer);
    offers = offers.filter((offer) => offer.frameworkId !== id);
  };

  const held = (agentId: string): Resources => {
    let sum: Resources = [];
    for (const offer of offers) if (offer.agentId === agentId) sum = add(sum, unallocate(offer.resources.resources));
    for (const task of tasks) if (task.offer.agentId === agentId) sum = add(sum, unallocate(task.used));
    return sum;
  };
  const consumed = (role: string): Resources[] => {
    const lists: Resources[] = [];
    for (const total of totals.values()) {
      lists.push(total.filter((r) => isReserved(r) && isInSubtree(reservationRole(r) as string, role)));
    }
    const countable = (list: Resources) => list.filter((r) => isScalar(r) && !isReserved(r) && !isRevocable(r));
    for (const offer of offers) if (isInSubtree(offer.role, role)) lists.push(countable(offer.resources.resources));
    for (const task of tasks) if (isInSubtree(task.offer.role, role)) lists.push(countable(task.used));
    return lists;
  };
  const amountOf = (lists: readonly Resources[], name: string): number =>
    lists.reduce((sum, list) => sum + quantity(quantitiesOf(list), name), 0);

  const actions: ((n: number) => void)[] = [
    (n) => {
      const id = `agent${counter++}`;
      totals.set(id, TOTALS[n % TOTALS.length] as Resources);
      const domain = { fault_domain: { region: { name: n % 7 === 0 ? 'away' : 'here' }, zone: { name: 'z' } } };
      cluster.agent(id, totals.get(id) as Resources, { hostname: `host${n % 3}`, ...(n % 2 ? { domain } : {}) });
    },
    (n) => {
      const id = `framework${counter++}`;
      frameworks.set(id, true);
      const roles = ROLES.filter((_, i) => (n >> i) & 1);
      const capabilities = CAPABILITIES.filter((_, i) => (n >> (i + 3)) & 1);
      cluster.framework(id, roles.length === 0 ? ['*'] : roles, capabilities);
    },
    (n) => {
      const id = n % 3 ? undefined : pick([...totals.keys()], n);
      if (id === undefined) return;
      allocator.removeAgent(aid(id));
      totals.delete(id);
      forget((offer) => offer.agentId === id);
    },
    (n) => {
      const id = pick([...frameworks.keys()], n);
      if (id === undefined) return;
      if (n % 5 === 0) {
        allocator.removeFramework(fid(id));
        frameworks.delete(id);
        forget((offer) => offer.frameworkId === id);
      } else if (frameworks.get(id)) {
        allocator.deactivateFramework(fid(id));
        frameworks.set(id, false);
        returnOffersOf(id);
      } else {
        allocator.activateFramework(fid(id));
        frameworks.set(id, true);
      }
    },
    (n) => {
      const id = pick([...frameworks.keys()], n);
      if (id === undefined) return;
      if (n % 2) allocator.suppress(fid(id), n % 3 ? undefined : ['a']);
      else allocator.revive(fid(id), n % 3 ? undefined : ['a']);
    },
    (n) => {
      const id = pick([...frameworks.keys()], n);
      const roles = ROLES.filter((_, i) => (n >> (i + 1)) & 1);
      if (id === undefined || roles.length === 0) return;
      const left = offers.filter((offer) => offer.frameworkId === id && !roles.includes(offer.role));
      for (const offer of left) cluster.back(offer);
      offers = offers.filter((offer) => !left.includes(offer));
      const info = frameworkInfo(roles, CAPABILITIES.slice(n % 5));
      const filter = {
        min_allocatable_resources: { quantities: n % 3 ? [{ quantities: { cpus: { value: 3 } } }] : [] },
      };
      const options = { suppressedRoles: n % 4 === 0 ? ['a'] : [] };
      allocator.updateFramework(fid(id), { ...info, ...(n % 2 ? { offer_filters: { a: filter } } : {}) }, options);
    },
    (n) => {
      const offer = take(n);
      if (offer !== undefined) cluster.decline(offer, [0, 0.5, 1, 3, 10, -1][n % 6]);
    },
    (n) => {
      const offer = take(n);
      if (offer !== undefined) cluster.back(offer);
    },
    (n) => {
      const offer = take(n);
      if (offer === undefined) return;
      const wanted = allocate(res(n % 2 ? 'cpus:1;mem:10' : 'cpus:0.3'), offer.role);
      const used = contains(offer.resources.resources, wanted) ? wanted : offer.resources.resources;
      tasks.push({ offer, used });
      allocator.transitionOfferedToAllocated(offer.frameworkId, offer.agentId, used);
      allocator.recoverResources(
        offer.frameworkId,
        offer.agentId,
        subtract(offer.resources.resources, used),
        cluster.now,
        { filters: { refuse_seconds: n % 3 ? 0 : 5 }, leftover: true },
      );
    },
    (n) => {
      const task = pick(tasks, n);
      if (task === undefined) return;
      tasks = tasks.filter((other) => other !== task);
      allocator.recoverResources(task.offer.frameworkId, task.offer.agentId, task.used, cluster.now, {
        allocated: true,
      });
    },
    (n) => {
      const role = ['a', 'b', 'c', 'nobody'][n % 4] as string;
      quotas.set(role, QUOTAS[(n >> 2) % QUOTAS.length] as Quota);
      allocator.updateQuota(role, quotas.get(role) as Quota);
    },
    (n) => {
      const id = pick([...totals.keys()], n);
      if (id === undefined) return;
      if (n % 3 === 0) allocator.deactivateAgent(aid(id));
      else if (n % 3 === 1) allocator.activateAgent(aid(id));
      else {
        const total = add(totals.get(id) as Resources, res(`cpus:1;mem(b):${1 + (n % 9)}`));
        assert.ok(allocator.updateAgent(aid(id), { total }));
        totals.set(id, total);
      }
    },
    (n) => allocator.updateWhitelist(n % 2 ? undefined : ['host0', 'host1']),
    (n) => allocator.updateWeights([[ROLES[n % ROLES.length] as string, 1 + (n % 3)]]),
    (n) => {
      cluster.now += [10, 1000, 3000, 12_000][n % 4] as number;
    },
  ];

  const check = (made: readonly OfferDecision[]): void => {
    for (const offer of made) {
      assert.equal(frameworks.get(offer.frameworkId), true, 'only active frameworks are offered anything');
      for (const resource of offer.resources.resources) {
        assert.equal(resource.allocation_info?.role, offer.role);
        const role = reservationRole(resource);
        assert.ok(role === undefined || isInSubtree(offer.role, role), 'reservations go to their role and below');
      }
    }
    offers.push(...made);
    for (const [id, total] of totals) {
      const withoutCopies = held(id).filter((r) => r.shared === undefined);
      assert.ok(contains(total, withoutCopies), `agent ${id} is offered more than it has`);
    }
    for (const [role, { limits }] of quotas) {
      for (const name of limits.names) {
        const grew = made.some(
          (o) =>
            isInSubtree(o.role, role) &&
            amountOf([o.resources.resources.filter((r) => !isReserved(r) && !isRevocable(r))], name) > 0,
        );
        const most = limit(limits, name) as number;
        assert.ok(!grew || amountOf(consumed(role), name) <= most, `${role} was offered more ${name} than its limit`);
      }
    }
    assert.deepEqual(show(allocator.scan()), [], 'I1: a scan finds nothing more');
  };
  return {
    step: ([kind, n]: readonly [number, number]) => actions[kind % actions.length]?.(n),
    run: () => check(cluster.run()),
  };
}

const step = fc.tuple(fc.nat(14), fc.nat(1 << 12));

for (const sorter of ['drf', 'random'] as const) {
  test(`after a run a full scan finds nothing, and nothing is offered twice or past a limit (${sorter})`, () => {
    fc.assert(
      fc.property(
        fc.array(fc.array(step, { maxLength: 5, size: 'max' }), { minLength: 5, maxLength: 40, size: 'max' }),
        fc.boolean(),
        (batches, minimum) => {
          const { step: apply, run } = world(minimum, sorter);
          for (const kind of [0, 0, 1, 1, 1]) apply([kind, 6 + kind * 3]);
          for (const batch of batches) {
            for (const one of batch) apply(one);
            run();
          }
        },
      ),
      { numRuns: 400, seed: 7, includeErrorInReport: true },
    );
  });
}
