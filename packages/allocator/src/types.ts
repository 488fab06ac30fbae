// The allocator's interface: its options, inputs, decisions, reasons and views, all plain data.
import type { AgentId, FrameworkId, Result } from '@meseta/base';
import type { Bundle, Limits, Quantities, ResourceConversion, Resources } from '@meseta/resources';
import type {
  AgentInfo,
  AgentInfoCapability,
  DomainInfo,
  Filters,
  FrameworkInfo,
  InverseOfferStatus,
  OfferOperation,
  Unavailability,
} from '@meseta/wire';
import type { OfferConstraints } from './constraints.js';

export type SorterKind = 'drf' | 'random';

/** An omitted field has the default of Mesos' flag of that name (docs/configuration/master.md). */
export interface AllocatorOptions {
  /** The shortest time that a filter lasts, in milliseconds. Default 1000. */
  readonly allocationIntervalMs?: number | undefined;
  readonly roleSorter?: SorterKind | undefined;
  readonly frameworkSorter?: SorterKind | undefined;
  /** Resource names that do not count in shares. */
  readonly fairSharingExcludedResourceNames?: readonly string[] | undefined;
  /** An offer must contain at least one of these. Default `cpus:0.01|mem:32`; an empty list allows every offer. */
  readonly minAllocatableResources?: readonly Quantities[] | undefined;
  /** Whether agents with GPUs are offered only to frameworks with GPU_RESOURCES. Default true. */
  readonly filterGpuResources?: boolean | undefined;
  /** The master's own domain. */
  readonly domain?: DomainInfo | undefined;
}

export interface Quota {
  readonly guarantees: Quantities;
  readonly limits: Limits;
}

export interface FrameworkOptions {
  readonly suppressedRoles?: Iterable<string> | undefined;
  readonly offerConstraints?: OfferConstraints | undefined;
}

export interface AgentSpec {
  readonly info: AgentInfo;
  readonly capabilities: readonly AgentInfoCapability[];
  readonly unavailability?: Unavailability | undefined;
  readonly total: Resources;
  /** Allocated on the agent (tasks, executors, operations), with `allocation_info` in every resource. */
  readonly used: ReadonlyMap<FrameworkId, Resources>;
  /** Default true. */
  readonly active?: boolean | undefined;
}

/** An omitted field keeps its value. */
export interface AgentUpdate {
  readonly info?: AgentInfo | undefined;
  readonly capabilities?: readonly AgentInfoCapability[] | undefined;
  readonly total?: Resources | undefined;
}

/** How resources are returned to the allocator. */
export interface ReturnOptions {
  /** Of a DECLINE or ACCEPT: the returned resources are filtered for `refuse_seconds` (5 s when unset). */
  readonly filters?: Filters | undefined;
  /** Left over by an ACCEPT that used a part. With `refuse_seconds` 0 they start a cooldown instead of a filter. */
  readonly leftover?: boolean | undefined;
  /** Whether they were allocated, not only offered. Undefined: the offered part is returned first. */
  readonly allocated?: boolean | undefined;
}

export interface OfferDecision {
  readonly frameworkId: FrameworkId;
  readonly role: string;
  readonly agentId: AgentId;
  /** Allocated to `role`. */
  readonly resources: Bundle;
  /** Names of the unreserved scalars in it that serve an unmet guarantee of the role; Mesos lists them first. */
  readonly guaranteed: readonly string[];
}

export interface InverseOfferDecision {
  readonly frameworkId: FrameworkId;
  readonly agentId: AgentId;
  readonly unavailability: Unavailability;
}

export interface Decisions {
  readonly offers: readonly OfferDecision[];
  readonly inverseOffers: readonly InverseOfferDecision[];
}

/**
 * Why a framework is not offered resources. Amounts are quantities in thousandths, times monotonic milliseconds.
 * An explanation over all agents has one reason of each kind: `agents` is the number of agents that it holds for,
 * `agentId` one of them.
 */
export type Reason = ReasonOf & { readonly agents?: number | undefined };

export type ReasonOf =
  | {
      readonly kind: 'paused';
      readonly knownAgents: number;
      readonly expectedAgents: number | undefined;
      readonly untilMs: number | undefined;
    }
  | { readonly kind: 'unknownFramework' }
  | { readonly kind: 'unknownAgent'; readonly agentId: AgentId }
  | { readonly kind: 'noAgents' }
  | { readonly kind: 'frameworkInactive' }
  | { readonly kind: 'notSubscribedToRole'; readonly role: string }
  | { readonly kind: 'suppressed'; readonly role: string }
  | AgentReason;

