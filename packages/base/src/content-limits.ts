// The limits on what containers bring: fetched files and images (limits.ts).
import type { Limit } from './limits.js';

export const CONTENT_LIMITS = {
  fetcherCacheFiles: {
    most: 10_000,
    unit: 'items',
    what: "The files in the cache of an agent's fetcher, whatever their sizes",
    beyond: 'the least recently used are removed; while all are in use, a URI is fetched without the cache',
    flags: ['--fetcher_cache_size'],
    source: 'Meseta',
  },
  imageName: {
    most: 255,
    unit: 'characters',
    what: 'The registry and the repository of an image, each',
    beyond: 'the launch fails with an error that names the field',
    source: 'Meseta',
  },
  imageManifest: {
    most: 4 * 2 ** 20,
    unit: 'bytes',
    what: "A manifest, an index or a configuration of an image, and any other JSON of a registry or an image's archive",
    beyond: 'the launch fails with an error that names the limit',
    source: 'Meseta',
  },
  imageLayers: {
    most: 127,
    unit: 'items',
    what: 'The layers of an image',
    beyond: 'the launch fails with an error that names the limit',
    source: 'Meseta',
  },
  imageEntries: {
    most: 1_000_000,
    unit: 'items',
    what: 'The files, directories and links of an image, in all its layers',
    beyond: 'the launch fails with an error that names the limit, and nothing of the layer is kept',
    source: 'Meseta',
  },
  imagePath: {
    most: 4095,
    unit: 'bytes',
    what: 'The path of a file in a layer of an image, and the target of a link',
    beyond: 'the launch fails with an error that names the limit, and nothing of the layer is kept',
    source: 'Meseta',
  },
  imagePathDepth: {
    most: 256,
    unit: 'levels',
    what: 'The directories in the path of a file in a layer of an image',
    beyond: 'the launch fails with an error that names the path, and nothing of the layer is kept',
    source: 'Meseta',
  },
  registryRedirects: {
    most: 5,
    unit: 'items',
    what: 'The redirects that one request to an image registry follows',
    beyond: 'the launch fails with an error that names the limit',
    source: 'Meseta',
  },
  waitingPulls: {
    most: 1000,
    unit: 'items',
    what: 'The containers that wait for images to be pulled',
    beyond: 'the launch fails with an error that names the limit',
    source: 'Meseta',
  },
} as const satisfies Record<string, Limit>;
