// The master's state: agents, frameworks, offers, tasks and operations.
//
// Owns: the types of the state. Maps are mutable; records are not: a change replaces the record, so a view may keep a
// record and render it later.
// Boundary: only the core changes the state; views read it. The allocator has shares, filters and the answers to inverse
// offers. Resources are in the post-refinement format; allocated ones have `allocation_info`.
//
// MASTER-STATE-1: a task is in its framework's `tasks`, in its agent's `tasks` and in the counts of `taskCounts`, or in none of
//     them; likewise an executor, an offer, an inverse offer, an operation (agent's and framework's sets).
// MASTER-STATE-2: an agent id is in at most one of registered, recovered, unreachable and gone.
// MASTER-STATE-3: every framework named by a task, executor or offer is in `frameworks`.
// MASTER-STATE-4: the resources of an agent's tasks, executors and offers are within its total. The exception are tasks that
//     the agent's last re-registration lacked, until the agent has reconciled them: they may use resources of an operation
//     that never reached the agent. Such resources are not offered until then.

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
 * recovered: known only from agents, has not subscribed to this master; disconnected: its connection has closed and the
 * failover timeout runs; inactive: a v0 driver that deactivated itself; active: gets offers.
 */
export type FrameworkStatus = 'recovered' | 'disconnected' | 'inactive' | 'active';

export interface Framework {
  readonly id: FrameworkId;
  /** The `{ value }` object that all records share. */
  readonly wireId: FrameworkID;
  readonly info: FrameworkInfo;
  readonly roles: readonly string[];
  readonly suppressedRoles: ReadonlySet<string>;
  readonly offerConstraints: OfferConstraints | undefined;
  readonly capabilities: ReadonlySet<FrameworkInfoCapabilityType>;
  readonly status: FrameworkStatus;
  readonly connection: Connection | undefined;
  /** The pid of the v0 driver that subscribed last, connected or not; undefined if the last subscription was by HTTP. */
  readonly driverPid: Pid | undefined;
  /** The authenticated principal of the subscription; without authentication, the principal of the info. */
  readonly principal: string | undefined;
  /** Wall clock; undefined while only recovered. */
  readonly registeredAtMs: number | undefined;
  readonly reregisteredAtMs: number | undefined;
  /** Mutable collections, shared by all records of this framework. */
  readonly tasks: Map<TaskId, Task>;
  /** Oldest first, at most `maxUnreachableTasksPerFramework`. */
  readonly unreachableTasks: Map<TaskId, Task>;
  /** Oldest first, at most `maxCompletedTasksPerFramework`. */
  readonly completedTasks: Set<Task>;
  /** For tasks in `tasks`: the uuids of the most recent acknowledged updates, oldest first. */
  readonly acknowledged: Map<TaskId, readonly string[]>;
  /** For tasks in `completedTasks`: those of acknowledged updates that its statuses lack, as equal states are one status. */
  readonly acknowledgedOfCompleted: Map<Task, readonly string[]>;
  readonly executors: Map<AgentId, Map<ExecutorId, ExecutorInfo>>;
  readonly offers: Set<OfferId>;
  readonly inverseOffers: Set<OfferId>;
  readonly operations: Set<OperationUuid>;
  readonly operationUuids: Map<OperationId, OperationUuid>;
  /** Counters by the last part of the metric's name: `calls/accept`, `events/offers`, `tasks/terminal/task_lost`. */
  readonly counters: Map<string, number>;
}

export const isPartitionAware = (framework: Pick<Framework, 'capabilities'> | undefined): boolean =>
  framework?.capabilities.has('PARTITION_AWARE') === true;

/** A framework that has ended. Views show its tasks and counters. */
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
  /** Whether its connection is open. */
  readonly connected: boolean;
  /** An operator deactivated it (DEACTIVATE_AGENT, DRAIN_AGENT). */
  readonly deactivated: boolean;
  readonly drainInfo: DrainInfo | undefined;
  readonly drainStartedAtMs: number | undefined;
  /** Dynamic reservations and volumes that it has checkpointed. */
  readonly checkpointedResources: readonly Resource[];
  /** The resources of its info with the checkpointed ones applied, oversubscribed ones, and those of providers. */
  readonly totalResources: readonly Resource[];
  /** Its last re-registration crossed operations in flight, so it has to re-register once more. */
  readonly reregisteredWithOperationsInFlight: boolean;
  readonly oversubscribedResources: readonly Resource[];
  /** The uuid of the agent's resource version, in base64. */
  readonly resourceVersion: string | undefined;
  readonly resourceProviders: ReadonlyMap<string, ResourceProviderRecord>;
  /** The number n of the actor `slave-observer(n)` that pings it. */
  readonly observer: number;
  readonly tasks: Map<FrameworkId, Set<TaskId>>;
  readonly executors: Map<FrameworkId, Map<ExecutorId, ExecutorInfo>>;
  readonly offers: Set<OfferId>;
  readonly inverseOffers: Set<OfferId>;
  readonly operations: Set<OperationUuid>;
  /** The most recent operations whose terminal status was acknowledged to the agent; the acknowledgement may be in flight. */
  readonly acknowledgedOperations: Set<OperationUuid>;
  /** Tasks in `tasks` that were killed; the kill is repeated at each re-registration that lists the task. */
  readonly killedTasks: Map<FrameworkId, Set<TaskId>>;
}

/** Whether the agent's resources are offered. */
export const isActive = (agent: Agent): boolean => agent.connected && !agent.deactivated;

