// Unpacks the layer of an image into an empty directory, in the form that overlayfs takes as a lower directory, and verifies
// its digest. Runs in the helper process.
//
// UNPACK-1: the digest is that of all unpacked bytes, also of those behind the end of the archive.
// UNPACK-2: all unpacked bytes are counted, also those that no file gets: a small layer can't occupy the helper for ever.
// UNPACK-3: the time for a layer grows with its size, and not with its square, whatever replaces what in it.
import { createHash } from 'node:crypto';
import { err, ok, type Result, type TreeDirectory } from '@meseta/base';
import { decompress } from './compression.js';
import { componentsOf, createLayerWriter, type LayerLimits, type LayerWriter } from './layer-writer.js';
import { createTarReader, type TarEntry } from './tar-reader.js';

export interface UnpackedLayer {
  /** `sha256:` and the digest of the unpacked archive. */
  readonly diffId: string;
  readonly bytes: number;
  readonly entries: number;
}

const WHITEOUT = '.wh.';
const OPAQUE = '.wh..wh..opq';
/** The prefix of other files of aufs, which are no part of the content. */
const AUFS = '.wh..wh.';

/** Carries out a whiteout (OCI image specification: layer.md, "Whiteouts"). */
function writeWhiteout(writer: LayerWriter, components: readonly string[], name: string): string | undefined {
  const around = components.slice(0, -1);
  if (name === OPAQUE) return writer.opaque(around.join('/'));
  if (name.startsWith(AUFS)) return undefined;
  const removed = name.slice(WHITEOUT.length);
  if (removed === '' || removed === '.' || removed === '..') return `${JSON.stringify(name)}: a whiteout of no name`;
  return writer.whiteout([...around, removed].join('/'));
}

function writeEntry(writer: LayerWriter, entry: TarEntry): string | undefined {
  const components = componentsOf(entry.name);
  if (!components.ok) return components.error;
  const name = components.value.at(-1) ?? '';
  if (name.startsWith(WHITEOUT) && entry.kind !== 'directory') return writeWhiteout(writer, components.value, name);
  const path = components.value.join('/');
  switch (entry.kind) {
    case 'directory':
      return writer.directory(path, entry);
    case 'file':
      return writer.file(path, entry.sizeBytes, entry);
    case 'symlink':
      return entry.target === ''
        ? `${JSON.stringify(name)}: a symbolic link to nothing`
        : writer.symlink(path, entry.target, entry);
    case 'hardLink':
      return writer.hardLink(path, entry.target);
    case 'fifo':
      return writer.fifo(path, entry);
    case 'device':
      return undefined;
  }
}

/** Unpacks one layer. `bytes` are those of its blob. `expected`: the digest that it must have. */
export async function unpackLayer(
  blob: AsyncIterable<Uint8Array>,
  root: TreeDirectory,
  limits: LayerLimits,
  expected: string | undefined,
): Promise<Result<UnpackedLayer, string>> {
  const unpacked = await decompress(blob);
  if (!unpacked.ok) return unpacked;
  const writer = createLayerWriter(root, 'layer', limits);
  try {
    return await unpackWith(writer, unpacked.value.bytes, limits, expected);
  } catch (error) {
    return err(`its data is damaged: ${error instanceof Error ? error.message : String(error)}`);
  } finally {
    writer.close();
  }
}

async function unpackWith(
  writer: LayerWriter,
  bytes: AsyncIterable<Uint8Array>,
  limits: LayerLimits,
  expected: string | undefined,
): Promise<Result<UnpackedLayer, string>> {
  const reader = createTarReader({
    entry: (entry) => writeEntry(writer, entry),
    content: writer.content,
    endOfFile: writer.endOfFile,
  });
  const hash = createHash('sha256');
  let read = 0;
  for await (const part of bytes) {
    read += part.length;
    // UNPACK-2.
    if (read > limits.maxBytes)
      return err(`more than ${limits.maxBytes} bytes, the limit for an image (--docker_max_image_size)`);
    hash.update(part);
    const problem = reader.push(part);
    if (problem !== undefined) return err(problem);
  }
  const problem = reader.end() ?? writer.finish();
  if (problem !== undefined) return err(problem);
  const diffId = `sha256:${hash.digest('hex')}`;
  if (expected !== undefined && diffId !== expected) {
    return err(`its unpacked content has the digest ${diffId}, expected ${expected}`);
  }
  return ok({ diffId, ...writer.written() });
}
