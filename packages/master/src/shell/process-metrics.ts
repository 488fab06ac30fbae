// Metrics that the core cannot know: of the process, of the machine, of calls that did not reach the core.
import { availableParallelism, freemem, loadavg, totalmem } from 'node:os';
import type { Host, Logger } from '@meseta/platform';
import type { SchedulerCall } from '@meseta/wire';
import { invalidCallCounter } from '../core/counters.js';
import type { MasterCore } from '../core/machine.js';
import type { MasterTimings, ProcessMetrics } from '../views/metrics.js';

export function processMetrics(
  startedAtMs: number,
  measured: Omit<ProcessMetrics, 'uptimeSeconds' | 'system'>,
): ProcessMetrics {
  const [one = 0, five = 0, fifteen = 0] = loadavg();
  return {
    uptimeSeconds: (Date.now() - startedAtMs) / 1000,
    ...measured,
    system: {
      cpus: availableParallelism(),
      load: [one, five, fifteen],
      memoryTotalBytes: totalmem(),
      memoryFreeBytes: freemem(),
    },
  };
}

/** Measures allocation runs by the steps that contain one; the rest of such a step is negligible. */
export function timedStep(master: MasterCore, timings: MasterTimings): MasterCore['step'] {
  const { allocator } = master.state;
  let runs = allocator.runs();
  return (input, now) => {
    const dueMs = allocator.nextDeadline();
    const effects = master.step(input, now);
    const after = allocator.runs();
    if (after !== runs) {
      timings.allocationRun.add(performance.now() - now.monoMs);
      timings.allocationLatency.add(dueMs === undefined || dueMs === 0 ? 0 : Math.max(0, now.monoMs - dueMs));
    }
    runs = after;
    return effects;
  };
}

export interface Cuts {
  /** `what` names the stream in the log. */
  count(kind: 'scheduler' | 'operator', what: string): void;
  counters(): ReadonlyMap<string, number>;
}

/** Logs and counts the streams that were cut off because their clients read too slowly. */
export function createCuts(log: Logger, stats: Host['stats']): Cuts {
  const streams = { scheduler: 0, operator: 0 };
  return {
    count(kind, what) {
      streams[kind]++;
      log.limited('warning', `${kind}Cut`, `cut off ${what}: it reads too slowly`);
    },
    counters: () =>
      new Map([
        ['meseta/cut_scheduler_streams', streams.scheduler],
        ['meseta/cut_operator_streams', streams.operator],
        ['meseta/cut_peers', stats.peersOverLimit],
      ]),
  };
}

/** Scheduler calls that were refused before the core saw them. */
export function createInvalidCalls() {
  const counters = new Map<string, number>();
  return {
    counters: counters as ReadonlyMap<string, number>,
    count(call: SchedulerCall): void {
      const name = invalidCallCounter(call);
      if (name !== undefined) counters.set(name, (counters.get(name) ?? 0) + 1);
    },
  };
}
