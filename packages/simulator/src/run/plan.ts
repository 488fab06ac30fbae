// What a simulation consists of, as data: the topology, the frameworks, the faults and when they strike. A seed makes
// a plan; a shrinker takes things out of it.
import type { AllocatorOptions } from '@meseta/allocator';
import { type Random, shuffle } from '@meseta/base';
import { DEFAULT_MASTER_OPTIONS, type RateLimit } from '@meseta/master/core/options';
import type { AuthorizationAction } from '@meseta/wire';
import { between, happens, pick, streamOf, waiting, wholeBetween } from '../engine/chance.js';
import type { NetworkOptions } from '../engine/network.js';
import type { AgentSize } from '../nodes/agent.js';
import { type FrameworkPlan, SCHEDULER_KINDS } from '../schedulers/framework-plan.js';
import { VARIATIONS } from '../variations/all.js';
import { vary } from '../variations/variation.js';

export interface AgentPlan {
  readonly size: AgentSize;
  readonly rate: number;
}

/** Which ends a cut or a break is between: `agent 3`, `master 0`, `framework 1`, or the election service. */
export type Place =
  | { readonly kind: 'agent' | 'master' | 'framework'; readonly index: number }
  | { readonly kind: 'election' };

export type OperatorAction =
  | { readonly kind: 'drain'; readonly agent: number; readonly markGone: boolean }
  | { readonly kind: 'deactivate' | 'reactivate' | 'markGone'; readonly agent: number }
  | { readonly kind: 'quota'; readonly role: string; readonly guaranteeCpus: number; readonly limitCpus: number }
  | { readonly kind: 'weight'; readonly role: string; readonly weight: number }
  | { readonly kind: 'weights'; readonly weights: readonly (readonly [role: string, weight: number])[] }
  | { readonly kind: 'maintain' | 'takeDown'; readonly agent: number }
  | { readonly kind: 'teardown'; readonly framework: number };

export type Fault = { readonly atMs: number } & (
  | {
      readonly kind: 'killAgent' | 'powerOffAgent';
      readonly agent: number;
      readonly downMs: number;
      /** Not at once, but with the next write, before that is on disk. */
      readonly atWrite: boolean;
    }
  | { readonly kind: 'resizeAgent'; readonly agent: number; readonly size: AgentSize; readonly reboot: boolean }
  | { readonly kind: 'pauseAgent'; readonly agent: number; readonly ms: number }
  | { readonly kind: 'skewAgent'; readonly agent: number; readonly offsetMs: number }
  | { readonly kind: 'slowDisk'; readonly agent: number; readonly ms: number }
  | { readonly kind: 'fullDisk'; readonly agent: number; readonly ms: number }
  | { readonly kind: 'refuse'; readonly actions: readonly AuthorizationAction[]; readonly ms: number }
  | { readonly kind: 'leave'; readonly agent: number }
  | {
      readonly kind: 'killMaster' | 'powerOffMaster';
      readonly master: number;
      readonly downMs: number;
      readonly atWrite: boolean;
    }
  | { readonly kind: 'pauseMaster'; readonly master: number; readonly ms: number }
  | { readonly kind: 'skewMaster'; readonly master: number; readonly offsetMs: number }
  | { readonly kind: 'slowRegistry'; readonly ms: number }
  | {
      readonly kind: 'cut';
      readonly a: Place;
      readonly b: Place;
      readonly ways: 'both' | 'forth' | 'back';
      readonly ms: number;
    }
  | { readonly kind: 'break'; readonly a: Place; readonly b: Place }
  | { readonly kind: 'operator'; readonly action: OperatorAction }
);

export interface Plan {
  readonly seed: number;
  readonly encoded: boolean;
  /** How long faults strike. */
  readonly stormMs: number;
  /** How long everything then has to come to rest. */
  readonly restMs: number;
  readonly masters: number;
  readonly masterRates: readonly number[];
  readonly network: NetworkOptions;
  readonly pingTimeoutMs: number;
  readonly pings: number;
  readonly reregisterTimeoutMs: number;
  readonly offerTimeoutMs: number | undefined;
  readonly maxCompletedTasks: number;
  /** How long the registry remembers unreachable and gone agents. */
  readonly registryMaxAgentAgeMs: number;
  readonly registryMaxAgentCount: number;
  readonly registryGcIntervalMs: number;
  readonly agentRemovalRateLimit: RateLimit | undefined;
  readonly sorters: Pick<AllocatorOptions, 'roleSorter' | 'frameworkSorter'>;
  readonly weights: ReadonlyMap<string, number>;
  /** The names of those that this seed drew (../variations). */
  readonly variations: readonly string[];
  readonly agents: ReadonlyMap<number, AgentPlan>;
  readonly frameworks: ReadonlyMap<number, FrameworkPlan>;
  readonly faults: ReadonlyMap<number, Fault>;
}

const ROLES = ['red', 'green', 'blue', 'red/x'] as const;
/** Quota is a top-level role's. */
const QUOTA_ROLES = ['red', 'green', 'blue'] as const;

