// A machine is paused, as a stopped virtual machine is.
// Draws: the agent or master, and for how long.
// Effect: its process handles no input until the pause ends, and then all of it at once.
// Ends: by itself after that time.
import type { Random } from '@meseta/base';
import { agentFault, drawDurationMs, type FaultKind, masterFault } from './fault.js';
import { type MachineTarget, targetMachine } from './machines.js';

export type PauseAgent = { readonly kind: 'pauseAgent'; readonly agent: number; readonly ms: number };
export type PauseMaster = { readonly kind: 'pauseMaster'; readonly master: number; readonly ms: number };

const inject: FaultKind<MachineTarget & { readonly ms: number }>['inject'] = (cluster, fault) => {
  const { machine, isRunning } = targetMachine(cluster, fault);
  if (machine !== undefined)
    machine.pausedUntilMs = Math.max(machine.pausedUntilMs, cluster.world.timeline.nowMs() + fault.ms);
  return isRunning;
};

const drawPause = (random: Random) => ({ ms: drawDurationMs(random) });

export const pauseAgent: FaultKind<PauseAgent> = agentFault('pauseAgent', drawPause, { inject });
export const pauseMaster: FaultKind<PauseMaster> = masterFault('pauseMaster', drawPause, { inject });
