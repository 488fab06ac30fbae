import type { World } from '../world.js';

/** Crashes at once, or right after the next write to the disk, which is then on its way. */
export function crashAtWrite(
  { timeline }: World,
  disk: { onNextWrite: (() => void) | undefined } | undefined,
  crash: () => void,
): void {
  if (disk === undefined) crash();
  else disk.onNextWrite = () => void timeline.after(0, crash);
}
