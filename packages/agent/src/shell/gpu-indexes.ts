// The value of --nvidia_gpu_devices.
import { err, ok, type Result } from '@meseta/base';

export const MAX_GPUS = 1000;

/** Different numbers, separated by commas. */
export function parseGpuIndexes(text: string): Result<readonly number[], string> {
  const parts = text.split(',').map((part) => part.trim());
  const bad = parts.find((part) => !/^\d{1,5}$/.test(part));
  if (bad !== undefined)
    return err(`expected numbers separated by commas, such as 0,1; got ${JSON.stringify(bad.slice(0, 100))}`);
  const indexes = parts.map(Number);
  if (new Set(indexes).size < indexes.length) return err('expected each number once');
  return indexes.length <= MAX_GPUS ? ok(indexes) : err(`expected at most ${MAX_GPUS} numbers, got ${indexes.length}`);
}
