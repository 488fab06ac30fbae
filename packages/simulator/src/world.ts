// The environment that all parts of a simulation share: virtual time, random streams, network, journal and observers.

import type { AgentEffect, AgentInput } from '@meseta/agent/core/io';
import type { Random } from '@meseta/base';
import type { MasterEffect, MasterInput } from '@meseta/master/core/io';
import type { RegistryOperation } from '@meseta/master/registry/operations';
import type { ExecutorCall, ExecutorEvent, SchedulerCall, SchedulerEvent } from '@meseta/wire';
import { streamOf } from './engine/chance.js';
import type { FakeContainer } from './engine/containers.js';
import { createJournal, type Journal } from './engine/journal.js';
import { createNetwork, type Network, type NetworkOptions } from './engine/network.js';
import { createTimeline, type Timeline } from './engine/timeline.js';
import type { AgentNode } from './nodes/agent.js';
import type { ExecutorProcess } from './nodes/executor.js';
import type { MasterProcess } from './nodes/master.js';
import type { SchedulerClient } from './nodes/scheduler.js';

/** Observes events; calls `World.fail`, which throws `InvariantBroken`, when an invariant broke. */
export interface Observer {
  masterStarted?(master: MasterProcess): void;
  beforeMasterStep?(master: MasterProcess, input: MasterInput): void;
  masterStepped?(master: MasterProcess, input: MasterInput, effects: readonly MasterEffect[]): void;
  registryWritten?(operations: readonly RegistryOperation[], epoch: number): void;
  /** A write of that term was refused, or its answer is lost. */
  registryFailed?(epoch: number): void;
  agentStarted?(agent: AgentNode): void;
  agentStepped?(agent: AgentNode, input: AgentInput, effects: readonly AgentEffect[]): void;
  /** The process ended, or its host did. */
  agentEnded?(agent: AgentNode, how: 'killed' | 'exited' | 'powerOff'): void;
  containerStarted?(agent: AgentNode, container: FakeContainer): void;
  containerEnded?(agent: AgentNode, container: FakeContainer): void;
  executorCalled?(executor: ExecutorProcess, call: ExecutorCall): void;
  executorReceived?(executor: ExecutorProcess, event: ExecutorEvent): void;
  schedulerReceived?(scheduler: SchedulerClient, event: SchedulerEvent): void;
  schedulerCalled?(scheduler: SchedulerClient, call: SchedulerCall): void;
}

export class InvariantBroken extends Error {
  override readonly name = 'InvariantBroken';

  constructor(
    readonly invariant: string,
    readonly explanation: string,
    readonly subjects: readonly string[],
    readonly atMs: number,
  ) {
    super(`${invariant}: ${explanation}`);
  }
}

export interface World {
  readonly seed: number;
  /** Messages travel as bytes, checkpoints as text. */
  readonly encoded: boolean;
  readonly timeline: Timeline;
  readonly network: Network;
  readonly journal: Journal;
  readonly observers: Observer[];
  /** How often each fault was injected and each check was made, by name. */
  readonly counts: ReadonlyMap<string, number>;
  count(what: string, by?: number): void;
  /** The random stream of one part. */
  random(part: string): Random;
  fail(invariant: string, explanation: string, subjects?: readonly string[]): never;
}

export interface WorldOptions {
  readonly seed: number;
  readonly encoded: boolean;
  readonly network: NetworkOptions;
  /** Receives every journal entry as text. */
  readonly onLine?: ((line: string) => void) | undefined;
}

export function createWorld({ seed, encoded, network, onLine }: WorldOptions): World {
  const timeline = createTimeline();
  const counts = new Map<string, number>();
  const count = (what: string, by = 1): void => void (by > 0 && counts.set(what, (counts.get(what) ?? 0) + by));
  return {
    seed,
    encoded,
    timeline,
    network: createNetwork(timeline, streamOf(seed, 'network'), network, count),
    journal: createJournal(timeline.nowMs, onLine),
    observers: [],
    counts,
    count,
    random: (part) => streamOf(seed, part),
    fail(invariant, explanation, subjects = []) {
      throw new InvariantBroken(invariant, explanation, subjects, timeline.nowMs());
    },
  };
}

/** Fails the simulation because a core threw. */
export function coreFailed(world: World, who: string, cause: unknown): never {
  if (cause instanceof InvariantBroken) throw cause;
  const text = cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
  return world.fail('no core breaks an assertion', `${who}: ${text}`);
}
