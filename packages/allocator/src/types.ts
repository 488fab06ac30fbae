// What goes into the allocator and what comes out: plain data both ways.
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

/** Every field left out has the default of Mesos' flag of that name (docs/configuration/master.md). */
export interface AllocatorOptions {
  /** How long whoever declined waits at least. Default 1000. */
  readonly allocationIntervalMs?: number | undefined;
  readonly roleSorter?: SorterKind | undefined;
  readonly frameworkSorter?: SorterKind | undefined;
  /** Resource names that don't count in shares. */
  readonly fairSharingExcludedResourceNames?: readonly string[] | undefined;
  /** An offer must contain one of these. Default `cpus:0.01|mem:32`; an empty list: any offer will do. */
  readonly minAllocatableResources?: readonly Quantities[] | undefined;
  /** GPU agents only for frameworks with GPU_RESOURCES. Default true. */
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
  /** Allocated there (tasks, executors, operations), with `allocation_info` in every resource. */
  readonly used: ReadonlyMap<FrameworkId, Resources>;
  /** Default true. */
  readonly active?: boolean | undefined;
}

/** What is left out stays as it is. */
export interface AgentUpdate {
  readonly info?: AgentInfo | undefined;
  readonly capabilities?: readonly AgentInfoCapability[] | undefined;
  readonly total?: Resources | undefined;
}

/** How resources come back. */
export interface Returned {
  /** A decline, or what an ACCEPT left over: kept from this framework for `refuse_seconds` (5 s when unset). */
  readonly filters?: Filters | undefined;
  /** Left over by an ACCEPT that used a part: with `refuse_seconds` 0 the agent then rests one interval for all. */
  readonly leftover?: boolean | undefined;
  /** They were allocated, not only offered. Left out: what the framework was only offered there goes first. */
  readonly allocated?: boolean | undefined;
}

export interface OfferDecision {
  readonly frameworkId: FrameworkId;
  readonly role: string;
  readonly agentId: AgentId;
  /** Allocated to `role`. */
  readonly resources: Bundle;
  /** Names of which the unreserved scalars in it serve a guarantee of the role that was not met: they lead the offer. */
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
 * Why a framework is not offered something. Amounts are quantities in thousandths, times monotonic milliseconds.
 * Asked about all agents, one of each kind is told, with how many `agents` it is so on; `agentId` is one of them.
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
  /** Somebody took a part and wants to be offered the rest soon: everybody waits that long. */
  | { readonly kind: 'resting'; readonly untilMs: number }
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
  /** `limited`: the role, or one above it, whose limit it is. */
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
  /** What is wanted there is held by others, or offered to them at this moment. */
  | { readonly kind: 'share'; readonly role: string; readonly share: number; readonly holders: readonly ShareHolder[] }
  /** The next run will offer it. */
  | { readonly kind: 'pending'; readonly role: string }
);

/** Who holds something on an agent, and its share of the cluster. */
export interface ShareHolder {
  readonly frameworkId: FrameworkId;
  readonly role: string;
  readonly share: number;
  readonly held: Quantities;
  /** The part of it that is only offered. */
  readonly offered: Quantities;
}

/** A role as views show it. */
export interface RoleUsage {
  readonly role: string;
  readonly weight: number;
  /** Of the role and what is below it, divided by the weight. */
  readonly share: number;
  readonly quota: Quota;
  /** Reservations in the subtree (used or not) and unreserved, non-revocable resources allocated there. */
  readonly consumed: Quantities;
  /** The same with what is offered. */
  readonly consumedOrOffered: Quantities;
  /** Offered or allocated to the role itself. */
  readonly held: Quantities;
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
  readonly heldTotal: Quantities;
  readonly requiredHeadroom: Quantities;
  readonly availableHeadroom: Quantities;
  readonly runs: number;
  readonly offers: number;
  /** Pairs of agent and client looked at so far. */
  readonly pairsExamined: number;
  readonly eventsPending: number;
}