export const planOf = (seed: number): Plan => vary(basePlanOf(seed), VARIATIONS);

function basePlanOf(seed: number): Plan {
  const random = streamOf(seed, 'plan');
  const stormMs = wholeBetween(random, 2, 5) * 60_000;
  const agents = new Map(
    Array.from({ length: wholeBetween(random, 1, 8) }, (_, i): [number, AgentPlan] => [
      i,
      { size: sizeOf(random), rate: rateOf(random) },
    ]),
  );
  const frameworks = new Map(
    Array.from({ length: wholeBetween(random, 1, 5) }, (_, i): [number, FrameworkPlan] => [i, frameworkOf(random)]),
  );
  const masters = pick(random, [1, 1, 2, 3]);
  const shape: Shape = { agents: agents.size, frameworks: frameworks.size, masters, stormMs };
  for (const other of [...companionsOf(seed), ...strangersOf(seed)]) frameworks.set(frameworks.size, other);
  return {
    seed,
    encoded: seed % 20 === 0,
    stormMs,
    restMs: 30 * 60_000,
    masters,
    masterRates: Array.from({ length: masters }, () => rateOf(random)),
    network: {
      meanDelayMs: pick(random, [1, 5, 50, 200]),
      breakChance: pick(random, [0, 0, 0.001, 0.01]),
      stallChance: pick(random, [0, 0, 0.002, 0.02]),
      repeatChance: pick(random, [0, 0, 0.01, 0.1]),
      unacknowledgedMs: pick(random, [20_000, 60_000]),
    },
    pingTimeoutMs: pick(random, [15_000, 5_000]),
    pings: pick(random, [5, 3]),
    reregisterTimeoutMs: pick(random, [60_000, 120_000, 600_000]),
    offerTimeoutMs: pick(random, [undefined, undefined, 20_000]),
    maxCompletedTasks: pick(random, [1000, 5]),
    ...registryOf(pick(random, [1_209_600_000, 120_000])),
    agentRemovalRateLimit: undefined,
    sorters: {},
    weights: new Map(),
    variations: [],
    agents,
    frameworks,
    faults: new Map(faultsOf(random, shape).map((fault, index) => [index, fault])),
  };
}

const registryOf = (registryMaxAgentAgeMs: number) => ({
  registryMaxAgentAgeMs,
  registryMaxAgentCount: DEFAULT_MASTER_OPTIONS.registryMaxAgentCount,
  registryGcIntervalMs: Math.min(DEFAULT_MASTER_OPTIONS.registryGcIntervalMs, registryMaxAgentAgeMs / 4),
});

const sizeOf = (random: Random): AgentSize => ({
  cpus: pick(random, [1, 2, 4, 8]),
  mem: pick(random, [512, 1024, 4096]),
  disk: pick(random, [1024, 8192]),
});

const rateOf = (random: Random): number => (happens(random, 0.7) ? 1 : between(random, 0.99, 1.01));

const frameworkOf = (random: Random): FrameworkPlan => ({
  kind: pick(random, SCHEDULER_KINDS),
  role: pick(random, ROLES),
  partitionAware: happens(random, 0.7),
  checkpoint: happens(random, 0.8),
  failoverTimeoutMs: pick(random, [0, 30_000, 3_600_000, 3_600_000]),
  alive: wholeBetween(random, 1, 8),
  total: wholeBetween(random, 5, 60),
  longestTaskMs: pick(random, [5_000, 60_000, 200_000]),
  launches: 'commands',
  curious: false,
  speaks: 'http',
});

/** Frameworks with executors of their own and with pods, beside the others: their stream of chance is apart. */
function companionsOf(seed: number): readonly FrameworkPlan[] {
  const random = streamOf(seed, 'companions');
  if (!happens(random, COMPANION_SHARE)) return [];
  return Array.from({ length: wholeBetween(random, 1, 2) }, () => ({
    ...frameworkOf(random),
    kind: pick(random, COMPANION_KINDS),
    launches: pick(random, ['executors', 'executors', 'pods'] as const),
    curious: happens(random, 0.5),
  }));
}

/** Schedulers on v0 drivers, in the same way. */
function strangersOf(seed: number): readonly FrameworkPlan[] {
  const random = streamOf(seed, 'strangers');
  if (!happens(random, STRANGER_SHARE)) return [];
  return Array.from({ length: wholeBetween(random, 1, 2) }, () => ({
    ...frameworkOf(random),
    kind: pick(random, COMPANION_KINDS),
    launches: pick(random, ['commands', 'executors', 'pods'] as const),
    curious: happens(random, 0.5),
    speaks: pick(random, ['driver', 'driver', 'oldDriver'] as const),
  }));
}

/** Of all seeds. */
const COMPANION_SHARE = 0.4;
const STRANGER_SHARE = 0.3;
const COMPANION_KINDS = ['runner', 'runner', 'keeper', 'disconnector', 'failover'] as const;

