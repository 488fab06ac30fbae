import type { Random } from '@meseta/base';
import { pick } from '../engine/chance.js';

/** The scalar resources of an agent; mem and disk in MiB. */
export interface AgentSize {
  readonly cpus: number;
  readonly mem: number;
  readonly disk: number;
}

export const drawSize = (random: Random): AgentSize => ({
  cpus: pick(random, [1, 2, 4, 8]),
  mem: pick(random, [512, 1024, 4096]),
  disk: pick(random, [1024, 8192]),
});
