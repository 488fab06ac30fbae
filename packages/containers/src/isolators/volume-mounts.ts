import type { DirectoryBelow } from '../types.js';
import type { PlanPatch } from './isolator.js';

interface MountedVolume {
  /** Relative to the sandbox. */
  readonly containerPath: string;
  readonly place: DirectoryBelow;
  readonly isPersistent: boolean;
  readonly isReadOnly: boolean;
  /** It belongs to the machine: it is not made, and keeps its owner. */
  readonly isHosts?: boolean;
}

/** Shows volumes as mounts in the sandbox, in a view of the file system that only the container has. */
export function mountVolumes(sandbox: string, volumes: readonly MountedVolume[]): PlanPatch {
  return {
    links: volumes.map(({ containerPath, place, isPersistent, isHosts }) => ({
      containerPath,
      place,
      isPersistent,
      as: isHosts === true ? 'mountOfHost' : 'mount',
    })),
    linux: {
      namespaces: ['mount'],
      mounts: volumes.map(({ containerPath, place, isReadOnly }) => ({
        kind: 'bind',
        source: place,
        target: `${sandbox}/${namesOf(containerPath).join('/')}`,
        isReadOnly,
      })),
    },
  };
}

export const namesOf = (path: string): readonly string[] =>
  path.split('/').filter((name) => name !== '' && name !== '.');
