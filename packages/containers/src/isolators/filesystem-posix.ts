// filesystem/posix: a container sees the host's own file system; a persistent volume is a link in its sandbox (Mesos:
// docs/persistent-volume.md).
import { ok } from '@meseta/base';
import type { Isolator } from './isolator.js';

export const filesystemPosix: Isolator = {
  name: 'filesystem/posix',
  supports: () => ok(undefined),
  plan: ({ volumes }) => ok({ links: volumes.map((volume) => ({ ...volume, isPersistent: true })) }),
};
