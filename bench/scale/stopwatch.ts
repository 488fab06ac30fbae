// The real CPU time of the steps of the masters' cores, without sockets and codecs. Each step is timed by the clock, and the
// sums are scaled by the share of the CPU that the process had meanwhile, so that other work of the machine does not count;
// garbage collection does. (Reading the CPU time around every step would cost more than most steps.)
import type { MasterInput } from '@meseta/master/core/io';
import type { World } from '@meseta/simulator/world';
import { rounded } from './figures.js';

export interface Cost {
  readonly steps: number;
  readonly ms: number;
}

export interface Stopwatch {
  /** CPU of all steps since the start or the last reset, by kind of input: `ACCEPT`, `StatusUpdateMessage`, `tick`. */
  costs(): Readonly<Record<string, Cost>>;
  totalMs(): number;
  reset(): void;
}

export function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

const kindOf = (input: MasterInput): string =>
  input.kind === 'message'
    ? input.message.name
    : input.kind === 'schedulerCall'
      ? (input.call.type ?? 'UNKNOWN')
      : input.kind;

/** To be called before the first master starts. */
export function startStopwatch(world: World): Stopwatch {
  const costs = new Map<string, { steps: number; clockMs: number }>();
  let since = { clockMs: performance.now(), cpuMs: cpuMs() };
  const cpuShare = (): number => (cpuMs() - since.cpuMs) / (performance.now() - since.clockMs);
  world.observers.push({
    masterStarted({ core }) {
      const { step } = core;
      const timed: typeof step = (input, now) => {
        const startedMs = performance.now();
        const effects = step(input, now);
        const clockMs = performance.now() - startedMs;
        const kind = kindOf(input);
        const cost = costs.get(kind);
        if (cost === undefined) costs.set(kind, { steps: 1, clockMs });
        else {
          cost.steps++;
          cost.clockMs += clockMs;
        }
        return effects;
      };
      Object.assign(core, { step: timed });
    },
  });
  return {
    costs() {
      const share = cpuShare();
      const entries = [...costs].map(([kind, { steps, clockMs }]) => [kind, { steps, ms: rounded(clockMs * share) }]);
      return Object.fromEntries(entries);
    },
    totalMs: () => cpuShare() * [...costs.values()].reduce((sum, { clockMs }) => sum + clockMs, 0),
    reset() {
      costs.clear();
      since = { clockMs: performance.now(), cpuMs: cpuMs() };
    },
  };
}
