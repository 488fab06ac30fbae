// volume/image: shows the content of an image in the sandbox (Mesos: docs/container-volume.md). What a container writes there is
// its own, and is removed with it.
import { ok, type Result } from '@meseta/base';
import type { Images } from '../images/images.js';
import type { ContainerSpec } from '../types.js';
import type { Isolator, PlanPatch, Preparing } from './isolator.js';
import { mountVolumes } from './volume-mounts.js';

async function prepare(images: Images, spec: ContainerSpec, { signal }: Preparing): Promise<Result<PlanPatch, string>> {
  const volumes = [];
  for (const { image, container_path: containerPath, mode } of spec.container?.volumes ?? []) {
    if (image === undefined) continue;
    const provisioned = await images.provision(image, spec.containerId, { keepsPrivileges: false, signal });
    if (!provisioned.ok) return provisioned;
    const place = { root: provisioned.value.root, names: [] };
    volumes.push({ containerPath, place, isPersistent: false, isReadOnly: mode === 'RO', mustExist: true });
  }
  return ok(volumes.length === 0 ? {} : mountVolumes(spec.sandbox, volumes));
}

/** docker/runtime, without which there are no images, removes what they leave. */
export const createVolumeImage = (images: Images): Isolator => ({
  name: 'volume/image',
  isForPods: true,
  provides: 'imageVolumes',
  supports: ({ linux }) => linux,
  prepare: (spec, preparing) => prepare(images, spec, preparing),
});
