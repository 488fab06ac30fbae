// Persistent volumes: their directories, the changes that an operation makes to them, and which of them a container sees.
// Mesos: docs/persistent-volume.md, docs/multiple-disk.md; the layout is the same, so that a Mesos agent's data is found.
import type { DirectoryBelow, PersistentVolume } from '@meseta/containers/types';
import { isPersistentVolume, reservationRole, volumeDirectory } from '@meseta/resources';
import type { Resource } from '@meseta/wire';
import type { Context } from './context.js';

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
export const persistentVolumes = (workDir: string, resources: readonly Resource[]): readonly PersistentVolume[] =>
  resources.flatMap((resource) => {
    const containerPath = resource.disk?.volume?.container_path;
    if (!isPersistentVolume(resource) || containerPath === undefined) return [];
    return [{ containerPath, place: placeOf(workDir, resource) }];
  });
