// A machine is paused, as a stopped virtual machine is.
// Draws: the agent or master, and for how long.
// Effect: its process handles no input until the pause ends, and then all of it at once.
// Ends: by itself after that time.
import { anyAgent, anyMaster, drawDurationMs, type FaultKind } from './fault.js';
import { type MachineTarget, targetMachine } from './machines.js';

export type PauseAgent = { readonly kind: 'pauseAgent'; readonly agent: number; readonly ms: number };
export type PauseMaster = { readonly kind: 'pauseMaster'; readonly master: number; readonly ms: number };

const inject: FaultKind<MachineTarget & { readonly ms: number }>['inject'] = (cluster, fault) => {
  const { machine, isRunning } = targetMachine(cluster, fault);
  if (machine !== undefined)
    machine.pausedUntilMs = Math.max(machine.pausedUntilMs, cluster.world.timeline.nowMs() + fault.ms);
  return isRunning;
};

export const pauseAgent: FaultKind<PauseAgent> = {
  name: 'pauseAgent',
  share: 0.23,
  draw: (random, shape) => ({
    kind: 'pauseAgent',
    agent: anyAgent(random, shape),
    ms: drawDurationMs(random),
  }),
  inject,
};

export const pauseMaster: FaultKind<PauseMaster> = {
  name: 'pauseMaster',
  share: 0.23,
  draw: (random, shape) => ({
    kind: 'pauseMaster',
    master: anyMaster(random, shape),
    ms: drawDurationMs(random),
  }),
  inject,
};
