// volume/host_path: shows a directory or file of the machine in the sandbox (Mesos: docs/isolators/volume-host-path.md). Mounts
// that are made on the machine later are seen in it, those of the container are not seen on the machine.
import { err, ok, pathComponents } from '@meseta/base';
import type { Volume } from '@meseta/wire';
import type { Isolator } from './isolator.js';
import { mountVolumes } from './volume-mounts.js';

/** The path on the machine, empty if it is missing; undefined: another kind of volume. */
function hostPathOf({ host_path: path, source }: Volume): string | undefined {
  if (source === undefined) return path;
  return source.type === 'HOST_PATH' ? (source.host_path?.path ?? '') : undefined;
}

export const volumeHostPath: Isolator = {
  name: 'volume/host_path',
  isForPods: true,
  provides: 'hostPathVolumes',
  supports: ({ linux }) => linux,
  plan({ sandbox, container }) {
    const volumes = [];
    for (const [index, volume] of (container?.volumes ?? []).entries()) {
      const path = hostPathOf(volume);
      if (path === undefined) continue;
      const names = pathComponents(path);
      if (!path.startsWith('/') || names.includes('..')) {
        return err(
          `container.volumes[${index}]: expected an absolute path on the machine without "..", got ${JSON.stringify(path)}`,
        );
      }
      const place = { root: `/${names.join('/')}`, names: [] };
      const isReadOnly = volume.mode === 'RO';
      volumes.push({ containerPath: volume.container_path, place, isPersistent: false, isReadOnly, mustExist: true });
    }
    return ok(volumes.length === 0 ? {} : mountVolumes(sandbox, volumes));
  },
};
