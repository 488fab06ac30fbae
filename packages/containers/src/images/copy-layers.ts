// Makes a root file system by copying layers, the lowest first, where overlayfs is not to be used. Runs in the helper process.
//
// COPY-1: files that are one in a layer are one in the copy.
// COPY-2: a whiteout removes what the layers below have made, and is itself not copied.
// COPY-3: without privileges, no file has setuid or setgid bits, or capabilities.
import { ok, type SystemResult, type TreeAttributes, type TreeDirectory, type TreeEntry } from '@meseta/base';
import { createLayerWriter, type LayerLimits, type LayerWriter } from './layer-writer.js';

const OPAQUE = 'trusted.overlay.opaque';

interface Level {
  readonly directory: TreeDirectory;
  readonly path: string;
  readonly names: string[];
}

const within = (path: string, name: string): string => (path === '' ? name : `${path}/${name}`);

function openLevel(directory: TreeDirectory, path: string): SystemResult<Level> {
  const names = directory.names();
  return names.ok ? ok({ directory, path, names: [...names.value] }) : names;
}

/** Starts a directory of a layer. Returns why that failed. */
function copyDirectory(writer: LayerWriter, { directory, path }: Level): string | undefined {
  const attributes = directory.attributes();
  if (!attributes.ok) return attributes.error.message;
  const problem = writer.directory(path, attributes.value);
  if (problem !== undefined || !attributes.value.extended.has(OPAQUE)) return problem;
  return writer.opaque(path);
}

interface Copy {
  readonly writer: LayerWriter;
  readonly keepsPrivileges: boolean;
  /** By identity: the path of a file with several names. */
  readonly copied: Map<string, string>;
}

const SET_IDS = 0o6000;

/** COPY-3. */
function attributesOf({ attributes, kind }: TreeEntry, { keepsPrivileges }: Copy): TreeAttributes {
  if (keepsPrivileges || kind !== 'file') return attributes;
  const extended = new Map([...attributes.extended].filter(([name]) => name !== 'security.capability'));
  return { ...attributes, mode: attributes.mode & ~SET_IDS, extended };
}

function copyEntry(copy: Copy, { directory, path: around }: Level, name: string, entry: TreeEntry): string | undefined {
  const { writer, copied } = copy;
  const path = within(around, name);
  if (entry.kind === 'whiteout') return writer.whiteout(path);
  if (entry.links > 1) {
    const other = copied.get(entry.identity);
    if (other !== undefined) return writer.hardLink(path, other);
    copied.set(entry.identity, path);
  }
  switch (entry.kind) {
    case 'file':
      return writer.copy(path, directory, name, entry.sizeBytes, attributesOf(entry, copy));
    case 'symlink': {
      const target = directory.targetOf(name);
      return target.ok ? writer.symlink(path, target.value, entry.attributes) : target.error.message;
    }
    case 'fifo':
      return writer.fifo(path, entry.attributes);
    default:
      return undefined;
  }
}

function copyLayer(writer: LayerWriter, layer: TreeDirectory, keepsPrivileges: boolean): string | undefined {
  const first = openLevel(layer, '');
  if (!first.ok) return first.error.message;
  const copy: Copy = { writer, keepsPrivileges, copied: new Map() };
  const levels: Level[] = [first.value];
  let problem = copyDirectory(writer, first.value);
  for (let level = levels.at(-1); level !== undefined && problem === undefined; level = levels.at(-1)) {
    const name = level.names.pop();
    if (name === undefined) {
      levels.pop();
      if (level.directory !== layer) level.directory.close();
      continue;
    }
    const entry = level.directory.entryOf(name);
    if (!entry.ok) problem = entry.error.message;
    else if (entry.value.kind !== 'directory') problem = copyEntry(copy, level, name, entry.value);
    else {
      const directory = level.directory.openDirectory(name);
      const next = directory.ok ? openLevel(directory.value, within(level.path, name)) : directory;
      if (!next.ok) problem = next.error.message;
      else {
        levels.push(next.value);
        problem = copyDirectory(writer, next.value);
      }
    }
  }
  for (const { directory } of levels) if (directory !== layer) directory.close();
  return problem;
}

/** Copies the layers into an empty directory. Returns why that failed. */
export function copyLayers(
  layers: readonly TreeDirectory[],
  root: TreeDirectory,
  limits: LayerLimits,
  keepsPrivileges: boolean,
): string | undefined {
  const writer = createLayerWriter(root, 'root', limits);
  let problem: string | undefined;
  for (const layer of layers) problem ??= copyLayer(writer, layer, keepsPrivileges);
  problem ??= writer.finish();
  writer.close();
  return problem;
}
