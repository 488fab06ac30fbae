// The allocator, which decides which framework is offered which resources. What it owns and its invariants: state.ts.
// Boundary: plain synchronous inputs, and `run`, which makes the decisions. It has no clock and no timer: the caller
// reads `nextDeadline` and calls `run` at that time. The ids and timeouts of offers are the master's.
import { assert, createDeadlines, earliestDeadline, type Random } from '@meseta/base';
import { createBundleTable, createRoleTree, parseQuantities } from '@meseta/resources';
import { createAgentSet } from './agent-set.js';
import * as agents from './agents.js';
import { createDimensions } from './dimensions.js';
import { explain } from './explain.js';
import { createFilters } from './filters.js';
import * as frameworks from './frameworks.js';
import { recordInverseOfferResponse } from './inverse-offers.js';
import { createRole, setQuota } from './roles.js';
import { hasOfferWork, run } from './run.js';
import { createShapes } from './shapes.js';
import { createGroup, reposition } from './sort-group.js';
import type { State } from './state.js';
import type { Allocator, AllocatorOptions, Quota } from './types.js';
import { createViews } from './views.js';

const DEFAULT_INTERVAL_MS = 1000;
const DEFAULT_MINIMUM = ['cpus:0.01', 'mem:32'];
const DEFAULT_RECOVERY_FACTOR = 0.8;
const DEFAULT_RECOVERY_TIMEOUT_MS = 600_000;

export function createAllocator(options: AllocatorOptions, random: Random): Allocator {
  const state = createState(options, random);
  const agent = (id: Parameters<typeof agents.agentOf>[1]) => agents.agentOf(state, id);
  const framework = (id: Parameters<typeof frameworks.frameworkOf>[1]) => frameworks.frameworkOf(state, id);
  return {
    addAgent: (id, spec) => agents.addAgent(state, id, spec),
    updateAgent: (id, update) => agents.updateAgent(state, agent(id), update),
    removeAgent: (id) => agents.removeAgent(state, agent(id)),
    activateAgent: (id) => agents.setActive(state, agent(id), true),
    deactivateAgent: (id) => agents.setActive(state, agent(id), false),
    addResourceProvider: (id, total, used) => agents.addResourceProvider(state, agent(id), total, used),
    updateUnavailability: (id, unavailability) => agents.updateUnavailability(state, agent(id), unavailability),
    updateWhitelist: (hostnames) => agents.updateWhitelist(state, hostnames),
    addFramework: (id, info, used, active, extra = {}) => frameworks.addFramework(state, id, info, used, active, extra),
    updateFramework: (id, info, extra = {}) => frameworks.updateFramework(state, framework(id), info, extra),
    activateFramework: (id) => frameworks.activateFramework(state, framework(id)),
    deactivateFramework: (id) => frameworks.deactivateFramework(state, framework(id)),
    removeFramework: (id) => frameworks.removeFramework(state, framework(id)),
    suppress: (id, roles) => frameworks.suppress(state, framework(id), roles),
    revive: (id, roles) => frameworks.revive(state, framework(id), roles),
    recoverResources: (id, agentId, resources, now, options = {}) =>
      frameworks.recoverResources(state, id, agentId, resources, now, options),
    transitionOfferedToAllocated: (id, agentId, resources) =>
      frameworks.transitionOfferedToAllocated(state, id, agent(agentId), resources),
    updateAllocation: (id, agentId, offered, conversions) =>
      agents.updateAllocation(state, agent(agentId), id, offered, conversions),
    updateAvailable: (id, operations) => agents.updateAvailable(state, agent(id), operations),
    updateQuota: (role, quota) => setQuota(state, role, quota),
    updateWeights: (weights) => updateWeights(state, weights),
    updateInverseOffer: (agentId, id, now, status, filters) => {
      const known = state.agents.get(agentId);
      if (known !== undefined) recordInverseOfferResponse(state, known, id, now, status, filters);
    },
    recover: (expected, quotas, now, extra = {}) => {
      assert(state.agents.size === 0, 'recovery starts before the first agent');
      for (const [role, quota] of quotas) setQuota(state, role, quota);
      const expectedAgents = Math.floor(expected * (extra.factor ?? DEFAULT_RECOVERY_FACTOR));
      if (quotas.size === 0 || expectedAgents === 0) return;
      state.recovery = { expectedAgents, untilMs: now + (extra.timeoutMs ?? DEFAULT_RECOVERY_TIMEOUT_MS) };
    },
    pause: () => {
      state.paused = true;
    },
    resume: () => {
      state.paused = false;
    },
    nextDeadline: () => nextDeadline(state),
    run: (now) => run(state, now),
    explain: (id, agentId, role, now) => explain(state, id, agentId, role, now),
    ...createViews(state),
  };
}

