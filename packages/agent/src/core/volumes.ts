// Persistent volumes: their directories, the changes that an operation makes to them, and their links in sandboxes.
// Mesos: docs/persistent-volume.md, docs/multiple-disk.md; the layout is the same, so that a Mesos agent's data is found.
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
  // A relative root is below work_dir.
  const base = root.startsWith('/') ? root : `${workDir}/${root}`;
  const directory = volumeDirectory(reservationRole(volume) ?? '*');
  return { root: base, names: ['volumes', 'roles', directory, persistence?.id ?? ''] };
}

/** Makes the directories of new volumes and deletes those of removed ones. */
export function changeVolumes(ctx: Context, before: readonly Resource[], after: readonly Resource[]): void {
  const placesBefore = placesOf(ctx, before);
  const placesAfter = placesOf(ctx, after);
  for (const [path, change] of placesAfter)
    if (!placesBefore.has(path)) ctx.effects.push({ kind: 'volume', ...change, remove: false });
  for (const [path, change] of placesBefore)
    if (!placesAfter.has(path)) ctx.effects.push({ kind: 'volume', ...change, remove: true });
}

interface PlacedVolume {
  readonly place: DirectoryBelow;
  readonly isShared: boolean;
}

const placesOf = (ctx: Context, list: readonly Resource[]): ReadonlyMap<string, PlacedVolume> =>
  new Map(
    list.filter(isPersistentVolume).map((volume) => {
      const place = placeOf(ctx.state.options.workDir, volume);
      return [[place.root, ...place.names].join('/'), { place, isShared: volume.shared !== undefined }];
    }),
  );

/** The persistent volumes among a container's resources, with their paths in its sandbox. */
export const volumeLinks = (workDir: string, resources: readonly Resource[]): readonly VolumeLink[] =>
  resources.flatMap((resource) => {
    const containerPath = resource.disk?.volume?.container_path;
    if (!isPersistentVolume(resource) || containerPath === undefined) return [];
    return [{ containerPath, place: placeOf(workDir, resource), isPersistent: true }];
  });

/**
 * The links of SANDBOX_PATH volumes, which show a path of the container's own or of its parent's sandbox; a volume with an
 * invalid path has none, and its launch fails. A path within a persistent volume, of the container or of `parentVolumes`, is
 * linked to that volume, because the sandbox only has a link to it, or none where the parent is the executor of a pod.
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
