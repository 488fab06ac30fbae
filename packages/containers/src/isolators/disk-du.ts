// disk/du: measures what a container has on disk in its sandbox and in its persistent volumes, at an interval; with
// `--enforce_container_disk_quota`, more than its disk resources is a limitation (Mesos: docs/isolators/disk-du.md).
//
// Owns: the last measurement of each watched container.
// DISK-DU-1: trees are measured one after the other, and each through open directories (trees.ts).
// DISK-DU-2: a mounted disk is measured and not limited: it ends by itself. A container without disk resources is neither
//   measured nor limited, as in Mesos.
import {
  type Clock,
  type ContainerId,
  type DirectoryHandle,
  type Files,
  formatByteSize,
  ok,
  type SystemResult,
} from '@meseta/base';
import { isPersistentVolume } from '@meseta/resources';
import type { DiskStatistics, Resource } from '@meseta/wire';
import { createConcurrencyLimit } from '../concurrency.js';
import type { ContainerRecord } from '../lifecycle.js';
import { openSandbox } from '../sandbox/sandbox.js';
import { diskUsage } from '../sandbox/trees.js';
import { openVolume } from '../sandbox/volumes.js';
import type { DirectoryBelow, Limitation } from '../types.js';
import type { Isolator, Usage } from './isolator.js';

export interface DiskDuOptions {
  readonly files: Files;
  readonly clock: Pick<Clock, 'setTimer'>;
  readonly diskWatchIntervalMs: number;
  readonly enforceDiskQuota: boolean;
}

/** A directory with the resources that pay for it. */
interface Quota {
  /** undefined: the sandbox. */
  readonly volume: DirectoryBelow | undefined;
  readonly resources: readonly Resource[];
  readonly limitBytes: number;
  readonly isMount: boolean;
}

interface Watched {
  record: ContainerRecord;
  readonly onLimitation: (limitation: Limitation) => void;
  /** By the key of its quota. */
  readonly usedBytes: Map<string, number>;
  cancel: () => void;
}

const keyOf = ({ volume }: Quota): string => (volume === undefined ? '' : [volume.root, ...volume.names].join('/'));

const bytesOf = (resources: readonly Resource[]): number =>
  resources.reduce((total, { scalar }) => total + (scalar?.value ?? 0), 0) * 2 ** 20;

/** The quotas of a container. The resources of a volume have its path in the sandbox. */
function quotasOf({ resources, volumes }: Pick<ContainerRecord, 'resources' | 'volumes'>): readonly Quota[] {
  const disks = resources.filter(({ name }) => name === 'disk');
  const ofSandbox = disks.filter((resource) => !isPersistentVolume(resource));
  const sandbox = { volume: undefined, resources: ofSandbox, limitBytes: bytesOf(ofSandbox), isMount: false };
  const ofVolumes = volumes.map(({ containerPath, place }): Quota => {
    const own = disks.filter((it) => isPersistentVolume(it) && it.disk?.volume?.container_path === containerPath);
    const isMount = own.some(({ disk }) => disk?.source?.type === 'MOUNT');
    return { volume: place, resources: own, limitBytes: bytesOf(own), isMount };
  });
  return [...(ofSandbox.length > 0 ? [sandbox] : []), ...ofVolumes];
}

export function createDiskDu({ files, clock, diskWatchIntervalMs, enforceDiskQuota }: DiskDuOptions): Isolator {
  const watched = new Map<ContainerId, Watched>();
  // DISK-DU-1.
  const takeTurn = createConcurrencyLimit(1);

  const open = ({ volume }: Quota, { sandbox }: ContainerRecord): Promise<SystemResult<DirectoryHandle>> =>
    volume === undefined ? openSandbox(files, sandbox) : openVolume(files, volume);

  async function measure(container: Watched): Promise<void> {
    const quotas = quotasOf(container.record);
    const keys = new Set(quotas.map(keyOf));
    for (const key of container.usedBytes.keys()) if (!keys.has(key)) container.usedBytes.delete(key);
    for (const quota of quotas) {
      const directory = await open(quota, container.record);
      if (!directory.ok) continue;
      const usedBytes = await diskUsage(directory.value);
      directory.value.close();
      container.usedBytes.set(keyOf(quota), usedBytes);
      if (enforceDiskQuota && !quota.isMount && usedBytes > quota.limitBytes) {
        container.onLimitation(limitationOf(quota, usedBytes));
      }
    }
  }

  async function measureAgain(container: Watched): Promise<void> {
    const isWatched = (): boolean => watched.get(container.record.containerId) === container;
    await takeTurn(async () => {
      if (isWatched()) await measure(container);
    });
    if (isWatched()) container.cancel = clock.setTimer(diskWatchIntervalMs, () => void measureAgain(container));
  }

  return {
    name: 'disk/du',
    supports: () => ok(undefined),
    watch(record, onLimitation) {
      const container: Watched = { record, onLimitation, usedBytes: new Map(), cancel: () => {} };
      watched.get(record.containerId)?.cancel();
      watched.set(record.containerId, container);
      void measureAgain(container);
    },
    update(record) {
      const container = watched.get(record.containerId);
      if (container !== undefined) container.record = record;
    },
    usage(containerId) {
      const container = watched.get(containerId);
      return container === undefined ? {} : usageOf(container);
    },
    async cleanUp(containerId) {
      watched.get(containerId)?.cancel();
      watched.delete(containerId);
    },
    close() {
      for (const { cancel } of watched.values()) cancel();
      watched.clear();
    },
  };
}

function limitationOf({ resources, limitBytes }: Quota, usedBytes: number): Limitation {
  const message = `Disk usage (${formatByteSize(usedBytes)}) exceeds quota (${formatByteSize(limitBytes)})`;
  return { resources, reason: 'REASON_CONTAINER_LIMITATION_DISK', message };
}

function usageOf({ record, usedBytes }: Watched): Usage {
  const parts = quotasOf(record).map((quota) => ({ quota, used: usedBytes.get(keyOf(quota)) }));
  const sandbox = parts.find(({ quota }) => quota.volume === undefined);
  return {
    ...(sandbox === undefined ? {} : { disk_limit_bytes: sandbox.quota.limitBytes }),
    ...(sandbox?.used === undefined ? {} : { disk_used_bytes: sandbox.used }),
    disk_statistics: parts.map(({ quota: { resources, limitBytes }, used }): DiskStatistics => {
      const { source, persistence } = resources[0]?.disk ?? {};
      return {
        ...(source === undefined ? {} : { source }),
        ...(persistence === undefined ? {} : { persistence }),
        limit_bytes: limitBytes,
        ...(used === undefined ? {} : { used_bytes: used }),
      };
    }),
  };
}
