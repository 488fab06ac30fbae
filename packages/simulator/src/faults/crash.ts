import type { Random } from '@meseta/base';
import { happens } from '../engine/chance.js';
import type { World } from '../world.js';
import { drawDownMs } from './fault.js';

/** When a process crashes, and for how long it is down. */
export interface Crash {
  readonly downMs: number;
  /** It crashes at its next write, before that is on disk, instead of at once. */
  readonly atWrite: boolean;
}

export const drawCrash = (random: Random): Crash => ({ downMs: drawDownMs(random), atWrite: happens(random, 0.5) });

/** Crashes at once, or if `disk` is given, when its next write has started. */
export function crashAtWrite(
  { timeline }: World,
  disk: { onNextWrite: (() => void) | undefined } | undefined,
  crash: () => void,
): void {
  if (disk === undefined) crash();
  else disk.onNextWrite = () => void timeline.after(0, crash);
}