export type AgentReason = { readonly agentId: AgentId } & (
  | { readonly kind: 'agentDeactivated' }
  | { readonly kind: 'notWhitelisted'; readonly hostname: string }
  /** The agent is in its cooldown (state.ts). */
  | { readonly kind: 'inCooldown'; readonly untilMs: number }
  | { readonly kind: 'nothingFree'; readonly total: Quantities }
  | { readonly kind: 'gpuAgent' }
  | { readonly kind: 'otherRegion'; readonly region: string }
  | { readonly kind: 'agentCapability'; readonly capability: 'MULTI_ROLE' | 'HIERARCHICAL_ROLE' }
  | { readonly kind: 'constraint'; readonly role: string }
  | { readonly kind: 'reserved'; readonly role: string; readonly to: string; readonly withheld: Quantities }
  | {
      readonly kind: 'frameworkCapability';
      readonly capability: 'SHARED_RESOURCES' | 'REVOCABLE_RESOURCES' | 'RESERVATION_REFINEMENT';
      readonly withheld: Quantities;
    }
  | {
      readonly kind: 'tooSmall';
      readonly role: string;
      readonly available: Quantities;
      readonly minimum: readonly Quantities[];
    }
  /** `limited`: the role or the ancestor that has the limit. */
  | {
      readonly kind: 'limit';
      readonly role: string;
      readonly limited: string;
      readonly limits: Limits;
      readonly consumed: Quantities;
      readonly withheld: Quantities;
    }
  | {
      readonly kind: 'headroom';
      readonly role: string;
      readonly required: Quantities;
      readonly available: Quantities;
      readonly withheld: Quantities;
    }
  | { readonly kind: 'filtered'; readonly role: string; readonly untilMs: number; readonly refused: Quantities }
  /** Other clients have the agent's resources offered or allocated. */
  | { readonly kind: 'share'; readonly role: string; readonly share: number; readonly holders: readonly ShareHolder[] }
  /** The next run will offer it. */
  | { readonly kind: 'pending'; readonly role: string }
);

/** A client with offered or allocated resources on an agent, and its share of the cluster. */
export interface ShareHolder {
  readonly frameworkId: FrameworkId;
  readonly role: string;
  readonly share: number;
  readonly offeredOrAllocated: Quantities;
  /** The part that is only offered. */
  readonly offered: Quantities;
}

/** What counts against the quota of a role. */
export interface RoleConsumption {
  /** Reservations in the subtree, used or not, and unreserved, non-revocable scalars allocated in it. */
  readonly consumed: Quantities;
  /** The same, plus the unreserved, non-revocable scalars offered in the subtree. */
  readonly consumedOrOffered: Quantities;
}

/** A role for views and metrics. */
export interface RoleUsage extends RoleConsumption {
  readonly role: string;
  readonly weight: number;
  /** The dominant share of the role's subtree, divided by the weight. */
  readonly share: number;
  readonly quota: Quota;
  /** Offered or allocated to the role itself. */
  readonly offeredOrAllocated: Quantities;
  readonly filters: number;
  readonly frameworks: readonly FrameworkId[];
}

export interface AllocatorTotals {
  readonly agents: number;
  readonly frameworks: number;
  readonly clients: number;
  readonly filters: number;
  readonly inverseFilters: number;
  readonly total: Quantities;
  readonly offeredOrAllocatedTotal: Quantities;
  readonly requiredHeadroom: Quantities;
  readonly availableHeadroom: Quantities;
  readonly runs: number;
  readonly offers: number;
  /** Pairs of agent and client evaluated so far. */
  readonly pairsExamined: number;
  readonly eventsPending: number;
}

/** Every call is synchronous; only `run` makes offers. An unknown id breaks an invariant unless a call says otherwise. */
export interface Allocator {
  addAgent(agentId: AgentId, agent: AgentSpec): void;
  /** Whether anything changed. */
  updateAgent(agentId: AgentId, update: AgentUpdate): boolean;
  /** Removes the allocations on the agent too; a later `recoverResources` for it does nothing. */
  removeAgent(agentId: AgentId): void;
  activateAgent(agentId: AgentId): void;
  deactivateAgent(agentId: AgentId): void;
  /** Adds the resources of a resource provider to the agent's total. */
  addResourceProvider(agentId: AgentId, total: Resources, used: ReadonlyMap<FrameworkId, Resources>): void;
  updateUnavailability(agentId: AgentId, unavailability: Unavailability | undefined): void;
  /** Undefined: every agent is whitelisted. */
  updateWhitelist(hostnames: Iterable<string> | undefined): void;

