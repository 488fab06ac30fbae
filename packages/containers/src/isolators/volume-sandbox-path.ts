// volume/sandbox_path: shows a path of the container's own or of its parent's sandbox at another path of its sandbox (Mesos:
// docs/container-volume.md, SANDBOX_PATH).
//
// A path within a persistent volume is linked to that volume, because the sandbox only has a link to it, or none where the
// parent is the executor of a pod. Other paths of a parent lead through what is mounted in the parent's sandbox. A volume with an
// invalid path has no link; `plan/supported.ts` refuses its launch.
import { checkPathBelow, ok, pathComponents, type Result } from '@meseta/base';
import type { ContainerSpec } from '../types.js';
import type { Isolator, PlanPatch } from './isolator.js';
import { mountVolumes } from './volume-mounts.js';

/** `areMounts`: volumes are mounts in the sandbox, which may be read-only; else they are links. */
export const createVolumeSandboxPath = (areMounts: boolean): Isolator => ({
  name: 'volume/sandbox_path',
  isForPods: true,
  provides: 'sandboxPathVolumes',
  supports: () => ok(undefined),
  plan: (spec) => (areMounts ? planMounts(spec) : planLinks(spec)),
});

/** Volumes as links in the sandbox. */
export function planLinks(spec: ContainerSpec): Result<PlanPatch, string> {
  return ok({
    links: sandboxVolumes(spec).map(({ containerPath, place }) => ({ containerPath, place, isPersistent: false })),
  });
}

/** Volumes as mounts in the sandbox. */
function planMounts(spec: ContainerSpec): Result<PlanPatch, string> {
  const volumes = sandboxVolumes(spec);
  return ok(volumes.length === 0 ? {} : mountVolumes(spec.sandbox, volumes));
}

/** The volumes of the type SANDBOX_PATH, with the places that they show. */
const sandboxVolumes = ({ sandbox, volumes: own, outer, container }: ContainerSpec) =>
  (container?.volumes ?? []).flatMap(({ container_path, source, mode }) => {
    const { type, path = '' } = source?.sandbox_path ?? {};
    const base = type === 'SELF' ? sandbox : type === 'PARENT' ? outer?.sandbox : undefined;
    if (base === undefined || checkPathBelow('path', path) !== undefined) return [];
    const volumes = type === 'PARENT' ? (outer?.volumes ?? []) : own;
    const within = volumes.find(({ containerPath }) => isWithin(containerPath, path));
    const place =
      within === undefined
        ? { root: base, names: pathComponents(path) }
        : {
            root: within.place.root,
            names: [...within.place.names, ...pathComponents(path.slice(within.containerPath.length))],
          };
    const inParent = type === 'PARENT' && within === undefined ? [base, ...pathComponents(path)].join('/') : undefined;
    return [{ containerPath: container_path, place, isPersistent: false, isReadOnly: mode === 'RO', inParent }];
  });

const isWithin = (directory: string, path: string): boolean => path === directory || path.startsWith(`${directory}/`);
