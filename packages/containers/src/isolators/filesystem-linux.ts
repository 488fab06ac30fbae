// filesystem/linux: a container has a view of the file system of its own. Persistent volumes are mounted in its sandbox, and are
// seen in the container only (Mesos: docs/isolators/filesystem-linux.md).
import { err, ok } from '@meseta/base';
import type { Isolator } from './isolator.js';
import { mountVolumes } from './volume-mounts.js';

export const filesystemLinux: Isolator = {
  name: 'filesystem/linux',
  isForPods: true,
  provides: 'mounts',
  supports: ({ linux }) => linux,
  plan({ sandbox, volumes }) {
    const absolute = volumes.find(({ containerPath }) => containerPath.startsWith('/'));
    if (absolute !== undefined) {
      return err(
        `disk.volume.container_path: expected a path in the sandbox for a persistent volume, got ${absolute.containerPath}`,
      );
    }
    const mounted = volumes.map((volume) => ({ ...volume, isPersistent: true, isReadOnly: false }));
    return ok(mountVolumes(sandbox, mounted));
  },
};
