// Volumes as mounts in a view of the file system that only the container has: what the volume isolators have in common.
import { pathComponents } from '@meseta/base';
import type { DirectoryBelow } from '../types.js';
import type { PlanPatch } from './isolator.js';

interface MountedVolume {
  /** Relative to the sandbox, or absolute: in the root file system of the container. */
  readonly containerPath: string;
  readonly place: DirectoryBelow;
  readonly isPersistent: boolean;
  readonly isReadOnly: boolean;
  /** The place exists outside of the containers: it is not made, and keeps its owner. */
  readonly mustExist?: boolean;
  /** Its path in the parent container, which may have something mounted there. */
  readonly inParent?: string | undefined;
}

/** The part of a plan that mounts volumes in the sandbox or elsewhere. */
export function mountVolumes(sandbox: string, volumes: readonly MountedVolume[]): PlanPatch {
  return {
    links: volumes.map(({ containerPath, place, isPersistent, mustExist }) => ({
      containerPath,
      place,
      isPersistent,
      as: mustExist === true ? 'mountOfExisting' : 'mount',
    })),
    linux: {
      namespaces: ['mount'],
      mounts: volumes.map(({ containerPath, place, isReadOnly, inParent }) => ({
        kind: 'bind',
        source: place,
        ...(inParent === undefined ? {} : { inParent }),
        target: `${containerPath.startsWith('/') ? '' : sandbox}/${pathComponents(containerPath).join('/')}`,
        isReadOnly,
      })),
    },
  };
}
