// Collects images automatically (`--image_gc_config`): when the disk of the store is fuller than the headroom allows, images
// that no container uses are removed (Mesos: docs/container-image.md, ImageGcConfig in flags.proto).
//
// Owns: the timer of the next collection, until it is ended.
import type { Clock, Files } from '@meseta/base';
import type { Image, ImageGcConfig } from '@meseta/wire';
import { diskFullness } from '../sandbox/sandbox.js';
import { canonicalName, parseReference } from './references.js';
import type { ImageStore } from './store.js';

/** The canonical names of images of a configuration or call; what is no image of Docker excludes nothing. */
export function excludedNames(images: readonly Image[]): ReadonlySet<string> {
  const references = images.map(({ docker }) => parseReference(docker?.name ?? ''));
  return new Set(references.flatMap((it) => (it.ok ? [canonicalName(it.value)] : [])));
}

/** Collects at the interval of the configuration. Returns a function that ends it. */
export function startCollection(
  store: Pick<ImageStore, 'prune'>,
  directory: string,
  config: ImageGcConfig,
  { files, clock }: { readonly files: Files; readonly clock: Pick<Clock, 'setTimer'> },
  onProblem: (problem: string) => void,
): () => void {
  const intervalMs = config.image_disk_watch_interval.nanoseconds / 1e6;
  const excluded = excludedNames(config.excluded_images ?? []);
  let isStopped = false;
  async function collect(): Promise<void> {
    const fullness = await diskFullness(files, directory);
    if (fullness.ok && fullness.value > 1 - config.image_disk_headroom) {
      const problem = await store.prune(excluded);
      if (problem !== undefined) onProblem(problem);
    }
    if (!isStopped) cancel = clock.setTimer(intervalMs, () => void collect());
  }
  let cancel = clock.setTimer(intervalMs, () => void collect());
  return () => {
    isStopped = true;
    cancel();
  };
}
