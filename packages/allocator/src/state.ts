// The allocator's state: agents, frameworks, roles and clients (a framework in a role), and what the next run looks at.
//
// ALLOCATOR-1: after a run, a scan of everything at the same time would make no further offer (testing/scan.ts). So
//     every pair of agent and client that was not offered something is either refused for a reason that still holds, or
//     on the list of what the next run looks at. The reasons and what wakes them:
//       framework inactive, role suppressed ....... its client becomes active (`dirtyClients`)
//       agent inactive or not whitelisted, resting  the agent comes back, its rest ends (`dirtyAgents`)
//       nothing free, too small, capability, constraint  the agent or the client changes (both)
//       filtered .................................. the filter ends or is forgotten (`pairs`, `dirtyClients`)
//       limit of a role .......................... that role's `blocked` agents, when there is more room under it
//       headroom for others' guarantees .......... `heldBack` agents, when the surplus grows
// ALLOCATOR-2: free = total - what is held there, never negative, and every offer is cut out of it.
// ALLOCATOR-3: a role's `consumed` is what is reserved to it and below on all agents, and what unreserved,
//     non-revocable scalars are held there; `available` is the countable part of what is free on agents that can be
//     offered; `required` is the sum of what roles lack to their guarantees.
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

/** What a client holds on an agent, unallocated form. */
export interface Holding {
  held: Bundle;
  /** The part of `held` that is more than offered. */
  allocated: Bundle;
}

export interface Maintenance {
  readonly unavailability: Unavailability;
  readonly outstanding: Set<FrameworkId>;
  readonly statuses: Map<FrameworkId, InverseOfferStatus>;
}

export interface Agent {
  readonly id: AgentId;
  readonly index: number;
  info: AgentInfo;
  capabilities: readonly AgentInfoCapability[];
  active: boolean;
  whitelisted: boolean;
  /** Traits (clients.ts) without which a client is offered nothing of it, and those with which. */
  needs: number;
  forbids: number;
  total: Bundle;
  /** Everything that is held, without shared resources. */
  taken: Bundle;
  free: Shape;
  readonly holdings: Map<Client, Holding>;
  /** Held by frameworks that are not known yet; with allocation_info. */
  readonly untracked: Map<FrameworkId, Bundle>;
  maintenance: Maintenance | undefined;
  /** Dimensions of which headroom withholds something here. */
  heldBackMask: number;
  /** Clients to look at again, in this agent only. */
  readonly pairs: Set<Client>;
}

export interface Framework {
  readonly id: FrameworkId;
  info: FrameworkInfo;
  active: boolean;
  roles: ReadonlySet<string>;
  readonly suppressed: Set<string>;
  constraints: OfferConstraints | undefined;
  /** By role; a role that isn't there has the master's minimum. */
  minimums: ReadonlyMap<string, readonly Quantities[]>;
  readonly clients: Map<string, Client>;
}

/** A framework in a role. */
export interface Client {
  readonly index: number;
  readonly framework: Framework;
  readonly role: Role;
  readonly entry: SortEntry<Client>;
  /** Bits of clients.ts. */
  traits: number;
  /** Is offered resources: subscribed to the role, not suppressed, its framework active. */
  active: boolean;
  /** Undefined: the master's. */
  minimum: readonly Quantities[] | undefined;
  /** By agent index, if the framework has constraints: 0 not asked yet, 1 kept away, 2 not. */
  exclusions: Uint8Array | undefined;
  /** On how many agents it holds something. */
  holdings: number;
  /** The last pass over an agent that has looked at it. */
  pass: number;
}

export interface Role {
  readonly name: string;
  parent: Role | undefined;
  /** Siblings below: subroles, and the role's own clients as one entry (`own`). */
  readonly group: SortGroup<Role>;
  /** The whole subtree, as an entry in the parent's group. */
  readonly subtree: SortEntry<Role>;
  readonly own: SortEntry<Role>;
  /** The entries that lead here from the top, `own` last. */
  path: readonly SortEntry<Role>[];
  readonly clients: SortGroup<Client>;
  readonly members: Set<Client>;
  /** Active clients in the subtree. */
  active: number;
  /** See ALLOCATOR-3. */
  readonly consumed: Vector;
  /** The same without what is only offered. */
  readonly allocated: Vector;
  quota: Quota | undefined;
  /** Infinity where there is no limit; undefined: no limits. */
  limits: Vector | undefined;
  guarantees: Vector | undefined;
  /** Agents of which a limit withheld something, and the dimensions concerned. */
  readonly blocked: AgentSet;
  blockedMask: number;
  /** Room under the limit, and what was lacking to the guarantee, when the last run ended. */
  lastRoom: Vector;
  lastUnmet: Vector;
  /** Bundles allocated to this role. */
  readonly forms: Map<Bundle, Bundle>;
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
  readonly held: Vector;
  readonly available: Vector;
  readonly required: Vector;
  lastSurplus: Vector;
  readonly agents: Map<AgentId, Agent>;
  /** By index. */
  readonly agentSlots: (Agent | undefined)[];
  readonly freeAgentSlots: number[];
  readonly frameworks: Map<FrameworkId, Framework>;
  /** Those that set what an offer must contain at least. */
  readonly withMinimums: Set<Framework>;
  readonly clientSlots: (Client | undefined)[];
  readonly freeClientSlots: number[];
  readonly roles: RoleTree<Role>;
  readonly rootGroup: SortGroup<Role>;
  readonly quotaRoles: Set<Role>;
  readonly weights: Map<string, number>;
  whitelist: ReadonlySet<string> | undefined;
  paused: boolean;
  recovery: Recovery | undefined;

  // What the next run looks at.
  readonly dirtyAgents: Set<Agent>;
  readonly dirtyClients: Set<Client>;
  readonly pairedAgents: Set<Agent>;
  readonly heldBack: AgentSet;
  /** Agents that nobody is offered until then, after an ACCEPT that wants to be offered the rest soon. */
  readonly rests: Deadlines<Agent>;
  readonly restUntil: Map<Agent, number>;
  readonly inverseDirty: Set<Agent>;
  readonly inverseFilters: Deadlines<string>;
  /** Agent and framework by key, with the time. */
  readonly inverseFilterEnds: Map<
    string,
    { readonly agent: Agent; readonly frameworkId: FrameworkId; readonly untilMs: number }
  >;
  /** Quota, whitelist or a guarantee changed: compare rooms and surplus. */
  quotaDirty: boolean;

  // Of the run under way.
  pass: number;
  offers: OfferDecision[];
  merged: Map<number, number> | undefined;

  runs: number;
  offersMade: number;
  pairsExamined: number;
}
