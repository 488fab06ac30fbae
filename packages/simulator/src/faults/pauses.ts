// A machine is paused, as a stopped virtual machine is.
// Draws: the agent or master, and for how long.
// Strikes: its process takes no input and does nothing until it goes on, then everything at once.
// Heals: by itself when the time is over.
import { anyAgent, anyMaster, drawDurationMs, type FaultKind } from './fault.js';
import { type MachineOf, targetMachine } from './machines.js';

export type PauseAgent = { readonly kind: 'pauseAgent'; readonly agent: number; readonly ms: number };
export type PauseMaster = { readonly kind: 'pauseMaster'; readonly master: number; readonly ms: number };

const strike: FaultKind<MachineOf & { readonly ms: number }>['strike'] = (cluster, fault) => {
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
  strike,
};

export const pauseMaster: FaultKind<PauseMaster> = {
  name: 'pauseMaster',
  share: 0.23,
  draw: (random, shape) => ({
    kind: 'pauseMaster',
    master: anyMaster(random, shape),
    ms: drawDurationMs(random),
  }),
  strike,
};
