// The machine that a fault of an agent or a master strikes.
import type { Machine } from '../engine/machine.js';
import type { Masters } from '../nodes/masters.js';
import type { Cluster } from '../run/cluster.js';

export type MachineOf = { readonly agent: number } | { readonly master: number };

export const runs = (masters: Masters, machine: Machine | undefined): boolean =>
  masters.running().some((process) => process.machine === machine);

/** The machine, and whether its process runs. Of a master that does not run, the machine of the one that leads. */
export function targetMachine(
  { agents, masters }: Cluster,
  of: MachineOf,
): { readonly machine: Machine | undefined; readonly isRunning: boolean } {
  if ('agent' in of) {
    const agent = agents.get(of.agent);
    return { machine: agent?.machine, isRunning: agent?.core !== undefined };
  }
  const machine = masters.machines[masters.faultTarget(of.master)];
  return { machine, isRunning: runs(masters, machine) };
}
