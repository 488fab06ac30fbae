// What the tests of this package share: ids, resources, infos, and an audited allocator with clusters by name.
import { type AgentId, type FrameworkId, seededRandom } from '@meseta/base';
import {
  admitResources,
  allocate,
  contains,
  formatResources,
  limitsFrom,
  parseResources,
  quantitiesFrom,
  type Resources,
  subtract,
} from '@meseta/resources';
import type {
  AgentInfo,
  AgentInfoCapabilityType,
  FrameworkInfo,
  FrameworkInfoCapabilityType,
  Resource,
} from '@meseta/wire';
import { createAllocator } from '../allocator.js';
import type {
  Allocator,
  AllocatorOptions,
  Decisions,
  FrameworkOptions,
  OfferDecision,
  Quota,
  ReturnOptions,
} from '../types.js';
import { auditAllocator } from './audit.js';

export const aid = (id: string): AgentId => id as AgentId;
export const fid = (id: string): FrameworkId => id as FrameworkId;

export function res(text: string): Resources {
  const parsed = parseResources(text, '*');
  if (!parsed.ok) throw new Error(parsed.error);
  const admitted = admitResources(parsed.value);
  if (!admitted.ok) throw new Error(admitted.error.text);
  return admitted.value;
}

export const revocableCpus: Resource = { name: 'cpus', type: 'SCALAR', scalar: { value: 4 }, revocable: {} };

/** A shared persistent volume that is reserved to the role. */
export const sharedVolume = (role: string): Resource => ({
  name: 'disk',
  type: 'SCALAR',
  scalar: { value: 10 },
  disk: { persistence: { id: 'v' }, volume: { container_path: 'p', mode: 'RW' } },
  shared: {},
  reservations: [{ role, type: 'DYNAMIC' }],
});

/** Memory that is reserved to the role `a` and then to `a/b`. */
export const refinedMem: Resource = {
  name: 'mem',
  type: 'SCALAR',
  scalar: { value: 7 },
  reservations: [
    { role: 'a', type: 'STATIC' },
    { role: 'a/b', type: 'DYNAMIC' },
  ],
};

export const AGENT_CAPABILITIES: AgentInfoCapabilityType[] = [
  'MULTI_ROLE',
  'HIERARCHICAL_ROLE',
  'RESERVATION_REFINEMENT',
];

export const quotaOf = (guarantees: Record<string, number>, limits: Record<string, number> = {}): Quota => ({
  guarantees: quantitiesFrom(guarantees),
  limits: limitsFrom(limits),
});

export const frameworkInfo = (
  roles: readonly string[],
  capabilities: readonly FrameworkInfoCapabilityType[] = [],
): FrameworkInfo => ({
  user: 'user',
  name: roles.join(),
  capabilities: (['MULTI_ROLE', 'RESERVATION_REFINEMENT', ...capabilities] as const).map((type) => ({ type })),
  roles,
});

export interface TestCluster {
  readonly allocator: Allocator;
  now: number;
  agent(id: string, resources: string | Resources, info?: Partial<AgentInfo>): void;
  framework(
    id: string,
    roles: readonly string[],
    capabilities?: readonly FrameworkInfoCapabilityType[],
    options?: FrameworkOptions,
  ): void;
  run(afterMs?: number): OfferDecision[];
  decide(afterMs?: number): Decisions;
  returnOffer(offer: OfferDecision, options?: ReturnOptions): void;
  fits(offer: OfferDecision, wanted: string): boolean;
  decline(offer: OfferDecision, seconds?: number): void;
  /** Uses a part and returns the rest, as an ACCEPT with `refuse_seconds` does. */
  accept(offer: OfferDecision, used: string, seconds?: number): void;
}

export function testCluster(options: AllocatorOptions = {}, seed = 1): TestCluster {
  const allocator = auditAllocator(createAllocator(options, seededRandom(seed)), options, {
    broken(invariant, explanation) {
      throw new Error(`${invariant}: ${explanation}`);
    },
  });
  const cluster: TestCluster = {
    allocator,
    now: 0,
    agent(id, resources, info = {}) {
      allocator.addAgent(aid(id), {
        info: { hostname: id, ...info },
        capabilities: AGENT_CAPABILITIES.map((type) => ({ type })),
        total: typeof resources === 'string' ? res(resources) : resources,
        used: new Map(),
      });
    },
    framework(id, roles, capabilities, extra) {
      allocator.addFramework(fid(id), frameworkInfo(roles, capabilities), new Map(), true, extra);
    },
    run: (afterMs) => [...cluster.decide(afterMs).offers],
    decide(afterMs = 0) {
      cluster.now += afterMs;
      return allocator.run(cluster.now);
    },
    returnOffer: (offer, options) =>
      allocator.recoverResources(offer.frameworkId, offer.agentId, offer.resources, cluster.now, options),
    fits: (offer, wanted) => contains(offer.resources.unallocated.resources, res(wanted)),
    decline: (offer, seconds = 5) => cluster.returnOffer(offer, { filters: { refuse_seconds: seconds } }),
    accept(offer, used, seconds = 5) {
      const unavailable = allocate(res(used), offer.role);
      allocator.transitionOfferedToAllocated(offer.frameworkId, offer.agentId, unavailable);
      const left = offer.resources.resources.length === 0 ? [] : leftOf(offer, unavailable);
      allocator.recoverResources(offer.frameworkId, offer.agentId, left, cluster.now, {
        filters: { refuse_seconds: seconds },
        leftover: true,
      });
    },
  };
  return cluster;
}

const leftOf = (offer: OfferDecision, unavailable: Resources): Resources =>
  subtract(offer.resources.resources, unavailable);

/** `a/r1@agent: cpus:1; mem:10`, sorted. */
export const show = (offers: readonly OfferDecision[]): string[] =>
  offers
    .map((o) => `${o.frameworkId}/${o.role}@${o.agentId} ${formatResources(o.resources.unallocated.resources)}`)
    .sort();
