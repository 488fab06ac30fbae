// The allocator's state: agents, frameworks, roles and clients, and the work of the next run. A client is a framework in
// a role. Owns everything that the allocator knows; only the modules of this package change it.
//
// ALLOCATOR-1: after a run, a scan of every pair of agent and client would make no further offer (testing/scan.ts). So a
//     pair without an offer is either refused for a reason that still holds, or is work of the next run. Each reason has
//     a wake list, from which the next run takes the pairs for which the reason may no longer hold:
//       framework inactive, role suppressed ............... `dirtyClients`, when the client becomes active
//       agent deactivated, not whitelisted, in cooldown ... `dirtyAgents`, when the agent may be offered again
//       nothing free, too small, capability, constraint ... `dirtyAgents` and `dirtyClients`, when either changes
//       filtered .......................................... `wokenClients` of the agent, when the filter ends, and
//                                                           `dirtyClients`, when the client's filters are removed
//       quota limit of a role ............................. `withheldByLimit` of the role, when the room under it grows
//       headroom for guarantees of other roles ............ `withheldByHeadroom`, when the surplus grows
// ALLOCATOR-2: the free resources of an agent are its total without what is offered or allocated, never negative; every
//     offer is taken from them.
// ALLOCATOR-3: a role's `consumedOrOffered` is the sum of the reservations to its subtree on all agents and of the unreserved,
//     non-revocable scalars offered or allocated in the subtree. `available` is the sum of the free countable resources
//     of all offerable agents. `required` is the sum of the roles' unmet guarantees.
// ALLOCATOR-4: an ACCEPT with `refuse_seconds` 0 that leaves resources over starts a cooldown of one allocation interval:
//     the agent is offered to no client until it ends, a framework becomes active or a framework revives.
// ALLOCATOR-5: a run offers an agent to a client at most once. The offer has all that the client may have, and no offer
//     raises the room under a limit or the surplus.
import type { AgentId, Deadlines, FrameworkId, Random } from '@meseta/base';
import type { Bundle, BundleTable, Quantities, RoleTree } from '@meseta/resources';
import type { AgentInfo, AgentInfoCapability, FrameworkInfo, InverseOfferStatus, Unavailability } from '@meseta/wire';
import type { AgentSet } from './agent-set.js';
import type { OfferConstraints } from './constraints.js';
import type { Dimensions } from './dimensions.js';
import type { Filters } from './filters.js';
import type { Shape, Shapes } from './shapes.js';
import type { ClusterTotals, SortEntry, SortGroup } from './sort-group.js';
import type { OfferDecision, Quota, SorterKind } from './types.js';
import type { Vector } from './vectors.js';

export interface Settings {
  readonly intervalMs: number;
  readonly frameworkSorter: SorterKind;
  readonly minimum: readonly Quantities[];
  readonly filterGpuResources: boolean;
  readonly region: string | undefined;
}

/** The resources of one agent that are offered or allocated to a client, in unallocated form. */
export interface Allocation {
  offeredOrAllocated: Bundle;
  /** The part that tasks, executors and operations use. */
  allocated: Bundle;
}

export interface Maintenance {
  readonly unavailability: Unavailability;
  /** Frameworks with an inverse offer without a response. */
  readonly outstanding: Set<FrameworkId>;
  readonly statuses: Map<FrameworkId, InverseOfferStatus>;
  readonly filters: Map<FrameworkId, InverseFilter>;
}

/** Until its deadline in `inverseFilters` the framework gets no inverse offer of the agent. */
export interface InverseFilter {
  readonly agent: Agent;
  readonly frameworkId: FrameworkId;
}

export interface Agent {
  readonly id: AgentId;
  readonly index: number;
  info: AgentInfo;
  capabilities: readonly AgentInfoCapability[];
  active: boolean;
  whitelisted: boolean;
  /** Traits (clients.ts) that a client must have, and must not have, to be offered the agent. */
  requiredTraits: number;
  forbiddenTraits: number;
  total: Bundle;
  /** Everything that is offered or allocated, without shared resources. */
  unavailable: Bundle;
  free: Shape;
  readonly allocations: Map<Client, Allocation>;
  /** Used by frameworks that were not added yet; with allocation_info. */
  readonly usedByUnknown: Map<FrameworkId, Bundle>;
  maintenance: Maintenance | undefined;
  /** The dimensions of which headroom withholds resources on this agent. */
  withheldMask: number;
  /** Clients whose filter on this agent ended since the last run. */
  readonly wokenClients: Set<Client>;
}

export interface Framework {
  readonly id: FrameworkId;
  info: FrameworkInfo;
  active: boolean;
  roles: ReadonlySet<string>;
  readonly suppressed: Set<string>;
  constraints: OfferConstraints | undefined;
  /** By role; a role without an entry has the master's minimum. */
  minimums: ReadonlyMap<string, readonly Quantities[]>;
  readonly clients: Map<string, Client>;
}

