// The options of the core, from the master's flags. Times are in milliseconds.
import { type AllocatorOptions, defaultRegexLimits, type RegexLimits } from '@meseta/allocator';
import type { AuthorizationAction } from '@meseta/wire';

/** Whether a principal may perform an action on an object. */
export interface AuthorizationQuestion {
  readonly action: AuthorizationAction;
  readonly principal: string | undefined;
  /** The role, user or principal that the action's ACL compares; undefined if the action has none. */
  readonly value?: string | undefined;
}

/** A pure function: the answer depends only on the question and on the authorizer's configuration. */
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
  /** A share of the recovered agents, 0 to 1: the master exits if more than that do not re-register. */
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
  /** `--weights`: used only if the registry has no weights. */
  readonly weights: ReadonlyMap<string, number>;
  readonly allocator: AllocatorOptions;
  /** Roles that may be used, `--roles`; undefined allows all. */
  readonly roles: ReadonlySet<string> | undefined;
  readonly allocatorRecoveryTimeoutMs: number;
  readonly allocatorRecoveryFactor: number;
  /** Limits of a regular expression in offer constraints. */
  readonly regexLimits: RegexLimits;
  readonly authorize: Authorizer;
  /** Whether v0 drivers may send messages directly to agents; otherwise they send them to the master. */
  readonly agentsAcceptDriverMessages: boolean;
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
  agentsAcceptDriverMessages: true,
  authorize: () => true,
};
