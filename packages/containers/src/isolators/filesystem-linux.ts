// filesystem/linux: a container has a view of the file system of its own. Persistent volumes are mounted in its sandbox, and are
// seen in the container only (Mesos: docs/isolators/filesystem-linux.md).
import { ok } from '@meseta/base';
import type { Isolator } from './isolator.js';
import { mountVolumes } from './volume-mounts.js';

export const filesystemLinux: Isolator = {
  name: 'filesystem/linux',
  provides: 'mounts',
  supports: ({ linux }) => linux,
  plan: ({ sandbox, volumes }) =>
    ok(
      mountVolumes(
        sandbox,
        volumes.map((volume) => ({ ...volume, isPersistent: true, isReadOnly: false })),
      ),
    ),
};
