// The wall clock of a machine jumps.
// Draws: the agent or master, and how far its clock is off from then on: an hour at most.
// Effect: time stamps and the ages that are computed from them are off; deadlines use the monotonic clock.
// Ends: never.
import type { Random } from '@meseta/base';
import { between } from '../engine/chance.js';
import { agentFault, type FaultKind, masterFault } from './fault.js';
import { type MachineTarget, targetMachine } from './machines.js';

export type SkewAgent = { readonly kind: 'skewAgent'; readonly agent: number; readonly offsetMs: number };
export type SkewMaster = { readonly kind: 'skewMaster'; readonly master: number; readonly offsetMs: number };

const HOUR_MS = 3_600_000;

const inject: FaultKind<MachineTarget & { readonly offsetMs: number }>['inject'] = (cluster, fault) => {
  const { machine, isRunning } = targetMachine(cluster, fault);
  if (machine !== undefined) machine.wallOffsetMs = fault.offsetMs;
  return isRunning;
};

const drawOffset = (random: Random) => ({ offsetMs: between(random, -HOUR_MS, HOUR_MS) });

export const skewAgent: FaultKind<SkewAgent> = agentFault('skewAgent', drawOffset, { inject });
export const skewMaster: FaultKind<SkewMaster> = masterFault('skewMaster', drawOffset, { inject });
