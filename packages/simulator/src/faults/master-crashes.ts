// A master's process is killed, or its host loses power.
// Draws: the master, how long it is down, and whether it crashes with its next write to the registry, before that is
//     answered.
// Effect: the master that leads, if the one that was drawn does not run: a crash of a standby has no consequence.
//     Writes that were not answered may be lost; without power no peer is notified.
// Ends: the master starts again after that time.
import { type Crash, crashAtWrite, drawCrash } from './crash.js';
import { type FaultKind, masterFault } from './fault.js';
import { isMachineRunning } from './machines.js';

interface MasterCrash<Kind> extends Crash {
  readonly kind: Kind;
  readonly master: number;
}

export type KillMaster = MasterCrash<'killMaster'>;
export type PowerOffMaster = MasterCrash<'powerOffMaster'>;

const masterCrash = <Kind extends string>(kind: Kind, how: 'reset' | 'silent'): FaultKind<MasterCrash<Kind>> =>
  masterFault(kind, drawCrash, {
    inject({ world, masters }, fault) {
      const index = masters.faultTarget(fault.master);
      const isRunning = isMachineRunning(masters, masters.machines[index]);
      crashAtWrite(world, fault.atWrite ? masters.store : undefined, () => masters.crash(index, how, fault.downMs));
      return isRunning;
    },
    heal({ masters }) {
      masters.store.onNextWrite = undefined;
    },
  });

export const killMaster: FaultKind<KillMaster> = masterCrash('killMaster', 'reset');
export const powerOffMaster: FaultKind<PowerOffMaster> = masterCrash('powerOffMaster', 'silent');
