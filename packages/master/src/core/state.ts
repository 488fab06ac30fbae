// The master's state: what is known of agents, frameworks, offers, tasks and operations.
//
// Owns: the shapes, and nothing else. Maps change; the records in them never do: a change replaces the record,
// so a view may keep any record (or an array of them) and render it later.
// Boundary: only the core changes it; views read it. The allocator holds shares, filters and inverse offers' answers. Resources are kept in the post-refinement format, allocated
// ones with `allocation_info`.
//
// MASTER-STATE-1: a task is in its framework's `tasks`, in its agent's `tasks` and in the counts of `taskCounts`, or in none of
//     them; likewise an executor, an offer, an inverse offer, an operation (agent's and framework's sets).
// MASTER-STATE-2: an agent id is in at most one of registered, recovered, unreachable and gone.
// MASTER-STATE-3: every framework named by a task, executor or offer is in `frameworks`.
// MASTER-STATE-4: what an agent's tasks, executors and offers hold together is within its total, but for tasks that its last
//     re-registration lacked, until it has answered what became of them: they hold what an operation had freed that
//     never reached the agent. Nothing of that is offered meanwhile.

import type { Allocator, createAllocator, OfferConstraints } from '@meseta/allocator';
import type {
  AgentId,
  ExecutorId,
  FrameworkId,
  Intern,
  OfferId,
  OperationId,
  OperationUuid,
  Pid,
  Random,
  TaskId,
} from '@meseta/base';
import { createTimers, type Timers } from '@meseta/base/core/timers';
import type { Bundle } from '@meseta/resources';
import type {
  AgentID,
  AgentInfo,
  AgentInfoCapabilityType,
  DrainInfo,
  ExecutorInfo,
  FrameworkID,
  FrameworkInfo,
  FrameworkInfoCapabilityType,
  InverseOffer,
  Offer,
  Operation,
  RegisterAgentMessage,
  ReregisterAgentMessage,
  Resource,
  ResourceProviderInfo,
  SchedulerCallReconcileOperationsOperation,
  SchedulerCallReconcileTask,
  Task,
  TaskState,
} from '@meseta/wire';
import type { EncodedAgentInfo } from '../registry/agent-info.js';
import type { MasterIdentity, StreamId } from './io.js';
import type { MasterOptions } from './options.js';
import { createRegistrar, type Registrar } from './registrar.js';

/** How a scheduler is reached: a v1 event stream, or a v0 driver's libprocess actor. */
export type Connection =
  | { readonly kind: 'stream'; readonly id: StreamId }
  | { readonly kind: 'pid'; readonly pid: Pid };

/**
 * recovered: known from agents only, has not subscribed to this master; disconnected: its connection is gone and its
 * failover timeout runs; inactive: a v0 driver that asked to be deactivated; active: gets offers.
 */
export type FrameworkStatus = 'recovered' | 'disconnected' | 'inactive' | 'active';

export interface Framework {
  readonly id: FrameworkId;
  /** The one shared `{ value }` of this framework. */
  readonly wireId: FrameworkID;
  readonly info: FrameworkInfo;
  readonly roles: readonly string[];
  readonly suppressedRoles: ReadonlySet<string>;
  readonly offerConstraints: OfferConstraints | undefined;
  readonly capabilities: ReadonlySet<FrameworkInfoCapabilityType>;
  readonly status: FrameworkStatus;
  readonly connection: Connection | undefined;
  /** Of the v0 driver that it last subscribed from, connected or not; undefined: it last subscribed by HTTP. */
  readonly driverPid: Pid | undefined;
  /** Who subscribed, as authenticated; the info's principal where nobody was. */
  readonly principal: string | undefined;
  /** Wall clock; undefined while only recovered. */
  readonly registeredAtMs: number | undefined;
  readonly reregisteredAtMs: number | undefined;
  /** Collections of this framework: Maps that change, shared by every record of it. */
  readonly tasks: Map<TaskId, Task>;
  /** Oldest first, at most `maxUnreachableTasksPerFramework`. */
  readonly unreachableTasks: Map<TaskId, Task>;
  /** Oldest first, at most `maxCompletedTasksPerFramework`. */
  readonly completedTasks: Set<Task>;
  /** Of tasks in `tasks`: the uuids of the updates that the scheduler has acknowledged, the newest of them, oldest first. */
  readonly acknowledged: Map<TaskId, readonly string[]>;
  readonly executors: Map<AgentId, Map<ExecutorId, ExecutorInfo>>;
  readonly offers: Set<OfferId>;
  readonly inverseOffers: Set<OfferId>;
  readonly operations: Set<OperationUuid>;
  readonly operationUuids: Map<OperationId, OperationUuid>;
  /** Metric slots by the end of their name: `calls/accept`, `events/offers`, `tasks/terminal/task_lost`. */
  readonly counters: Map<string, number>;
}

export const isPartitionAware = (framework: Pick<Framework, 'capabilities'> | undefined): boolean =>
  framework?.capabilities.has('PARTITION_AWARE') === true;

