// A machine: its clocks, and whether it runs. Processes on it are actors; a paused machine (a stopped VM) takes
// nothing and does nothing until it goes on, then everything at once.
import type { Now } from '@meseta/base';
import type { Timeline } from './timeline.js';

export interface Machine {
  readonly name: string;
  /** `ip:port` of the process on it. */
  readonly address: string;
  /** How fast its monotonic clock runs. */
  readonly rate: number;
  /** How far its wall clock is off. */
  wallOffsetMs: number;
  pausedUntilMs: number;
}

/** When the simulation begins, on a wall clock that is right. */
const EPOCH_MS = Date.UTC(2026, 0, 1);

export const createMachine = (name: string, address: string, rate: number): Machine => ({
  name,
  address,
  rate,
  wallOffsetMs: 0,
  pausedUntilMs: 0,
});

export const timeOn = (machine: Machine, nowMs: number): Now => ({
  monoMs: nowMs * machine.rate,
  wallMs: EPOCH_MS + nowMs + machine.wallOffsetMs,
});

/** When the machine's monotonic clock will show `monoMs`. */
export const virtualTimeOf = (machine: Machine, monoMs: number, timeline: Timeline): number =>
  Math.max(timeline.nowMs(), monoMs / machine.rate);