  addFramework(
    frameworkId: FrameworkId,
    info: FrameworkInfo,
    used: ReadonlyMap<AgentId, Resources>,
    active: boolean,
    options?: FrameworkOptions,
  ): void;
  updateFramework(frameworkId: FrameworkId, info: FrameworkInfo, options?: FrameworkOptions): void;
  activateFramework(frameworkId: FrameworkId): void;
  /** Removes its filters; the master returns its offers. */
  deactivateFramework(frameworkId: FrameworkId): void;
  removeFramework(frameworkId: FrameworkId): void;
  /** No roles: all of the framework's. */
  suppress(frameworkId: FrameworkId, roles?: Iterable<string>): void;
  revive(frameworkId: FrameworkId, roles?: Iterable<string>): void;

  /** Resources of one role, with `allocation_info`; does nothing for an agent or framework that was removed. */
  recoverResources(
    frameworkId: FrameworkId,
    agentId: AgentId,
    resources: Resources | Bundle,
    now: number,
    options?: ReturnOptions,
  ): void;
  /** Offered resources of one role are now allocated (tasks, executors, operations in flight). */
  transitionOfferedToAllocated(frameworkId: FrameworkId, agentId: AgentId, resources: Resources): void;
  /**
   * Applies the conversions of an accepted operation to offered resources and to the agent's total. A conversion that
   * consumes nothing adds a copy of a shared resource. Returns the offered resources after the conversions.
   */
  updateAllocation(
    frameworkId: FrameworkId,
    agentId: AgentId,
    offered: Resources,
    conversions: readonly ResourceConversion[],
  ): Resources;
  /** Applies operations of operators to free resources; fails, changing nothing, if these do not suffice. */
  updateAvailable(agentId: AgentId, operations: readonly OfferOperation[]): Result<undefined, string>;

  updateQuota(role: string, quota: Quota): void;
  updateWeights(weights: Iterable<readonly [role: string, weight: number]>): void;
  /** The framework's response to an inverse offer; status undefined: the inverse offer timed out or was rescinded. */
  updateInverseOffer(
    agentId: AgentId,
    frameworkId: FrameworkId,
    now: number,
    status: InverseOfferStatus | undefined,
    filters: Filters | undefined,
  ): void;

  /** After a failover: if a quota is set, runs wait until `expectedAgents` x factor agents are added or the timeout ends. */
  recover(
    expectedAgents: number,
    quotas: ReadonlyMap<string, Quota>,
    now: number,
    options?: { readonly factor?: number | undefined; readonly timeoutMs?: number | undefined },
  ): void;
  pause(): void;
  resume(): void;

  /** The monotonic milliseconds at which `run` is due; 0: after this batch of inputs; undefined: not before an input. */
  nextDeadline(): number | undefined;
  run(now: number): Decisions;

  /** Why there is no offer, on one agent or (undefined) all, in one role or (undefined) all roles of the framework. */
  explain(frameworkId: FrameworkId, agentId: AgentId | undefined, role: string | undefined, now: number): Reason[];

  // Views and metrics.
  /** The number of runs that were not paused. */
  runs(): number;
  totals(): AllocatorTotals;
  /** Roles that have frameworks, quota, weight or reservations, sorted. */
  roles(): RoleUsage[];
  roleUsage(role: string): RoleUsage;
  consumptionOf(role: string): RoleConsumption;
  quotaOf(role: string): Quota;
  weights(): ReadonlyMap<string, number>;
  /** The framework's dominant share in the role, as the sorter uses it. */
  shareOf(frameworkId: FrameworkId, role: string): number;
  /** Resources of the agent that are neither offered nor allocated. */
  available(agentId: AgentId): Bundle;
  inverseOfferStatuses(): ReadonlyMap<AgentId, ReadonlyMap<FrameworkId, InverseOfferStatus>>;
  /** Agents that the framework's offer constraints exclude, by role (Mesos' /allocator/offer_constraints/debug). */
  excludedAgents(frameworkId: FrameworkId, role: string): AgentId[];
}
