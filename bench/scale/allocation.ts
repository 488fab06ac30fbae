// Experiment `allocation`: the cost of a run of the allocator as the cluster grows, without master and agents.
import { type Allocator, createAllocator, type OfferDecision } from '@meseta/allocator';
import { type AgentId, assert, type FrameworkId, seededRandom } from '@meseta/base';
import { admitResources, parseResources, type Resources } from '@meseta/resources';
import { median } from '../lib/statistics.js';
import { rounded } from './figures.js';
import { cpuMs } from './stopwatch.js';

export interface AllocationResult {
  readonly agents: number;
  readonly frameworks: number;
  /** Milliseconds of CPU time, medians: of the first run, which offers every agent. */
  readonly allFreeMs: number;
  /** Of a run after a hundredth of the agents came free, one of them, none. */
  readonly hundredthFreedMs: number;
  readonly oneFreedMs: number;
  readonly nothingNewMs: number;
}

const ROUNDS = 25;
/** Clusters of which the first run is measured. */
const CLUSTERS = 5;

function timed<T>(action: () => T): readonly [T, number] {
  const startedMs = cpuMs();
  const result = action();
  return [result, cpuMs() - startedMs];
}

function total(): Resources {
  const parsed = parseResources('cpus:24;mem:4096;disk:4096;ports:[31000-32000]', '*');
  assert(parsed.ok, 'the resources can be read');
  const admitted = admitResources(parsed.value);
  assert(admitted.ok, 'the resources are valid');
  return admitted.value;
}

function clusterOf(agents: number, frameworks: number): Allocator {
  const allocator = createAllocator({}, seededRandom(1));
  const resources = total();
  for (let i = 0; i < frameworks; i++) {
    const capabilities = [{ type: 'MULTI_ROLE' as const }];
    const info = { user: 'root', name: `f${i}`, roles: [`role-${i}`], capabilities };
    allocator.addFramework(`framework-${i}` as FrameworkId, info, new Map(), true);
  }
  const capabilities = [{ type: 'MULTI_ROLE' as const }, { type: 'RESERVATION_REFINEMENT' as const }];
  for (let i = 0; i < agents; i++) {
    const info = { hostname: `host-${i}` };
    allocator.addAgent(`agent-${i}` as AgentId, { info, capabilities, total: resources, used: new Map() });
  }
  return allocator;
}

/** The median of the rounds. In each, `count` agents become free, a second passes, and a run offers them. */
function freed(allocator: Allocator, clock: { nowMs: number }, held: OfferDecision[], count: number): number {
  const spent = Array.from({ length: ROUNDS }, () => {
    for (const { frameworkId, agentId, resources } of held.splice(0, count)) {
      allocator.recoverResources(frameworkId, agentId, resources, clock.nowMs);
    }
    clock.nowMs += 1_000;
    const [{ offers }, ms] = timed(() => allocator.run(clock.nowMs));
    assert(offers.length === count, `${offers.length} offers for ${count} agents that came free`);
    held.push(...offers);
    return ms;
  });
  return median(spent);
}

/** Agents are equal; each framework is in a role of its own. */
export function allocation(agents: number, frameworks: number): AllocationResult {
  const clock = { nowMs: 0 };
  const firstRuns = Array.from({ length: CLUSTERS }, () => {
    const allocator = clusterOf(agents, frameworks);
    const [{ offers }, ms] = timed(() => allocator.run(clock.nowMs));
    assert(offers.length === agents, `${offers.length} offers for ${agents} free agents`);
    return { allocator, offers, ms };
  });
  const { allocator, offers } = firstRuns[0] as (typeof firstRuns)[0];
  const held = [...offers];
  const oneFreedMs = freed(allocator, clock, held, 1);
  const hundredthFreedMs = freed(allocator, clock, held, Math.max(1, Math.floor(agents / 100)));
  const nothingNewMs = freed(allocator, clock, held, 0);
  return {
    agents,
    frameworks,
    allFreeMs: rounded(median(firstRuns.map(({ ms }) => ms))),
    hundredthFreedMs: rounded(hundredthFreedMs),
    oneFreedMs: rounded(oneFreedMs),
    nothingNewMs: rounded(nothingNewMs),
  };
}
