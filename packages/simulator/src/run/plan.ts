// The plan of a simulation as data: agents, masters, frameworks and faults. The seed determines the plan; the shrinker
// removes parts of it.
import type { AllocatorOptions } from '@meseta/allocator';
import type { Random } from '@meseta/base';
import { DEFAULT_MASTER_OPTIONS, type RateLimit } from '@meseta/master/core/options';
import { between, happens, pick, streamOf, wholeBetween } from '../engine/chance.js';
import type { NetworkOptions } from '../engine/network.js';
import { type Fault, faultsOf } from '../faults/all.js';
import type { Shape } from '../faults/fault.js';
import { type AgentSize, drawSize } from '../nodes/agent-size.js';
import { type FrameworkPlan, SCHEDULER_KINDS } from '../schedulers/framework-plan.js';
import { ROLES } from '../schedulers/roles.js';
import { VARIATIONS } from '../variations/all.js';
import { vary } from '../variations/variation.js';

export interface AgentPlan {
  readonly size: AgentSize;
  /** The rate of its monotonic clock. */
  readonly rate: number;
}

export interface Plan {
  readonly seed: number;
  readonly encoded: boolean;
  /** The duration of the phase in which faults are injected. */
  readonly faultPhaseMs: number;
  /** The duration of the phase in which the cluster recovers, without faults. */
  readonly recoveryPhaseMs: number;
  readonly masters: number;
  readonly masterRates: readonly number[];
  readonly network: NetworkOptions;
  readonly pingTimeoutMs: number;
  readonly pings: number;
  readonly reregisterTimeoutMs: number;
  readonly offerTimeoutMs: number | undefined;
  readonly maxCompletedTasks: number;
  /** How long the registry keeps unreachable and gone agents. */
  readonly registryMaxAgentAgeMs: number;
  readonly registryMaxAgentCount: number;
  readonly registryGcIntervalMs: number;
  readonly agentRemovalRateLimit: RateLimit | undefined;
  readonly sorters: Pick<AllocatorOptions, 'roleSorter' | 'frameworkSorter'>;
  readonly weights: ReadonlyMap<string, number>;
  /** The names of the variations that this seed drew (../variations). */
  readonly variations: readonly string[];
  readonly agents: ReadonlyMap<number, AgentPlan>;
  readonly frameworks: ReadonlyMap<number, FrameworkPlan>;
  readonly faults: ReadonlyMap<number, Fault>;
}

export const planOf = (seed: number): Plan => vary(basePlanOf(seed), VARIATIONS);

function basePlanOf(seed: number): Plan {
  const random = streamOf(seed, 'plan');
  const faultPhaseMs = wholeBetween(random, 2, 5) * 60_000;
  const agents = new Map(
    Array.from({ length: wholeBetween(random, 1, 8) }, (_, i): [number, AgentPlan] => [
      i,
      { size: drawSize(random), rate: rateOf(random) },
    ]),
  );
  const frameworks = new Map(
    Array.from({ length: wholeBetween(random, 1, 5) }, (_, i): [number, FrameworkPlan] => [i, frameworkOf(random)]),
  );
  const masters = pick(random, [1, 1, 2, 3]);
  const shape: Shape = { agents: agents.size, frameworks: frameworks.size, masters, faultPhaseMs };
  for (const other of [...executorFrameworksOf(seed), ...driverFrameworksOf(seed)])
    frameworks.set(frameworks.size, other);
  return {
    seed,
    encoded: seed % 20 === 0,
    faultPhaseMs,
    recoveryPhaseMs: 30 * 60_000,
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
    faults: new Map(faultsOf(seed, shape).map((fault, index) => [index, fault])),
  };
}

const registryOf = (registryMaxAgentAgeMs: number) => ({
  registryMaxAgentAgeMs,
  registryMaxAgentCount: DEFAULT_MASTER_OPTIONS.registryMaxAgentCount,
  registryGcIntervalMs: Math.min(DEFAULT_MASTER_OPTIONS.registryGcIntervalMs, registryMaxAgentAgeMs / 4),
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
  reconcilesAtRandom: false,
  speaks: 'http',
});

/** Frameworks with executors of their own or pods, drawn from a separate random stream. */
function executorFrameworksOf(seed: number): readonly FrameworkPlan[] {
  const random = streamOf(seed, 'companions');
  if (!happens(random, EXECUTOR_FRAMEWORK_SHARE)) return [];
  return Array.from({ length: wholeBetween(random, 1, 2) }, () => ({
    ...frameworkOf(random),
    kind: pick(random, ADDED_FRAMEWORK_KINDS),
    launches: pick(random, ['executors', 'executors', 'pods'] as const),
    reconcilesAtRandom: happens(random, 0.5),
  }));
}

/** Frameworks on v0 drivers, drawn from a separate random stream. */
function driverFrameworksOf(seed: number): readonly FrameworkPlan[] {
  const random = streamOf(seed, 'strangers');
  if (!happens(random, DRIVER_FRAMEWORK_SHARE)) return [];
  return Array.from({ length: wholeBetween(random, 1, 2) }, () => ({
    ...frameworkOf(random),
    kind: pick(random, ADDED_FRAMEWORK_KINDS),
    launches: pick(random, ['commands', 'executors', 'pods'] as const),
    reconcilesAtRandom: happens(random, 0.5),
    speaks: pick(random, ['driver', 'driver', 'oldDriver'] as const),
  }));
}

/** The share of seeds that have such frameworks. */
const EXECUTOR_FRAMEWORK_SHARE = 0.4;
const DRIVER_FRAMEWORK_SHARE = 0.3;
const ADDED_FRAMEWORK_KINDS = ['runner', 'runner', 'keeper', 'disconnector', 'failover'] as const;