/** A framework that ended: its tasks and counters stay for people to look at. */
export interface CompletedFramework {
  readonly framework: Framework;
  readonly unregisteredAtMs: number;
}

export interface ResourceProviderRecord {
  readonly info: ResourceProviderInfo;
  readonly total: readonly Resource[];
  readonly resourceVersion: string;
}

export interface Agent {
  readonly id: AgentId;
  readonly wireId: AgentID;
  /** With its id; resources in the post-refinement format. */
  readonly info: AgentInfo;
  readonly pid: Pid;
  readonly version: string;
  readonly capabilities: ReadonlySet<AgentInfoCapabilityType>;
  readonly registeredAtMs: number;
  readonly reregisteredAtMs: number | undefined;
  /** Its connection stands. */
  readonly connected: boolean;
  /** An operator took it out of offers (DEACTIVATE_AGENT, DRAIN_AGENT). */
  readonly deactivated: boolean;
  readonly drainInfo: DrainInfo | undefined;
  readonly drainStartedAtMs: number | undefined;
  /** Dynamic reservations and volumes that it has checkpointed. */
  readonly checkpointedResources: readonly Resource[];
  /** Everything that it has: its info's resources with the checkpointed ones applied, oversubscribed, providers'. */
  readonly totalResources: readonly Resource[];
  /** Its last registration crossed operations that it may yet carry out: its next one is waited for. */
  readonly reregisteredWithOperationsInFlight: boolean;
  readonly oversubscribedResources: readonly Resource[];
  /** Base64 of the uuid of its view of its resources. */
  readonly resourceVersion: string | undefined;
  readonly resourceProviders: ReadonlyMap<string, ResourceProviderRecord>;
  /** The n of `slave-observer(n)`, which pings it. */
  readonly observer: number;
  readonly tasks: Map<FrameworkId, Set<TaskId>>;
  readonly executors: Map<FrameworkId, Map<ExecutorId, ExecutorInfo>>;
  readonly offers: Set<OfferId>;
  readonly inverseOffers: Set<OfferId>;
  readonly operations: Set<OperationUuid>;
  /** Tasks of `tasks` that were to be killed: told again at each re-registration that still names them. */
  readonly killedTasks: Map<FrameworkId, Set<TaskId>>;
}

/** An active agent is offered. */
export const isActive = (agent: Agent): boolean => agent.connected && !agent.deactivated;

/** Admitted by an earlier master and not back yet. */
export interface RecoveredAgent {
  readonly id: AgentId;
  /** The registry's own record. */
  readonly info: EncodedAgentInfo;
}

export interface UnreachableAgent {
  readonly id: AgentId;
  readonly sinceMs: number;
  /** Frameworks that had tasks on it, with those task ids. */
  readonly tasks: ReadonlyMap<FrameworkId, ReadonlySet<TaskId>>;
  /** As which this master knew it last. */
  readonly resourceVersion: string | undefined;
}

export interface OfferRecord {
  readonly id: OfferId;
  readonly frameworkId: FrameworkId;
  readonly agentId: AgentId;
  readonly role: string;
  readonly resources: readonly Resource[];
  /** The same as the allocator knows it. */
  readonly bundle: Bundle;
  /** As it was sent, in the framework's format. */
  readonly offer: Offer;
}

export interface InverseOfferRecord {
  readonly id: OfferId;
  readonly frameworkId: FrameworkId;
  readonly agentId: AgentId;
  readonly offer: InverseOffer;
}

export interface OperationRecord {
  readonly uuid: OperationUuid;
  readonly operation: Operation;
  readonly frameworkId: FrameworkId | undefined;
  readonly agentId: AgentId;
  readonly operationId: OperationId | undefined;
  /** What it takes out of the agent while it is pending. */
  readonly consumed: readonly Resource[];
  /** Reservations and volumes, which are taken as done at once. */
  readonly speculative: boolean;
}

/** What each does when it is due: timers.ts. */
export type Timer =
  | { readonly kind: 'heartbeat' | 'failover'; readonly frameworkId: FrameworkId }
  | { readonly kind: 'offer' | 'inverseOffer'; readonly offerId: OfferId }
  | { readonly kind: 'ping' | 'reregister' | 'drained'; readonly agentId: AgentId }
  | { readonly kind: 'removals' | 'unreturned' | 'registryGc' };

/** What is happening to an agent between a decision and its entry in the registry. */
export type AgentTransition = 'admitting' | 'removing' | 'markingUnreachable' | 'markingGone';

