import type { Random } from '@meseta/base';
import { happens } from '../engine/chance.js';
import type { World } from '../world.js';
import { drawDownMs } from './fault.js';

/** When a process crashes, and for how long it is down. */
export interface Crash {
  readonly downMs: number;
  /** Not at once, but with the next write, before that is on disk. */
  readonly atWrite: boolean;
}

export const drawCrash = (random: Random): Crash => ({ downMs: drawDownMs(random), atWrite: happens(random, 0.5) });

/** Crashes at once, or right after the next write to the disk, which is then on its way. */
export function crashAtWrite(
  { timeline }: World,
  disk: { onNextWrite: (() => void) | undefined } | undefined,
  crash: () => void,
): void {
  if (disk === undefined) crash();
  else disk.onNextWrite = () => void timeline.after(0, crash);
}
