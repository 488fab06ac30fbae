// A whole cluster in one process, made from a plan.
import { createAllocator } from '@meseta/allocator';
import { auditAllocator } from '@meseta/allocator/testing/audit';
import { DEFAULT_MASTER_OPTIONS, type MasterOptions } from '@meseta/master/core/options';
import type { AuthorizationAction } from '@meseta/wire';
import type { Place } from '../faults/place.js';
import { type AgentNode, createAgentNode } from '../nodes/agent.js';
import { ELECTION } from '../nodes/leader-views.js';
import { createMasters, type Masters } from '../nodes/masters.js';
import { type Framework, startFramework } from '../schedulers/scripts.js';
import type { World } from '../world.js';
import type { Plan } from './plan.js';

export interface Cluster {
  readonly world: World;
  readonly plan: Plan;
  readonly masters: Masters;
  readonly agents: ReadonlyMap<number, AgentNode>;
  readonly frameworks: Map<number, Framework>;
  /** The actions that the authorizer refuses now, with the number of faults that refuse each. */
  readonly refused: Map<AuthorizationAction, number>;
}

/** An allocator whose decisions are checked against the record of its calls. */
const auditedAllocator =
  (world: World): typeof createAllocator =>
  (options, random) =>
    auditAllocator(createAllocator(options, random), options, {
      every: RUNS_BETWEEN_AUDITS,
      broken: world.fail,
      audited: (offers) => world.count('allocations audited', offers),
    });

/** Audits of the allocator's accounting; offers are audited in each run. */
const RUNS_BETWEEN_AUDITS = 8;

export function createCluster(world: World, plan: Plan): Cluster {
  const refused = new Map<AuthorizationAction, number>();
  const options: MasterOptions = {
    ...DEFAULT_MASTER_OPTIONS,
    agentPingTimeoutMs: plan.pingTimeoutMs,
    maxAgentPingTimeouts: plan.pings,
    agentReregisterTimeoutMs: plan.reregisterTimeoutMs,
    agentRemovalRateLimit: plan.agentRemovalRateLimit,
    offerTimeoutMs: plan.offerTimeoutMs,
    maxCompletedTasksPerFramework: plan.maxCompletedTasks,
    registryMaxAgentAgeMs: plan.registryMaxAgentAgeMs,
    registryMaxAgentCount: plan.registryMaxAgentCount,
    registryGcIntervalMs: plan.registryGcIntervalMs,
    weights: plan.weights,
    allocator: plan.sorters,
    authorize({ action }) {
      if (!refused.has(action)) return true;
      world.count('authorizations refused');
      return false;
    },
  };
  for (const name of plan.variations) world.count(`variation: ${name}`);
  const masters = createMasters(world, plan.masters, options, plan.masterRates, auditedAllocator(world));
  const agents = new Map<number, AgentNode>();
  for (const [index, { size, rate }] of plan.agents) {
    agents.set(index, createAgentNode({ world, masters, index, size, rate }));
  }
  const frameworks = new Map<number, Framework>();
  for (const [index, framework] of plan.frameworks) {
    frameworks.set(index, startFramework(world, masters, index, framework));
  }
  return { world, plan, masters, agents, frameworks, refused };
}

/** The address of a place; undefined if the place was taken out of the plan. */
export function addressOfPlace(cluster: Cluster, place: Place): string | undefined {
  switch (place.kind) {
    case 'election':
      return ELECTION;
    case 'agent':
      return cluster.agents.get(place.index)?.machine.address;
    case 'master':
      return cluster.masters.machines[place.index]?.address;
    case 'framework':
      return cluster.frameworks.get(place.index)?.clients.at(-1)?.address;
  }
}