export interface Agents {
  readonly registered: Map<AgentId, Agent>;
  readonly recovered: Map<AgentId, RecoveredAgent>;
  readonly unreachable: Map<AgentId, UnreachableAgent>;
  /** Wall clock of the moment. */
  readonly gone: Map<AgentId, number>;
  /** The ids that were removed last, oldest first: their late messages are dropped. */
  readonly removed: Set<AgentId>;
  readonly byPid: Map<Pid, AgentId>;
  /** Shared by the agents that say the same of themselves. */
  readonly capabilitySets: Map<string, ReadonlySet<AgentInfoCapabilityType>>;
  readonly registering: Map<Pid, RegisterAgentMessage>;
  readonly reregistering: Map<AgentId, { readonly pid: Pid; readonly message: ReregisterAgentMessage }>;
  /** The entries of `reregistering` by their pid. */
  readonly reregisteringByPid: Map<Pid, AgentId>;
  readonly transitions: Map<AgentId, AgentTransition>;
  /** Pings in a row without an answer. */
  readonly unansweredPings: Map<AgentId, number>;
}

/** A call of RECONCILE or RECONCILE_OPERATIONS: what it asks after, and how much of that is answered. */
export type Reconciliation = { next: number } & (
  | { readonly kind: 'allTasks'; readonly items: readonly TaskId[] }
  | { readonly kind: 'tasks'; readonly items: readonly SchedulerCallReconcileTask[] }
  | { readonly kind: 'allOperations'; readonly items: readonly OperationUuid[] }
  | { readonly kind: 'operations'; readonly items: readonly SchedulerCallReconcileOperationsOperation[] }
);

/** Work too large for one step; `next` is its cursor. */
export type Job =
  /** One for each framework, so that its calls are answered in their order. */
  | { readonly kind: 'reconcile'; readonly frameworkId: FrameworkId; readonly calls: Reconciliation[] }
  /** Agents that an earlier master admitted and that have not come back. */
  | { readonly kind: 'markUnreturned'; readonly agentIds: readonly AgentId[]; next: number };

/** What a master is made from: no part of what it remembers (MACHINE-1). */
export interface MasterEnvironment {
  readonly identity: MasterIdentity;
  readonly options: MasterOptions;
  /** Generates the ids that nobody else may guess. */
  readonly idRandom: Random;
  /** Shares what tasks and agents have in common: resources, labels, capabilities. */
  readonly intern: Intern;
}

export interface MasterState extends MasterEnvironment {
  readonly allocator: Allocator;
  readonly agents: Agents;
  readonly frameworks: Map<FrameworkId, Framework>;
  readonly completedFrameworks: Map<FrameworkId, CompletedFramework>;
  readonly frameworkByStream: Map<StreamId, FrameworkId>;
  readonly frameworkByPid: Map<Pid, FrameworkId>;
  readonly offers: Map<OfferId, OfferRecord>;
  readonly inverseOffers: Map<OfferId, InverseOfferRecord>;
  readonly operations: Map<OperationUuid, OperationRecord>;
  readonly registrar: Registrar;
  readonly jobs: Job[];
  readonly timers: Timers<Timer>;
  /** The time of the last step. */
  nowMonoMs: number;
  /** Metric slots by Mesos' names, without the gauges that follow from the state. */
  readonly counters: Map<string, number>;
  /** Tasks in `tasks` of live frameworks, by state. */
  readonly taskCounts: Map<TaskState, number>;
  /** Linked peers by their address: what a broken connection concerns. */
  readonly links: Map<string, Set<Pid>>;
  /** Who waits to be marked unreachable, and why, in order; and when the rate limit lets the next one go. */
  readonly removals: { nextAtMonoMs: number; readonly waiting: Map<AgentId, string> };
  /** The registry is read and names this master. */
  recovered: boolean;
  /** Wall clock of this master's election. */
  electedAtMs: number | undefined;
  /** Grows with every step that changed something that views show. */
  version: number;
  nextFramework: number;
  nextAgent: number;
  nextOffer: number;
  nextObserver: number;
}

export function createState(
  environment: MasterEnvironment,
  random: Random,
  makeAllocator: typeof createAllocator,
): MasterState {
  const { identity, options } = environment;
  return {
    ...environment,
    allocator: makeAllocator({ domain: identity.info.domain, ...options.allocator }, random),
    agents: {
      registered: new Map(),
      recovered: new Map(),
      unreachable: new Map(),
      gone: new Map(),
      removed: new Set(),
      byPid: new Map(),
      capabilitySets: new Map(),
      registering: new Map(),
      reregistering: new Map(),
      reregisteringByPid: new Map(),
      transitions: new Map(),
      unansweredPings: new Map(),
    },
    frameworks: new Map(),
    completedFrameworks: new Map(),
    frameworkByStream: new Map(),
    frameworkByPid: new Map(),
    offers: new Map(),
    inverseOffers: new Map(),
    operations: new Map(),
    registrar: createRegistrar(),
    jobs: [],
    timers: createTimers(),
    nowMonoMs: 0,
    counters: new Map(),
    taskCounts: new Map(),
    links: new Map(),
    removals: { nextAtMonoMs: 0, waiting: new Map() },
    recovered: false,
    electedAtMs: undefined,
    version: 0,
    nextFramework: 0,
    nextAgent: 0,
    nextOffer: 0,
    nextObserver: 1,
  };
}
