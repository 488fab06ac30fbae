// Full disks.
// Draws: one to three agents whose disks fill up (faults/full-disk.ts), and whether the agent's process is killed
//     meanwhile.
// Effect and end: those of the faults.
import { between, happens, wholeBetween } from '../engine/chance.js';
import type { Fault } from '../faults/all.js';
import { fullDisk } from '../faults/full-disk.js';
import { shapeOf } from '../run/shape.js';
import { type Variation, withFaults } from './variation.js';

export const fullDisks: Variation = {
  name: 'full disks',
  share: 0.15,
  draw(random, plan) {
    const faults = Array.from({ length: wholeBetween(random, 1, 3) }, (): readonly Fault[] => {
      const full = { atMs: between(random, 1_000, plan.faultPhaseMs), ...fullDisk.draw(random, shapeOf(plan)) };
      const killedMs = full.atMs + between(random, 0, full.ms / 2);
      const kill: Fault = { atMs: killedMs, kind: 'killAgent', agent: full.agent, downMs: 1_000, atWrite: false };
      return happens(random, 0.6) && killedMs < plan.faultPhaseMs ? [full, kill] : [full];
    }).flat();
    return withFaults(plan, faults);
  },
};
