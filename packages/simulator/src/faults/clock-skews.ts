// The wall clock of a machine jumps.
// Draws: the agent or master, and how far its clock is off from then on: an hour at most.
// Strikes: time stamps and the ages that are computed from them are off; deadlines use the monotonic clock.
// Heals: it stays.
import { between } from '../engine/chance.js';
import { anyAgent, anyMaster, type FaultKind } from './fault.js';
import { type MachineOf, targetMachine } from './machines.js';

export type SkewAgent = { readonly kind: 'skewAgent'; readonly agent: number; readonly offsetMs: number };
export type SkewMaster = { readonly kind: 'skewMaster'; readonly master: number; readonly offsetMs: number };

const HOUR_MS = 3_600_000;

const strike: FaultKind<MachineOf & { readonly offsetMs: number }>['strike'] = (cluster, fault) => {
  const { machine, isRunning } = targetMachine(cluster, fault);
  if (machine !== undefined) machine.wallOffsetMs = fault.offsetMs;
  return isRunning;
};

export const skewAgent: FaultKind<SkewAgent> = {
  name: 'skewAgent',
  share: 0.23,
  draw: (random, shape) => ({
    kind: 'skewAgent',
    agent: anyAgent(random, shape),
    offsetMs: between(random, -HOUR_MS, HOUR_MS),
  }),
  strike,
};

export const skewMaster: FaultKind<SkewMaster> = {
  name: 'skewMaster',
  share: 0.23,
  draw: (random, shape) => ({
    kind: 'skewMaster',
    master: anyMaster(random, shape),
    offsetMs: between(random, -HOUR_MS, HOUR_MS),
  }),
  strike,
};
