// Collects a body that arrives in pieces. Small pieces are copied into larger buffers, so that a body sent byte by byte takes
// no more memory than one sent at once: a Buffer costs a hundred bytes and keeps alive the whole read that it is part of.
import { LIMITS } from '@meseta/base';

export interface BodyParts {
  /** A large piece is kept without a copy. */
  add(piece: Buffer): void;
  readonly bytes: number;
  /** Whether the body arrives in more small pieces than any client needs. */
  readonly isFragmented: boolean;
  /** Returns the body and releases it. */
  take(): Buffer;
}

export const NO_BYTES: Buffer = Buffer.alloc(0);

/** Shorter pieces are copied. */
const SMALL_BYTES = 16_384;
/** The average length below which the number of pieces is limited. */
const FRAGMENT_BYTES = 1024;

export function createBodyParts(): BodyParts {
  let parts: Buffer[] = [];
  let bytes = 0;
  let pieces = 0;
  /** The current buffer for small pieces, filled up to `used`. */
  let slab: Buffer | undefined;
  let used = 0;
  const closeSlab = (): void => {
    if (slab !== undefined) parts.push(slab.subarray(0, used));
    slab = undefined;
    used = 0;
  };
  return {
    add(piece) {
      pieces++;
      bytes += piece.length;
      if (piece.length >= SMALL_BYTES || (bytes === piece.length && parts.length === 0)) {
        closeSlab();
        parts.push(piece);
        return;
      }
      if (slab === undefined || used + piece.length > slab.length) {
        closeSlab();
        // Doubles with the body: few bytes take little memory, and many are copied rarely.
        slab = Buffer.allocUnsafeSlow(Math.min(Math.max(2 * bytes, 1024), 64 * 1024));
      }
      used += piece.copy(slab, used);
    },
    get bytes() {
      return bytes;
    },
    get isFragmented() {
      return pieces > LIMITS.bodyChunks.most && bytes < pieces * FRAGMENT_BYTES;
    },
    take() {
      closeSlab();
      const [only] = parts;
      const body = parts.length === 1 && only !== undefined ? only : Buffer.concat(parts, bytes);
      parts = [];
      bytes = 0;
      pieces = 0;
      return body;
    },
  };
}
