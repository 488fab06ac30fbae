// Which GPUs of NVIDIA an agent offers, by --isolation, --nvidia_gpu_devices and --resources (Mesos: docs/gpu-support.md).
import { err, type NvidiaDriver, ok, type Result } from '@meseta/base';
import { type GpuOptions, MACHINE } from '@meseta/containers/gpus/gpus';
import { parseResources, quantitiesOf, quantity } from '@meseta/resources';
import type { Resource } from '@meseta/wire';
import type { AgentFlags } from './flags.js';
import { MAX_GPUS } from './gpu-indexes.js';
import { namedResources } from './resources.js';

type GpuFlags = Pick<AgentFlags, 'isolation' | 'resources' | 'default_role' | 'nvidia_gpu_devices'>;

export interface OfferedGpus {
  /** undefined: GPUs are not isolated. */
  readonly options: GpuOptions | undefined;
  /** Beside those that --resources names. */
  readonly resources: readonly Resource[];
}

/** The indexes that the flags name; undefined: all of the machine. */
function indexesOf(flags: GpuFlags, resources: readonly Resource[]): Result<readonly number[] | undefined, string> {
  const { nvidia_gpu_devices: indexes } = flags;
  const count = quantity(quantitiesOf(resources), 'gpus') / 1000;
  if (!namedResources(flags.resources).has('gpus')) {
    return indexes === undefined ? ok(undefined) : err('Flag --nvidia_gpu_devices: expected gpus in --resources too');
  }
  if (count === 0) {
    return indexes === undefined ? ok([]) : err('Flag --nvidia_gpu_devices: expected none, as --resources has no gpus');
  }
  if (indexes === undefined) return err('Flag --resources: gpus need --nvidia_gpu_devices, which names them');
  return indexes.length === count
    ? ok(indexes)
    : err(`Flag --nvidia_gpu_devices: expected ${count} GPUs, as many as gpus in --resources, got ${indexes.length}`);
}

/** Without the library a GPU's index is the number of its device, if the flag names it. */
function minorsOf(
  indexes: readonly number[] | undefined,
  driver: Result<NvidiaDriver, string>,
): Result<readonly number[], string> {
  if (!driver.ok) {
    if (indexes !== undefined) return ok(indexes);
    return err(
      `--isolation=gpu/nvidia: ${driver.error}, or name the GPUs by --nvidia_gpu_devices and gpus in --resources`,
    );
  }
  const { count, minorOf } = driver.value;
  const minors: number[] = [];
  for (const index of indexes ?? Array.from({ length: Math.min(count, MAX_GPUS) }, (_, number) => number)) {
    if (index >= count) return err(`Flag --nvidia_gpu_devices: ${index}: this machine has ${count} GPUs, from 0 on`);
    const minor = minorOf(index);
    if (!minor.ok) return err(`--isolation=gpu/nvidia: ${minor.error}`);
    minors.push(minor.value);
  }
  return ok(minors);
}

/** `resources`: those of --resources. `driver`: loads the library; it is called only where GPUs are isolated. */
export async function offeredGpus(
  flags: GpuFlags,
  resources: readonly Resource[],
  driver: () => Promise<Result<NvidiaDriver, string>>,
): Promise<Result<OfferedGpus, string>> {
  if (!flags.isolation.split(',').some((name) => name.trim() === 'gpu/nvidia')) {
    return flags.nvidia_gpu_devices === undefined
      ? ok({ options: undefined, resources: [] })
      : err('Flag --nvidia_gpu_devices: expected gpu/nvidia in --isolation');
  }
  const indexes = indexesOf(flags, resources);
  if (!indexes.ok) return indexes;
  const minors = indexes.value?.length === 0 ? ok([]) : minorsOf(indexes.value, await driver());
  if (!minors.ok) return minors;
  const options = { ...MACHINE, minors: minors.value };
  if (indexes.value !== undefined || minors.value.length === 0) return ok({ options, resources: [] });
  const found = parseResources(`gpus:${minors.value.length}`, flags.default_role);
  return found.ok ? ok({ options, resources: found.value }) : err(found.error);
}