/** All of it is synchronous; nothing is offered but by `run`. Unknown ids break an invariant unless said otherwise. */
export interface Allocator {
  addAgent(agentId: AgentId, agent: AgentSpec): void;
  /** Whether anything changed. */
  updateAgent(agentId: AgentId, update: AgentUpdate): boolean;
  /** What frameworks hold there is forgotten with it; a later `recoverResources` for it does nothing. */
  removeAgent(agentId: AgentId): void;
  activateAgent(agentId: AgentId): void;
  deactivateAgent(agentId: AgentId): void;
  /** A provider's resources come to the agent's. */
  addResourceProvider(agentId: AgentId, total: Resources, used: ReadonlyMap<FrameworkId, Resources>): void;
  updateUnavailability(agentId: AgentId, unavailability: Unavailability | undefined): void;
  /** Undefined: every agent. */
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
  /** Forgets its filters; the master returns its offers. */
  deactivateFramework(frameworkId: FrameworkId): void;
  removeFramework(frameworkId: FrameworkId): void;
  /** No roles: all of the framework's. */
  suppress(frameworkId: FrameworkId, roles?: Iterable<string>): void;
  revive(frameworkId: FrameworkId, roles?: Iterable<string>): void;

  /** Resources of one role, with `allocation_info`; does nothing for an agent or framework that is gone. */
  recoverResources(
    frameworkId: FrameworkId,
    agentId: AgentId,
    resources: Resources | Bundle,
    now: number,
    how?: Returned,
  ): void;
  /** Offered resources of one role are now allocated (tasks, executors, operations in flight). */
  transitionOfferedToAllocated(frameworkId: FrameworkId, agentId: AgentId, resources: Resources): void;
  /**
   * An accepted operation turns resources that the framework was offered into others; total follows. A conversion that
   * consumes nothing is another copy of a shared resource. Answers the offered resources after it.
   */
  updateAllocation(
    frameworkId: FrameworkId,
    agentId: AgentId,
    offered: Resources,
    conversions: readonly ResourceConversion[],
  ): Resources;
  /** Operators' operations on free resources; fails, changing nothing, if those don't do. */
  updateAvailable(agentId: AgentId, operations: readonly OfferOperation[]): Result<undefined, string>;

  updateQuota(role: string, quota: Quota): void;
  updateWeights(weights: Iterable<readonly [role: string, weight: number]>): void;
  /** The answer to an inverse offer, or (status undefined) that it timed out or was rescinded. */
  updateInverseOffer(
    agentId: AgentId,
    frameworkId: FrameworkId,
    now: number,
    status: InverseOfferStatus | undefined,
    filters: Filters | undefined,
  ): void;

  /** After a failover: with quota set, runs wait for `expectedAgents` x factor agents or until the timeout is over. */
  recover(
    expectedAgents: number,
    quotas: ReadonlyMap<string, Quota>,
    now: number,
    options?: { readonly factor?: number | undefined; readonly timeoutMs?: number | undefined },
  ): void;
  pause(): void;
  resume(): void;

  /** When `run` is wanted next, in monotonic milliseconds: 0 for the end of this batch of inputs. */
  nextDeadline(): number | undefined;
  run(now: number): Decisions;

  /** Why there is no offer, for one agent or all, for one role or all of the framework's. */
  explain(frameworkId: FrameworkId, agentId: AgentId | undefined, role: string | undefined, now: number): Reason[];

  // Reading, for views and metrics.
  /** How often it ran. */
  runs(): number;
  totals(): AllocatorTotals;
  /** Roles that have frameworks, quota, weight or reservations, sorted. */
  roles(): RoleUsage[];
  roleUsage(role: string): RoleUsage;
  quotaOf(role: string): Quota;
  weights(): ReadonlyMap<string, number>;
  /** The part of the cluster that the framework holds in the role, as the sorter sees it. */
  shareOf(frameworkId: FrameworkId, role: string): number;
  /** Unallocated resources of an agent. */
  available(agentId: AgentId): Bundle;
  inverseOfferStatuses(): ReadonlyMap<AgentId, ReadonlyMap<FrameworkId, InverseOfferStatus>>;
  /** Agents that the framework's offer constraints exclude, by role (Mesos' /allocator/offer_constraints/debug). */
  excludedAgents(frameworkId: FrameworkId, role: string): AgentId[];
}
