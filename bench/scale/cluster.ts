// A cluster for experiments of scale: the real cores on a network that delays messages but loses none, without a journal.
import { DEFAULT_MASTER_OPTIONS } from '@meseta/master/core/options';
import { accounting } from '@meseta/simulator/checkers/accounting';
import { createRecordKeeper } from '@meseta/simulator/checkers/records';
import { type AgentNode, createAgentNode } from '@meseta/simulator/nodes/agent';
import type { AgentSize } from '@meseta/simulator/nodes/agent-size';
import { createMemory } from '@meseta/simulator/nodes/framework-memory';
import { createMasters, type Masters } from '@meseta/simulator/nodes/masters';
import { type SchedulerClient, type Script, startScheduler } from '@meseta/simulator/nodes/scheduler';
import { planOf } from '@meseta/simulator/run/plan';
import { createWorld, type World } from '@meseta/simulator/world';
import type { FrameworkInfo } from '@meseta/wire';

export interface ScaleCluster {
  readonly world: World;
  readonly masters: Masters;
  readonly agents: readonly AgentNode[];
  /** Adds agents; they register within a few seconds. */
  addAgents(count: number, size: AgentSize): void;
  /** Adds a framework; it subscribes within a second. */
  framework(name: string, script: Script): SchedulerClient;
}

export interface ScaleClusterOptions {
  readonly seed: number;
  /** With two, another takes over when one ends. */
  readonly masters: 1 | 2;
}

/** A network within one data centre. */
const NETWORK = { meanDelayMs: 0.5, breakChance: 0, stallChance: 0, repeatChance: 0, unacknowledgedMs: 20_000 };

const infoOf = (name: string): FrameworkInfo => ({
  user: 'root',
  name,
  failover_timeout: 3600,
  checkpoint: true,
  capabilities: [{ type: 'PARTITION_AWARE' }, { type: 'MULTI_ROLE' }, { type: 'RESERVATION_REFINEMENT' }],
  roles: [name],
});

export function createScaleCluster({ seed, masters: count }: ScaleClusterOptions): ScaleCluster {
  // A journal of so many events would fill the memory.
  const journal = { record() {}, last: () => [] };
  const world: World = { ...createWorld({ seed, encoded: false, network: NETWORK }), journal };
  const masters = createMasters(world, count, DEFAULT_MASTER_OPTIONS, []);
  const agents: AgentNode[] = [];
  let frameworks = 0;
  return {
    world,
    masters,
    agents,
    addAgents(more, size) {
      for (let i = 0; i < more; i++) {
        agents.push(createAgentNode({ world, masters, index: agents.length, size, rate: 1 }));
      }
    },
    framework(name, script) {
      const address = `10.0.3.${++frameworks}:8000`;
      const rest = { memory: createMemory(), info: infoOf(name), acknowledges: true, reconciles: false, script };
      return startScheduler({ world, masters, name, address, ...rest });
    },
  };
}

/** Advances the virtual time until `done` returns true, called every `everyMs`. Returns false if that takes more than `limitMs`. */
export function runUntil({ timeline }: World, everyMs: number, limitMs: number, done: () => boolean): boolean {
  const endMs = timeline.nowMs() + limitMs;
  while (!done()) {
    if (timeline.nowMs() >= endMs) return false;
    timeline.runUntil(timeline.nowMs() + everyMs);
  }
  return true;
}

/** Throws if a resource is allocated twice, or if the master's indexes or its allocator disagree with its records. */
export function checkAccounting({ world, masters, agents }: ScaleCluster): void {
  const noFrameworks = new Map<number, never>();
  const cluster = {
    world,
    masters,
    plan: planOf(1),
    agents: new Map(agents.entries()),
    frameworks: noFrameworks,
    refused: new Map(),
  };
  accounting.create(cluster, () => {}, createRecordKeeper()).checkQuiescence?.();
}

/** The number of running containers, from the simulated machines. */
export function containersRunning(agents: readonly AgentNode[]): number {
  let running = 0;
  for (const { containers } of agents) {
    for (const { state } of containers.all.values()) if (state === 'running') running++;
  }
  return running;
}
