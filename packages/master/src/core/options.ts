// What the master's flags tell the core. Times are in milliseconds.
import { type AllocatorOptions, defaultRegexLimits, type RegexLimits } from '@meseta/allocator';
import type { AuthorizationAction } from '@meseta/wire';

/** One question of authorization: may this principal do this to that? */
export interface AuthorizationQuestion {
  readonly action: AuthorizationAction;
  readonly principal: string | undefined;
  /** The role, user, principal ... that the action's ACL compares; undefined where there is none. */
  readonly value?: string | undefined;
}

/** Pure and immediate: the answer depends on the question and on what the authorizer was made from. */
export type Authorizer = (question: AuthorizationQuestion) => boolean;

export interface RateLimit {
  readonly permits: number;
  readonly perMs: number;
}

export interface MasterOptions {
  readonly agentPingTimeoutMs: number;
  readonly maxAgentPingTimeouts: number;
  readonly agentReregisterTimeoutMs: number;
  readonly agentRemovalRateLimit: RateLimit | undefined;
  /** A share of the recovered agents, 0 to 1: if more than that don't come back the master exits. */
  readonly recoveryAgentRemovalLimit: number;
  readonly offerTimeoutMs: number | undefined;
  readonly heartbeatIntervalMs: number;
  readonly maxCompletedFrameworks: number;
  readonly maxCompletedTasksPerFramework: number;
  readonly maxUnreachableTasksPerFramework: number;
  readonly registryGcIntervalMs: number;
  readonly registryMaxAgentAgeMs: number;
  readonly registryMaxAgentCount: number;
  readonly requireAgentDomain: boolean;
  /** `--weights`: kept only where the registry has none. */
  readonly weights: ReadonlyMap<string, number>;
  readonly allocator: AllocatorOptions;
  /** Roles that may be used, `--roles`; undefined allows all. */
  readonly roles: ReadonlySet<string> | undefined;
  readonly allocatorRecoveryTimeoutMs: number;
  readonly allocatorRecoveryFactor: number;
  /** What a regular expression of offer constraints may need. */
  readonly regexLimits: RegexLimits;
  readonly authorize: Authorizer;
  /** Whether agents take messages of v0 drivers, which are told where they are; else drivers send them to the master. */
  readonly agentsTakeDriversMessages: boolean;
}

/** Mesos' defaults. */
export const DEFAULT_MASTER_OPTIONS: MasterOptions = {
  agentPingTimeoutMs: 15_000,
  maxAgentPingTimeouts: 5,
  agentReregisterTimeoutMs: 600_000,
  agentRemovalRateLimit: undefined,
  recoveryAgentRemovalLimit: 1,
  offerTimeoutMs: undefined,
  heartbeatIntervalMs: 15_000,
  maxCompletedFrameworks: 50,
  maxCompletedTasksPerFramework: 1_000,
  maxUnreachableTasksPerFramework: 1_000,
  registryGcIntervalMs: 900_000,
  registryMaxAgentAgeMs: 1_209_600_000,
  registryMaxAgentCount: 102_400,
  requireAgentDomain: false,
  weights: new Map(),
  allocator: {},
  roles: undefined,
  allocatorRecoveryTimeoutMs: 600_000,
  allocatorRecoveryFactor: 0.8,
  regexLimits: defaultRegexLimits,
  agentsTakeDriversMessages: true,
  authorize: () => true,
};
