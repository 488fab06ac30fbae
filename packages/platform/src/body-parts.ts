// The parts of a body that comes in pieces. A body sent byte by byte holds as many bytes as one sent at once: small
// pieces are copied behind each other, as a Buffer of its own costs each a hundred bytes and keeps the whole read that it
// came in.
import { LIMITS } from '@meseta/base';

export interface BodyParts {
  /** The piece may be kept if it is large. */
  add(piece: Buffer): void;
  readonly bytes: number;
  /** Whether the body comes in more pieces than any client needs. */
  readonly isCrumbled: boolean;
  /** The whole body; nothing is held then. */
  take(): Buffer;
}

/** Shorter pieces are copied. */
const SMALL_BYTES = 16_384;
/** The average length below which the number of pieces is limited. */
const CRUMB_BYTES = 1024;

export function createBodyParts(): BodyParts {
  let parts: Buffer[] = [];
  let bytes = 0;
  let pieces = 0;
  /** The last part, where there is room behind its `used` bytes. */
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
        // As long as what is there already, so that few bytes take little and many are copied seldom.
        slab = Buffer.allocUnsafeSlow(Math.min(Math.max(2 * bytes, 1024), 64 * 1024));
      }
      used += piece.copy(slab, used);
    },
    get bytes() {
      return bytes;
    },
    get isCrumbled() {
      return pieces > LIMITS.bodyChunks.most && bytes < pieces * CRUMB_BYTES;
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