interface Shape {
  readonly agents: number;
  readonly frameworks: number;
  readonly masters: number;
  readonly stormMs: number;
}

/** A mix of its own each seed: some kinds of faults, and how often. */
function faultsOf(random: Random, shape: Shape): readonly Fault[] {
  const kinds = shuffle(random, [...FAULT_KINDS]).slice(0, wholeBetween(random, 0, 7));
  const count = kinds.length === 0 ? 0 : wholeBetween(random, 1, 24);
  const faults = Array.from({ length: count }, () =>
    faultOf(random, pick(random, kinds), shape, between(random, 1_000, shape.stormMs)),
  );
  return [...operatorActions(random, shape), ...faults].sort((a, b) => a.atMs - b.atMs);
}

const FAULT_KINDS = [
  'killAgent',
  'powerOffAgent',
  'resizeAgent',
  'pauseAgent',
  'skewAgent',
  'slowDisk',
  'leave',
  'killMaster',
  'powerOffMaster',
  'pauseMaster',
  'skewMaster',
  'slowRegistry',
  'cut',
  'cut',
  'break',
] as const;

/** Two ends that talk to each other: masters do with everybody but masters, the election does if there is one. */
function endsOf(random: Random, { agents, frameworks, masters }: Shape): readonly [Place, Place] {
  const master: Place = { kind: 'master', index: wholeBetween(random, 0, masters - 1) };
  const election: Place = { kind: 'election' };
  if (masters > 1 && happens(random, 0.2)) return [election, master];
  const client: Place = happens(random, 0.75)
    ? { kind: 'agent', index: wholeBetween(random, 0, agents - 1) }
    : { kind: 'framework', index: wholeBetween(random, 0, frameworks - 1) };
  return [masters > 1 && happens(random, 0.1) ? election : master, client];
}

function faultOf(random: Random, kind: (typeof FAULT_KINDS)[number], shape: Shape, atMs: number): Fault {
  const agent = wholeBetween(random, 0, shape.agents - 1);
  const master = wholeBetween(random, 0, shape.masters - 1);
  const downMs = 500 + waiting(random, pick(random, [2_000, 20_000, 90_000]));
  const ms = 500 + waiting(random, pick(random, [3_000, 30_000, 100_000]));
  switch (kind) {
    case 'killAgent':
    case 'powerOffAgent':
      return { atMs, kind, agent, downMs, atWrite: happens(random, 0.5) };
    case 'resizeAgent':
      return { atMs, kind, agent, size: sizeOf(random), reboot: happens(random, 0.5) };
    case 'pauseAgent':
    case 'slowDisk':
      return { atMs, kind, agent, ms };
    case 'skewMaster':
      return { atMs, kind, master, offsetMs: between(random, -3_600_000, 3_600_000) };
    case 'skewAgent':
      return { atMs, kind, agent, offsetMs: between(random, -3_600_000, 3_600_000) };
    case 'leave':
      return { atMs, kind, agent };
    case 'killMaster':
    case 'powerOffMaster':
      return { atMs, kind, master, downMs, atWrite: happens(random, 0.5) };
    case 'pauseMaster':
      return { atMs, kind, master, ms };
    case 'slowRegistry':
      return { atMs, kind, ms };
    case 'cut': {
      const ways = pick(random, ['both', 'both', 'forth', 'back'] as const);
      const [a, b] = endsOf(random, shape);
      return { atMs, kind, a, b, ways, ms };
    }
    case 'break': {
      const [a, b] = endsOf(random, shape);
      return { atMs, kind, a, b };
    }
  }
}

function operatorActions(random: Random, shape: Shape): readonly Fault[] {
  const actions: Fault[] = [];
  if (happens(random, 0.4)) {
    const limitCpus = wholeBetween(random, 1, 8);
    const role = pick(random, QUOTA_ROLES);
    const action = { kind: 'quota', role, guaranteeCpus: wholeBetween(random, 0, limitCpus), limitCpus } as const;
    actions.push({ atMs: between(random, 2_000, 60_000), kind: 'operator', action });
  }
  const count = happens(random, 0.5) ? wholeBetween(random, 1, 5) : 0;
  for (let i = 0; i < count; i++) {
    const agent = wholeBetween(random, 0, shape.agents - 1);
    const kind = pick(random, [
      'drain',
      'deactivate',
      'reactivate',
      'markGone',
      'weight',
      'maintain',
      'takeDown',
      'teardown',
    ] as const);
    const action: OperatorAction =
      kind === 'drain'
        ? { kind, agent, markGone: happens(random, 0.3) }
        : kind === 'weight'
          ? { kind, role: pick(random, ROLES), weight: wholeBetween(random, 1, 4) }
          : kind === 'teardown'
            ? { kind, framework: wholeBetween(random, 0, shape.frameworks - 1) }
            : { kind, agent };
    actions.push({ atMs: between(random, 10_000, shape.stormMs), kind: 'operator', action });
  }
  return actions;
}
