// Unpacks a compressed blob as a stream. The kind of compression is found in its first bytes, whatever the manifest says.
import { type Duplex, pipeline, Readable } from 'node:stream';
import * as zlib from 'node:zlib';
import { err, ok, type Result } from '@meseta/base';

type Bytes = AsyncIterable<Uint8Array>;

/** Larger parts mean fewer turns of the event loop. */
const PART_BYTES = 256 * 1024;
const MAGIC_BYTES = 6;

const MAGICS: readonly (readonly [hex: string, kind: 'gzip' | 'zstd' | 'bzip2' | 'xz'])[] = [
  ['1f8b', 'gzip'],
  ['28b52ffd', 'zstd'],
  ['425a68', 'bzip2'],
  ['fd377a585a00', 'xz'],
];

/** Node has it since 22.15 and 23.8. */
const { createZstdDecompress } = zlib as {
  readonly createZstdDecompress?: (options: object) => Duplex;
};

/** The first bytes, and everything with them. */
async function peek(bytes: Bytes): Promise<{ readonly first: Buffer; readonly all: Bytes }> {
  const iterator = bytes[Symbol.asyncIterator]();
  const parts: Uint8Array[] = [];
  let length = 0;
  while (length < MAGIC_BYTES) {
    const next = await iterator.next();
    if (next.done === true) break;
    parts.push(next.value);
    length += next.value.length;
  }
  async function* all(): AsyncGenerator<Uint8Array> {
    try {
      yield* parts;
      for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) yield next.value;
    } finally {
      await iterator.return?.();
    }
  }
  return { first: Buffer.concat(parts).subarray(0, MAGIC_BYTES), all: all() };
}

const through = (bytes: Bytes, unpack: Duplex): Bytes => {
  // The error reaches the reader of `unpack`.
  pipeline(Readable.from(bytes), unpack, () => {});
  return unpack;
};

/** The unpacked bytes; `isCompressed` tells whether they differ. Reading them throws if the data is damaged. */
export async function decompress(
  bytes: Bytes,
): Promise<Result<{ readonly bytes: Bytes; readonly isCompressed: boolean }, string>> {
  const { first, all } = await peek(bytes);
  const hex = first.toString('hex');
  const kind = MAGICS.find(([magic]) => hex.startsWith(magic))?.[1];
  switch (kind) {
    case undefined:
      return ok({ bytes: all, isCompressed: false });
    case 'gzip':
      return ok({ bytes: through(all, zlib.createGunzip({ chunkSize: PART_BYTES })), isCompressed: true });
    case 'zstd':
      if (createZstdDecompress === undefined) {
        return err('it is compressed with zstd, which needs Node.js 22.15 or newer on this agent');
      }
      return ok({ bytes: through(all, createZstdDecompress({ chunkSize: PART_BYTES })), isCompressed: true });
    default:
      return err(`it is compressed with ${kind}, which is not supported: expected gzip, zstd or nothing`);
  }
}