export function createState(options: AllocatorOptions, random: Random): State {
  const dimensions = createDimensions();
  const table = createBundleTable();
  const weights = new Map<string, number>();
  const intervalMs = options.allocationIntervalMs ?? DEFAULT_INTERVAL_MS;
  const roleSorter = options.roleSorter ?? 'drf';
  const frameworkSorter = options.frameworkSorter ?? 'drf';
  return {
    settings: {
      intervalMs,
      frameworkSorter,
      minimum: options.minAllocatableResources ?? DEFAULT_MINIMUM.map(minimumFrom),
      filterGpuResources: options.filterGpuResources ?? true,
      region: options.domain?.fault_domain?.region.name,
    },
    random,
    dimensions,
    dimensionsInUse: 0,
    table,
    shapes: createShapes(table, dimensions),
    filters: createFilters(Math.max(20, intervalMs / 10)),
    cluster: {
      total: [],
      version: 0,
      excluded: new Set((options.fairSharingExcludedResourceNames ?? []).map((name) => dimensions.indexOf(name))),
    },
    allocation: [],
    available: [],
    required: [],
    lastSurplus: [],
    agents: new Map(),
    agentSlots: [],
    freeAgentSlots: [],
    frameworks: new Map(),
    frameworksWithMinimums: new Set(),
    clientSlots: [],
    freeClientSlots: [],
    roles: createRoleTree((name) => createRole(name, weights.get(name) ?? 1, roleSorter, frameworkSorter)),
    rootGroup: createGroup(roleSorter),
    quotaRoles: new Set(),
    weights,
    agentsInMaintenance: new Set(),
    whitelist: undefined,
    paused: false,
    recovery: undefined,
    dirtyAgents: new Set(),
    dirtyClients: new Set(),
    agentsWithWokenClients: new Set(),
    withheldByHeadroom: createAgentSet(),
    cooldowns: createDeadlines(),
    cooldownUntilMs: new Map(),
    inverseOfferDirtyAgents: new Set(),
    inverseFilters: createDeadlines(),
    quotaDirty: false,
    walks: 0,
    offers: [],
    runs: 0,
    offersMade: 0,
    pairsExamined: 0,
  };
}

function minimumFrom(text: string): Quota['guarantees'] {
  const parsed = parseQuantities(text);
  assert(parsed.ok, text);
  return parsed.value;
}

function updateWeights(state: State, weights: Iterable<readonly [role: string, weight: number]>): void {
  for (const [name, weight] of weights) {
    state.weights.set(name, weight);
    const role = state.roles.get(name)?.value;
    if (role === undefined) continue;
    role.subtree.weight = weight;
    reposition(role.parent?.group ?? state.rootGroup, role.subtree, state.cluster);
  }
}

function nextDeadline(state: State): number | undefined {
  if (state.paused) return undefined;
  if (state.recovery !== undefined) {
    return state.agents.size >= state.recovery.expectedAgents ? 0 : state.recovery.untilMs;
  }
  if (hasOfferWork(state) || state.inverseOfferDirtyAgents.size > 0) return 0;
  let next: number | undefined;
  for (const at of [
    earliestDeadline(state.filters.deadlines),
    earliestDeadline(state.cooldowns),
    earliestDeadline(state.inverseFilters),
  ]) {
    if (at !== undefined && (next === undefined || at < next)) next = at;
  }
  return next;
}
