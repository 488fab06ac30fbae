// The helper process of images: unpacks and copies layers, and reads local archives. It runs apart from the agent because its
// input is hostile and its work long: it may fail, use its memory up or be killed, and the agent goes on.
import { err, ok, type Result, type SystemResult, type TreeDirectory } from '@meseta/base';
import { directoryMembers, findImage, type Members } from './archive.js';
import { decompress } from './compression.js';
import { copyLayers } from './copy-layers.js';
import type { ArchivedImage, BlobSource, HelperRequest, HelperResponses } from './helper-protocol.js';
import { tarMembers } from './tar-members.js';
import { type UnpackedLayer, unpackLayer } from './unpack.js';

export interface HelperPorts {
  openTree(path: string): SystemResult<TreeDirectory>;
  /** The content of a part of a regular file; reading it throws if that fails. */
  readBlob(path: string, offset: number, sizeBytes: number | undefined): AsyncIterable<Uint8Array>;
  /** Writes to the disk what a directory's file system has in memory. */
  sync(directory: TreeDirectory): void;
}

type Request<Kind extends HelperRequest['kind']> = Extract<HelperRequest, { kind: Kind }>;

const PLAIN_ARCHIVE = 'archive.tar';

const reader =
  ({ readBlob }: HelperPorts): Members['read'] =>
  ({ path, offset, sizeBytes }: BlobSource) =>
    readBlob(path, offset, sizeBytes);

async function withTree<T>(
  ports: HelperPorts,
  path: string,
  use: (tree: TreeDirectory) => Promise<Result<T, string>>,
): Promise<Result<T, string>> {
  const tree = ports.openTree(path);
  if (!tree.ok) return err(tree.error.message);
  try {
    return await use(tree.value);
  } finally {
    tree.value.close();
  }
}

async function unpackAll(
  ports: HelperPorts,
  { layers, limits }: Request<'unpack'>,
): Promise<Result<readonly UnpackedLayer[], string>> {
  const done: UnpackedLayer[] = [];
  let { maxBytes, maxEntries } = limits;
  for (const [at, { source, target, diffId }] of layers.entries()) {
    const unpacked = await withTree(ports, target, async (tree) => {
      const result = await unpackLayer(reader(ports)(source), tree, { maxBytes, maxEntries }, diffId);
      if (result.ok && at === layers.length - 1) ports.sync(tree);
      return result;
    });
    if (!unpacked.ok) return err(`layer ${at + 1} of ${layers.length}: ${unpacked.error}`);
    maxBytes -= unpacked.value.bytes;
    maxEntries -= unpacked.value.entries;
    done.push(unpacked.value);
  }
  return ok(done);
}

async function copy(
  ports: HelperPorts,
  { layers, target, limits, keepsPrivileges }: Request<'copy'>,
): Promise<Result<null, string>> {
  return withTree(ports, target, async (root) => {
    const trees: TreeDirectory[] = [];
    let problem: string | undefined;
    for (const layer of layers) {
      const tree = ports.openTree(layer);
      if (tree.ok) trees.push(tree.value);
      else problem ??= tree.error.message;
    }
    problem ??= copyLayers(trees, root, limits, keepsPrivileges);
    for (const tree of trees) tree.close();
    return problem === undefined ? ok(null) : err(problem);
  });
}

/** The path of the archive without its compression. */
async function plainArchive(
  ports: HelperPorts,
  { path, scratch, maxBytes }: Request<'inspect'>,
): Promise<Result<string, string>> {
  const unpacked = await decompress(ports.readBlob(path, 0, undefined));
  if (!unpacked.ok) return unpacked;
  if (!unpacked.value.isCompressed) {
    // Closes the file.
    for await (const _ of unpacked.value.bytes) break;
    return ok(path);
  }
  return withTree(ports, scratch, async (tree) => {
    const file = tree.makeFile(PLAIN_ARCHIVE);
    if (!file.ok) return err(file.error.message);
    try {
      let bytes = 0;
      for await (const part of unpacked.value.bytes) {
        bytes += part.length;
        if (bytes > maxBytes)
          return err(`more than ${maxBytes} bytes, the limit for an image (--docker_max_image_size)`);
        const written = file.value.write(part);
        if (!written.ok) return err(written.error.message);
      }
      return ok(`${scratch}/${PLAIN_ARCHIVE}`);
    } finally {
      file.value.close();
    }
  });
}

async function inspect(ports: HelperPorts, request: Request<'inspect'>): Promise<Result<ArchivedImage, string>> {
  const { path, isDirectory, reference, platform } = request;
  const read = reader(ports);
  if (isDirectory) return findImage(directoryMembers(path, read), reference, platform);
  const plain = await plainArchive(ports, request);
  const members = plain.ok ? await tarMembers(plain.value, read) : plain;
  return members.ok ? findImage(members.value, reference, platform) : members;
}

/** Carries out one request of an agent. */
export async function handleHelperRequest(
  ports: HelperPorts,
  request: HelperRequest,
): Promise<Result<HelperResponses[HelperRequest['kind']], string>> {
  try {
    switch (request.kind) {
      case 'unpack':
        return await unpackAll(ports, request);
      case 'copy':
        return await copy(ports, request);
      case 'inspect':
        return await inspect(ports, request);
    }
  } catch (error) {
    return err(error instanceof Error ? error.message : String(error));
  }
}
