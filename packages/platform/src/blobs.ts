// Reads parts of regular files as streams, for the helper process of images.
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';

const PART_BYTES = 256 * 1024;

/** Yields the bytes from `offset` on, to the end unless a size is given. Throws if that fails, or if it is no regular file. */
export async function* readBlob(
  path: string,
  offset: number,
  sizeBytes: number | undefined,
): AsyncGenerator<Uint8Array> {
  // A fifo would never open.
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    if (!(await file.stat()).isFile()) throw new Error(`${path}: expected a regular file`);
    let position = offset;
    const end = sizeBytes === undefined ? Number.POSITIVE_INFINITY : offset + sizeBytes;
    while (position < end) {
      const length = Math.min(PART_BYTES, end - position);
      const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(length), 0, length, position);
      if (bytesRead === 0) {
        if (sizeBytes === undefined) return;
        throw new Error(`${path}: shorter than expected`);
      }
      position += bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    await file.close();
  }
}
