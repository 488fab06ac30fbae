// The machine that a fault of an agent or a master affects.
import type { Machine } from '../engine/machine.js';
import type { Masters } from '../nodes/masters.js';
import type { Cluster } from '../run/cluster.js';

export type MachineTarget = { readonly agent: number } | { readonly master: number };

export const isMachineRunning = (masters: Masters, machine: Machine | undefined): boolean =>
  masters.running().some((process) => process.machine === machine);

/** The machine, and whether its process runs. If the master does not run, the leader's machine instead. */
export function targetMachine(
  { agents, masters }: Cluster,
  target: MachineTarget,
): { readonly machine: Machine | undefined; readonly isRunning: boolean } {
  if ('agent' in target) {
    const agent = agents.get(target.agent);
    return { machine: agent?.machine, isRunning: agent?.core !== undefined };
  }
  const machine = masters.machines[masters.faultTarget(target.master)];
  return { machine, isRunning: isMachineRunning(masters, machine) };
}
