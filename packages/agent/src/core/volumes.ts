// Persistent volumes: where their data lies, which directories an operation makes or deletes, what a task sees of them.
// Mesos: docs/persistent-volume.md, docs/multiple-disk.md (its layout, so that data of a Mesos agent is found).
import { checkPathBelow } from '@meseta/base';
import type { ContainerSpec } from '@meseta/containers/types';
import { isPersistentVolume, reservationRole, volumeDirectory } from '@meseta/resources';
import type { Resource } from '@meseta/wire';
import type { Context } from './context.js';
import type { DirectoryBelow, VolumeLink } from './io.js';

function placeOf(workDir: string, volume: Resource): DirectoryBelow {
  const { source, persistence } = volume.disk ?? {};
  if (source?.type === 'MOUNT' && source.mount?.root !== undefined) return { root: source.mount.root, names: [] };
  const root = source?.type === 'PATH' ? (source.path?.root ?? workDir) : workDir;
  // A relative root counts from work_dir.
  const base = root.startsWith('/') ? root : `${workDir}/${root}`;
  const directory = volumeDirectory(reservationRole(volume) ?? '*');
  return { root: base, names: ['volumes', 'roles', directory, persistence?.id ?? ''] };
}

/** Makes the directories of volumes that are new, and deletes those of volumes that are gone. */
export function changeVolumes(ctx: Context, before: readonly Resource[], after: readonly Resource[]): void {
  const was = placesOf(ctx, before);
  const is = placesOf(ctx, after);
  for (const [path, change] of is) if (!was.has(path)) ctx.effects.push({ kind: 'volume', ...change, remove: false });
  for (const [path, change] of was) if (!is.has(path)) ctx.effects.push({ kind: 'volume', ...change, remove: true });
}

interface PlacedVolume {
  readonly place: DirectoryBelow;
  readonly isShared: boolean;
}

const placesOf = (ctx: Context, list: readonly Resource[]): ReadonlyMap<string, PlacedVolume> =>
  new Map(
    list.filter(isPersistentVolume).map((volume) => {
      const place = placeOf(ctx.state.config.workDir, volume);
      return [[place.root, ...place.names].join('/'), { place, isShared: volume.shared !== undefined }];
    }),
  );

/** The volumes among a container's resources, and where in its sandbox they are to be seen. */
export const volumeLinks = (workDir: string, resources: readonly Resource[]): readonly VolumeLink[] =>
  resources.flatMap((resource) => {
    const containerPath = resource.disk?.volume?.container_path;
    if (!isPersistentVolume(resource) || containerPath === undefined) return [];
    return [{ containerPath, place: placeOf(workDir, resource), isPersistent: true }];
  });

/**
 * The SANDBOX_PATH volumes of a container, which show a part of its own sandbox or of its parent's elsewhere in it. Others
 * fail the launch. What lies in a persistent volume, the container's own or one of `parentVolumes`, is shown from there: in
 * the sandbox only a link leads to it, or nothing where the parent is a pod's executor.
 */
export const sandboxLinks = (
  { sandbox, outer, container }: ContainerSpec,
  ownVolumes: readonly VolumeLink[],
  parentVolumes: readonly VolumeLink[],
): readonly VolumeLink[] =>
  (container?.volumes ?? []).flatMap(({ container_path, source }) => {
    const { type, path = '' } = source?.sandbox_path ?? {};
    const base = type === 'SELF' ? sandbox : type === 'PARENT' ? outer?.sandbox : undefined;
    if (base === undefined || checkPathBelow('path', path) !== undefined) return [];
    const volumes = type === 'PARENT' ? parentVolumes : ownVolumes;
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
