// gpu/nvidia: a container can use as many GPUs as its resources `gpus` say, and no others (Mesos: docs/gpu-support.md). The
// isolator cgroups/devices opens them for its cgroup; this one shows the devices in root file systems of images. There all are
// seen, as in Mesos, because the number may change while the container runs.
import { err, ok } from '@meseta/base';
import type { Gpus } from '../gpus/gpus.js';
import type { Isolator } from './isolator.js';

/** What it needs in `--isolation`, as in Mesos. */
export const NEEDED_FOR_GPUS: readonly (readonly string[])[] = [
  ['filesystem/linux'],
  ['cgroups/devices', 'cgroups/all'],
];

/** undefined: the machine's containers have none. */
export const createGpuNvidia = (gpus: Gpus | undefined): Isolator => ({
  name: 'gpu/nvidia',
  supports: ({ linux }) => (linux.ok && gpus === undefined ? err('no GPUs were found') : linux),
  plan: () => ok(gpus === undefined ? {} : { linux: { devices: [...gpus.controls, ...gpus.all] } }),
});