/** An agent that an earlier master admitted and that has not re-registered. */
export interface RecoveredAgent {
  readonly id: AgentId;
  /** The info as the registry has it. */
  readonly info: EncodedAgentInfo;
}

export interface UnreachableAgent {
  readonly id: AgentId;
  readonly sinceMs: number;
  /** The ids of its tasks, by framework. */
  readonly tasks: ReadonlyMap<FrameworkId, ReadonlySet<TaskId>>;
  /** Its last known resource version. */
  readonly resourceVersion: string | undefined;
}

export interface OfferRecord {
  readonly id: OfferId;
  readonly frameworkId: FrameworkId;
  readonly agentId: AgentId;
  readonly role: string;
  readonly resources: readonly Resource[];
  /** The same resources as the allocator's bundle. */
  readonly bundle: Bundle;
  /** The offer as it was sent, in the framework's format. */
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
  /** The agent's resources that it consumes while it is pending. */
  readonly consumed: readonly Resource[];
  /** Whether it is applied before the agent has confirmed it, as for reservations and volumes. */
  readonly speculative: boolean;
}

/** timers.ts has the handlers. */
export type Timer =
  | { readonly kind: 'heartbeat' | 'failover'; readonly frameworkId: FrameworkId }
  | { readonly kind: 'offer' | 'inverseOffer'; readonly offerId: OfferId }
  | { readonly kind: 'ping' | 'reregister' | 'drained'; readonly agentId: AgentId }
  | { readonly kind: 'removals' | 'missingAgents' | 'registryGc' };

/** The change of an agent that is being written to the registry. */
export type AgentTransition = 'admitting' | 'removing' | 'markingUnreachable' | 'markingGone';

export interface Agents {
  readonly registered: Map<AgentId, Agent>;
  readonly recovered: Map<AgentId, RecoveredAgent>;
  readonly unreachable: Map<AgentId, UnreachableAgent>;
  /** Since when, wall clock. */
  readonly gone: Map<AgentId, number>;
  /** The ids that were removed most recently, oldest first: late messages of these agents are dropped. */
  readonly removed: Set<AgentId>;
  readonly byPid: Map<Pid, AgentId>;
  /** Sets shared by agents with the same capabilities. */
  readonly capabilitySets: Map<string, ReadonlySet<AgentInfoCapabilityType>>;
  /** First registrations that wait for the registry. */
  readonly registering: Map<Pid, RegisterAgentMessage>;
  /** Re-registrations that wait for the registry. */
  readonly reregistering: Map<AgentId, { readonly pid: Pid; readonly message: ReregisterAgentMessage }>;
  /** The entries of `reregistering` by their pid. */
  readonly reregisteringByPid: Map<Pid, AgentId>;
  readonly transitions: Map<AgentId, AgentTransition>;
  /** The number of unanswered pings in a row. */
  readonly unansweredPings: Map<AgentId, number>;
}

/** A RECONCILE or RECONCILE_OPERATIONS call: its items, and the number of those that are answered. */
export type Reconciliation = { next: number } & (
  | { readonly kind: 'allTasks'; readonly items: readonly TaskId[] }
  | { readonly kind: 'tasks'; readonly items: readonly SchedulerCallReconcileTask[] }
  | { readonly kind: 'allOperations'; readonly items: readonly OperationUuid[] }
  | { readonly kind: 'operations'; readonly items: readonly SchedulerCallReconcileOperationsOperation[] }
);

/** One job per framework, so that its calls are answered in order. */
export interface ReconcileJob {
  readonly kind: 'reconcile';
  readonly frameworkId: FrameworkId;
  readonly calls: Reconciliation[];
}

/** Work that is too large for one step; `next` is its cursor. */
export type Job =
  | ReconcileJob
  /** Agents that an earlier master admitted and that did not re-register in time. */
  | { readonly kind: 'markMissing'; readonly agentIds: readonly AgentId[]; next: number };

/** The fixed inputs of a master, which are not part of what steps change (MACHINE-1). */
export interface MasterEnvironment {
  readonly identity: MasterIdentity;
  readonly options: MasterOptions;
  /** Generates ids that must not be guessable. */
  readonly idRandom: Random;
  /** Shares equal parts of tasks and agents: resources, labels, capabilities. */
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
  /** The streams of schedulers that have a backlog (JOBS-2). */
  readonly streamsWithBacklog: Set<StreamId>;
  /** Jobs that wait for the end of a backlog. */
  readonly heldJobs: Map<FrameworkId, ReconcileJob>;
  readonly timers: Timers<Timer>;
  /** The time of the last step. */
  nowMonoMs: number;
  /** Counters by Mesos' names. */
  readonly counters: Map<string, number>;
  /** The number of tasks in `tasks` of all frameworks, by state. */
  readonly taskCounts: Map<TaskState, number>;
  /** Linked peers by address. */
  readonly links: Map<string, Set<Pid>>;
  /** The agents that wait to be marked unreachable, with the reason, in order; and the time at which the rate limit allows the next one. */
  readonly removals: { nextAtMonoMs: number; readonly waiting: Map<AgentId, string> };
  /** Whether the registry has been read and names this master. */
  recovered: boolean;
  /** The time of this master's election, wall clock. */
  electedAtMs: number | undefined;
  /** Increases with every step that changes what views show. */
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
    streamsWithBacklog: new Set(),
    heldJobs: new Map(),
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