/** A framework in a role. */
export interface Client {
  readonly index: number;
  readonly framework: Framework;
  readonly role: Role;
  entry: SortEntry<Client>;
  /** Bits (clients.ts). */
  traits: number;
  /** Whether it may be offered resources: subscribed to the role, not suppressed, framework active. */
  active: boolean;
  /** Undefined: the master's minimum. */
  minimum: readonly Quantities[] | undefined;
  /** By agent index, if the framework has offer constraints: 0 not evaluated, 1 excluded, 2 not excluded. */
  exclusions: Uint8Array | undefined;
  /** The number of agents on which it has an allocation. */
  allocationCount: number;
  /** The number (`walks`) of the last walk that evaluated it. */
  lastWalk: number;
}

export interface Role {
  readonly name: string;
  parent: Role | undefined;
  /** The sort group below the role: its child roles, and its own clients as one entry (`own`). */
  readonly group: SortGroup<Role>;
  /** The whole subtree, as an entry in the parent's group. */
  subtree: SortEntry<Role>;
  /** The role's own clients, as an entry in `group`. */
  own: SortEntry<Role>;
  /** The entries from the top level down to the role, `own` last. */
  path: readonly SortEntry<Role>[];
  readonly clients: SortGroup<Client>;
  readonly members: Set<Client>;
  /** The number of active clients in the subtree. */
  activeClients: number;
  /** See ALLOCATOR-3. */
  readonly consumedOrOffered: Vector;
  /** The same, without what is only offered. */
  readonly consumed: Vector;
  quota: Quota | undefined;
  /** Infinity where there is no limit; undefined: no limits. */
  limits: Vector | undefined;
  guarantees: Vector | undefined;
  /** Agents of which the limit withheld resources, and the dimensions of these resources. */
  readonly withheldByLimit: AgentSet;
  withheldMask: number;
  /** Room under the limit, and the unmet guarantee, at the end of the last run. */
  lastRoom: Vector;
  lastUnmet: Vector;
  /** A cache: bundles in the form that is allocated to this role. */
  readonly allocatedBundles: Map<Bundle, Bundle>;
}

export interface Recovery {
  readonly expectedAgents: number;
  readonly untilMs: number;
}

export interface State {
  readonly settings: Settings;
  readonly random: Random;
  readonly dimensions: Dimensions;
  /** How many dimensions were in use when the others were last freed. */
  dimensionsInUse: number;
  readonly table: BundleTable;
  readonly shapes: Shapes;
  readonly filters: Filters;
  readonly cluster: ClusterTotals;
  readonly allocation: Vector;
  readonly available: Vector;
  readonly required: Vector;
  lastSurplus: Vector;
  readonly agents: Map<AgentId, Agent>;
  /** By index. */
  readonly agentSlots: (Agent | undefined)[];
  readonly freeAgentSlots: number[];
  readonly frameworks: Map<FrameworkId, Framework>;
  /** Frameworks that set minimums for their offers. */
  readonly frameworksWithMinimums: Set<Framework>;
  readonly clientSlots: (Client | undefined)[];
  readonly freeClientSlots: number[];
  readonly roles: RoleTree<Role>;
  readonly rootGroup: SortGroup<Role>;
  readonly quotaRoles: Set<Role>;
  readonly weights: Map<string, number>;
  readonly agentsInMaintenance: Set<Agent>;
  whitelist: ReadonlySet<string> | undefined;
  paused: boolean;
  recovery: Recovery | undefined;

  // Work of the next run (ALLOCATOR-1).
  readonly dirtyAgents: Set<Agent>;
  readonly dirtyClients: Set<Client>;
  /** Agents that have `wokenClients`. */
  readonly agentsWithWokenClients: Set<Agent>;
  /** Agents of which headroom withheld resources. */
  readonly withheldByHeadroom: AgentSet;
  /** Ends of cooldowns (ALLOCATOR-4). */
  readonly cooldowns: Deadlines<Agent>;
  readonly cooldownUntilMs: Map<Agent, number>;
  readonly inverseOfferDirtyAgents: Set<Agent>;
  /** Ends of the filters of inverse offers. */
  readonly inverseFilters: Deadlines<InverseFilter>;
  /** A quota or the free resources changed: the run compares the rooms under limits and the surplus with the last ones. */
  quotaDirty: boolean;

  /** Numbers the walks over clients in the order of fair sharing (run.ts), so that each evaluates a client once. */
  walks: number;
  /** The offers of the current run. */
  offers: OfferDecision[];

  // Counted since the start.
  runs: number;
  offersMade: number;
  pairsExamined: number;
}
