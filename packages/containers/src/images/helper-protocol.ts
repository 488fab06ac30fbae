// What an agent and the helper process of images send each other: one request as JSON on the helper's standard input, one
// answer as JSON on its standard output.
import type { LayerLimits } from './layer-writer.js';
import type { ImageDescription, ImagePlatform } from './manifests.js';
import type { ImageReference } from './references.js';
import type { UnpackedLayer } from './unpack.js';

/** A part of a file. */
export interface BlobSource {
  readonly path: string;
  readonly offset: number;
  /** undefined: to its end. */
  readonly sizeBytes: number | undefined;
}

export type HelperRequest =
  /** Unpacks layers into directories that exist and are empty. */
  | {
      readonly kind: 'unpack';
      readonly layers: readonly {
        readonly source: BlobSource;
        readonly target: string;
        readonly diffId: string | undefined;
      }[];
      readonly limits: LayerLimits;
    }
  /** Makes a root file system of unpacked layers, the lowest first. */
  | {
      readonly kind: 'copy';
      readonly layers: readonly string[];
      readonly target: string;
      readonly limits: LayerLimits;
      /** Whether files keep setuid bits and capabilities. */
      readonly keepsPrivileges: boolean;
    }
  /** Finds an image in an archive or a directory. `scratch`: an empty directory, for a compressed archive. */
  | {
      readonly kind: 'inspect';
      readonly path: string;
      readonly isDirectory: boolean;
      readonly reference: ImageReference;
      readonly platform: ImagePlatform;
      readonly scratch: string;
      readonly maxBytes: number;
    };

export interface ArchivedImage {
  readonly description: ImageDescription;
  /** The lowest first. */
  readonly layers: readonly BlobSource[];
}

export interface HelperResponses {
  readonly unpack: readonly UnpackedLayer[];
  readonly copy: null;
  readonly inspect: ArchivedImage;
}
