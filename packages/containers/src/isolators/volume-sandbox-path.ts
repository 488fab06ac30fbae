// volume/sandbox_path: shows a path of the container's own or of its parent's sandbox at another path of its sandbox (Mesos:
// docs/container-volume.md, SANDBOX_PATH).
//
// A path within a persistent volume is linked to that volume, because the sandbox only has a link to it, or none where the
// parent is the executor of a pod. A volume with an invalid path has no link; `plan/supported.ts` refuses its launch.
import { checkPathBelow, ok, type Result } from '@meseta/base';
import type { ContainerSpec } from '../types.js';
import type { Isolator, PlanPatch, VolumeLink } from './isolator.js';

export const volumeSandboxPath: Isolator = {
  name: 'volume/sandbox_path',
  provides: 'sandboxPathVolumes',
  supports: () => ok(undefined),
  plan: planVolumes,
};

export function planVolumes(spec: ContainerSpec): Result<PlanPatch, string> {
  return ok({ links: linksOf(spec) });
}

const linksOf = ({ sandbox, volumes: own, outer, container }: ContainerSpec): readonly VolumeLink[] =>
  (container?.volumes ?? []).flatMap(({ container_path, source }) => {
    const { type, path = '' } = source?.sandbox_path ?? {};
    const base = type === 'SELF' ? sandbox : type === 'PARENT' ? outer?.sandbox : undefined;
    if (base === undefined || checkPathBelow('path', path) !== undefined) return [];
    const volumes = type === 'PARENT' ? (outer?.volumes ?? []) : own;
    const within = volumes.find(({ containerPath }) => isWithin(containerPath, path));
    const place =
      within === undefined
        ? { root: base, names: namesOf(path) }
        : {
            root: within.place.root,
            names: [...within.place.names, ...namesOf(path.slice(within.containerPath.length))],
          };
    return [{ containerPath: container_path, place, isPersistent: false }];
  });

const namesOf = (path: string): readonly string[] => path.split('/').filter((name) => name !== '' && name !== '.');

const isWithin = (directory: string, path: string): boolean => path === directory || path.startsWith(`${directory}/`);
