// A machine, its clocks and its pauses. A process on a paused machine (a stopped VM) handles no input until the pause ends,
// and then all of it at once.
import type { Now } from '@meseta/base';
import type { Timeline } from './timeline.js';

export interface Machine {
  readonly name: string;
  /** `ip:port` of the process on it. */
  readonly address: string;
  /** The rate of its monotonic clock; 1 is exact. */
  readonly rate: number;
  /** The error of its wall clock. */
  wallOffsetMs: number;
  pausedUntilMs: number;
}

/** The start of the simulation on an exact wall clock. */
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

/** The virtual time at which the machine's monotonic clock reads `monoMs`. */
export const virtualTimeOf = (machine: Machine, monoMs: number, timeline: Timeline): number =>
  Math.max(timeline.nowMs(), monoMs / machine.rate);
