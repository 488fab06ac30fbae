// Writes the entries of layers into a directory, whatever their names and types (OCI image specification: layer.md).
//
// Owns: the open directories of the path of the last entry; owner, mode and time of directories until the end.
// Boundary: runs in a helper process; the directory is one that nobody else changes.
// LAYER-1: nothing outside the directory is made, changed or linked to: a name with `..` is refused, an absolute one is below
//   the directory, and no component of a path, nor of a hard link's target, may be a link.
// LAYER-2: entries and bytes are counted and limited before they are written.
// LAYER-3: of the kind `layer`, whiteouts are kept for overlayfs, and nothing in an archive can make another one; of the kind
//   `root`, they are applied to what is there.
// LAYER-4: no device is made: containers get theirs from the runtime. Of the extended attributes only capabilities and the
//   user's own are set.
import {
  err,
  LIMITS,
  ok,
  pathComponents,
  type Result,
  type SystemResult,
  type TreeAttributes,
  type TreeDirectory,
  type TreeFile,
} from '@meseta/base';
import { removeEntry } from './tree-removal.js';

export interface LayerLimits {
  readonly maxBytes: number;
  readonly maxEntries: number;
}

export interface LayerWriter {
  directory(path: string, attributes: TreeAttributes): string | undefined;
  /** Opens a new file; `content` and `endOfFile` follow. */
  file(path: string, sizeBytes: number, attributes: TreeAttributes): string | undefined;
  content(part: Uint8Array): string | undefined;
  endOfFile(): string | undefined;
  symlink(path: string, target: string, attributes: TreeAttributes): string | undefined;
  hardLink(path: string, target: string): string | undefined;
  fifo(path: string, attributes: TreeAttributes): string | undefined;
  /** Copies a regular file of another tree. */
  copy(path: string, from: TreeDirectory, name: string, sizeBytes: number, to: TreeAttributes): string | undefined;
  /** Removes a path of the layers below. */
  whiteout(path: string): string | undefined;
  /** Removes what the layers below have in a directory. */
  opaque(path: string): string | undefined;
  /** Sets the attributes of the directories. */
  finish(): string | undefined;
  written(): { readonly bytes: number; readonly entries: number };
  close(): void;
}

type Kind = 'layer' | 'root';

interface Writer {
  readonly root: TreeDirectory;
  readonly kind: Kind;
  readonly limits: LayerLimits;
  /** The open directories of a path, each with its name, the outermost first; the root is not among them. */
  open: { readonly name: string; readonly directory: TreeDirectory }[];
  /** By path. */
  readonly directories: Map<string, TreeAttributes>;
  file: { readonly file: TreeFile; readonly path: string; readonly attributes: TreeAttributes } | undefined;
  bytes: number;
  entries: number;
}

/** An entry takes at least so many bytes on the disk. */
const ENTRY_BYTES = 512;
const OPAQUE = 'trusted.overlay.opaque';
const YES = new Uint8Array([0x79]);
const ROOT_OWNED: TreeAttributes = {
  uid: 0,
  gid: 0,
  mode: 0o755,
  modifiedSeconds: 0,
  modifiedNanoseconds: 0,
  extended: new Map(),
};

const shown = (path: string): string => JSON.stringify(path.length > 200 ? `${path.slice(0, 200)}...` : path);

/** The components of a path below the directory (LAYER-1). */
export function componentsOf(path: string): Result<readonly string[], string> {
  const parts = pathComponents(path);
  if (parts.includes('..')) return err(`${shown(path)}: leads out of the layer with ".."`);
  const { most } = LIMITS.imagePathDepth;
  return parts.length > most
    ? err(`${shown(path)}: expected at most ${most} levels of directories, got ${parts.length}`)
    : ok(parts);
}

const withAllowed = (attributes: TreeAttributes): TreeAttributes => {
  if (attributes.extended.size === 0) return attributes;
  const isAllowed = (name: string): boolean =>
    name === 'security.capability' || (name.startsWith('user.') && !name.startsWith('user.overlay.'));
  return { ...attributes, extended: new Map([...attributes.extended].filter(([name]) => isAllowed(name))) };
};

/** LAYER-2. */
function count(writer: Writer, bytes: number, entries: number): string | undefined {
  writer.bytes += bytes + entries * ENTRY_BYTES;
  writer.entries += entries;
  const { maxBytes, maxEntries } = writer.limits;
  if (writer.entries > maxEntries) return `more than ${maxEntries} entries, the limit for an image`;
  return writer.bytes > maxBytes
    ? `more than ${maxBytes} bytes, the limit for an image (--docker_max_image_size)`
    : undefined;
}

function closeBeyond(writer: Writer, depth: number): void {
  for (const { directory } of writer.open.splice(depth)) directory.close();
}

/** Opens a directory of `parent`, or makes it, with attributes that an entry of its own may replace. */
function openOrMake(
  writer: Writer,
  parent: TreeDirectory,
  name: string,
  path: string,
  isMade: boolean,
): Result<TreeDirectory, string> {
  const opened = parent.openDirectory(name);
  if (opened.ok) return opened;
  const found = parent.entryOf(name);
  if (!found.ok && found.error.code !== 'ENOENT') return err(`${shown(path)}: ${found.error.message}`);
  const kind = found.ok ? found.value.kind : undefined;
  if (kind !== undefined && !(kind === 'whiteout' && isMade)) {
    const what = kind === 'symlink' ? 'a symbolic link, which is not followed' : 'no directory';
    return err(`${shown(path)}: ${shown(name)} in it is ${what}`);
  }
  if (!isMade) return err(`${shown(path)}: not in the layer`);
  const over = count(writer, 0, 1);
  if (over !== undefined) return err(over);
  return makeDirectory(writer, parent, name, kind === 'whiteout');
}

function makeDirectory(
  writer: Writer,
  parent: TreeDirectory,
  name: string,
  hidesLower: boolean,
): Result<TreeDirectory, string> {
  if (hidesLower) parent.removeFile(name);
  const made = parent.makeDirectory(name);
  const opened = made.ok ? parent.openDirectory(name) : made;
  if (!opened.ok) return err(opened.error.message);
  const set = opened.value.setAttributes(ROOT_OWNED);
  const marked = set.ok && hidesLower && writer.kind === 'layer' ? opened.value.setExtended(OPAQUE, YES) : set;
  if (marked.ok) return opened;
  opened.value.close();
  return err(marked.error.message);
}

/** The open directory of these components. It stays open until another path is entered. */
function enter(
  writer: Writer,
  components: readonly string[],
  path: string,
  isMade: boolean,
): Result<TreeDirectory, string> {
  let depth = 0;
  while (depth < components.length && writer.open[depth]?.name === components[depth]) depth++;
  closeBeyond(writer, depth);
  for (const name of components.slice(depth)) {
    const parent = writer.open.at(-1)?.directory ?? writer.root;
    const opened = openOrMake(writer, parent, name, path, isMade);
    if (!opened.ok) return opened;
    writer.open.push({ name, directory: opened.value });
  }
  return ok(writer.open.at(-1)?.directory ?? writer.root);
}

interface Place {
  readonly parent: TreeDirectory;
  readonly name: string;
  readonly components: readonly string[];
}

/** The directory for an entry and its name there. */
function placeOf(writer: Writer, path: string): Result<Place, string> {
  const components = componentsOf(path);
  if (!components.ok) return components;
  const name = components.value.at(-1);
  if (name === undefined) return err(`${shown(path)}: expected a directory, as this is the root`);
  const parent = enter(writer, components.value.slice(0, -1), path, true);
  return parent.ok ? ok({ parent: parent.value, name, components: components.value }) : parent;
}

const pathOf = (components: readonly string[]): string => components.join('/');

/** Removes what has the name already: an earlier entry, or an entry of a layer below. */
function clear(writer: Writer, { parent, name, components }: Place): string | undefined {
  const found = parent.entryOf(name);
  if (!found.ok) return found.error.code === 'ENOENT' ? undefined : found.error.message;
  writer.directories.delete(pathOf(components));
  const removed = removeEntry(parent, name, found.value.kind);
  return removed.ok ? undefined : removed.error.message;
}

/** Makes an entry that is no directory. */
function put(
  writer: Writer,
  path: string,
  bytes: number,
  make: (place: Place) => SystemResult<unknown>,
): string | undefined {
  const over = count(writer, bytes, 1);
  if (over !== undefined) return over;
  const place = placeOf(writer, path);
  if (!place.ok) return place.error;
  let made = make(place.value);
  if (!made.ok && made.error.code === 'EEXIST') {
    const problem = clear(writer, place.value);
    if (problem !== undefined) return `${shown(path)}: ${problem}`;
    made = make(place.value);
  }
  return made.ok ? undefined : `${shown(path)}: ${made.error.message}`;
}

function putDirectory(writer: Writer, path: string, attributes: TreeAttributes): string | undefined {
  const over = count(writer, 0, 1);
  if (over !== undefined) return over;
  const components = componentsOf(path);
  if (!components.ok) return components.error;
  if (components.value.length > 0) {
    const place = placeOf(writer, path);
    if (!place.ok) return place.error;
    const found = place.value.parent.entryOf(place.value.name);
    const kind = found.ok ? found.value.kind : undefined;
    if (kind !== undefined && kind !== 'directory' && kind !== 'whiteout') {
      const problem = clear(writer, place.value);
      if (problem !== undefined) return `${shown(path)}: ${problem}`;
    }
    if (kind !== 'directory') {
      const made = makeDirectory(writer, place.value.parent, place.value.name, kind === 'whiteout');
      if (!made.ok) return `${shown(path)}: ${made.error}`;
      made.value.close();
    }
  }
  const { extended, ...others } = withAllowed(attributes);
  writer.directories.set(pathOf(components.value), { ...others, extended: ROOT_OWNED.extended });
  return extended.size === 0 ? undefined : setExtended(writer, components.value, path, extended);
}

/** At once: kept until the end, those of many directories would use the memory up. */
function setExtended(
  writer: Writer,
  components: readonly string[],
  path: string,
  extended: TreeAttributes['extended'],
): string | undefined {
  const directory = enter(writer, components, path, false);
  if (!directory.ok) return directory.error;
  for (const [name, value] of extended) {
    const set = directory.value.setExtended(name, value);
    if (!set.ok) return `${shown(path)}: ${set.error.message}`;
  }
  return undefined;
}

function putHardLink(writer: Writer, path: string, target: string): string | undefined {
  const components = componentsOf(target);
  if (!components.ok) return components.error;
  const name = components.value.at(-1);
  if (name === undefined) return `${shown(path)}: a hard link to the root`;
  // These stay open while the place of the link is entered.
  let from: Result<TreeDirectory, string> = ok(writer.root);
  const opened: TreeDirectory[] = [];
  for (const component of components.value.slice(0, -1)) {
    if (!from.ok) break;
    from = openOrMake(writer, from.value, component, target, false);
    if (from.ok) opened.push(from.value);
  }
  const source = from;
  const isOwn = path === target || pathOf(components.value) === path;
  let problem: string | undefined;
  if (!source.ok) problem = `${shown(path)}: a hard link to ${source.error}`;
  else if (!source.value.entryOf(name).ok)
    problem = `${shown(path)}: a hard link to ${shown(target)}, which is not in the layer`;
  else if (!isOwn) problem = put(writer, path, 0, (place) => place.parent.makeHardLink(place.name, source.value, name));
  for (const directory of opened) directory.close();
  return problem;
}

/** LAYER-3: a name that the same layer has is not removed by its whiteout, which is about the layers below. */
function putWhiteout(writer: Writer, path: string): string | undefined {
  const over = count(writer, 0, 1);
  if (over !== undefined) return over;
  const place = placeOf(writer, path);
  if (!place.ok) return place.error;
  const { parent, name } = place.value;
  if (writer.kind === 'root') return clear(writer, place.value);
  const found = parent.entryOf(name);
  if (found.ok && found.value.kind === 'directory') return markOpaque(writer, path);
  const made = found.ok ? ok(undefined) : parent.makeWhiteout(name);
  return made.ok ? undefined : `${shown(path)}: ${made.error.message}`;
}

function markOpaque(writer: Writer, path: string): string | undefined {
  const components = componentsOf(path);
  if (!components.ok) return components.error;
  const directory = enter(writer, components.value, path, true);
  if (!directory.ok) return directory.error;
  if (writer.kind === 'layer') {
    const marked = directory.value.setExtended(OPAQUE, YES);
    return marked.ok ? undefined : `${shown(path)}: ${marked.error.message}`;
  }
  const names = directory.value.names();
  if (!names.ok) return `${shown(path)}: ${names.error.message}`;
  for (const name of names.value) {
    const problem = clear(writer, { parent: directory.value, name, components: [...components.value, name] });
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function finish(writer: Writer): string | undefined {
  for (const [path, attributes] of writer.directories) {
    const directory = enter(writer, path === '' ? [] : path.split('/'), path, false);
    // A later entry has replaced a directory of its path.
    if (!directory.ok) continue;
    const set = directory.value.setAttributes(attributes);
    if (!set.ok) return `${shown(path)}: ${set.error.message}`;
  }
  return undefined;
}

function startFile(writer: Writer, path: string, sizeBytes: number, attributes: TreeAttributes): string | undefined {
  return put(writer, path, sizeBytes, ({ parent, name }) => {
    const made = parent.makeFile(name);
    if (made.ok) writer.file = { file: made.value, path, attributes: withAllowed(attributes) };
    return made;
  });
}

function endFile(writer: Writer): string | undefined {
  const { file } = writer;
  if (file === undefined) return undefined;
  writer.file = undefined;
  const set = file.file.setAttributes(file.attributes);
  file.file.close();
  return set.ok ? undefined : `${shown(file.path)}: ${set.error.message}`;
}

export function createLayerWriter(root: TreeDirectory, kind: Kind, limits: LayerLimits): LayerWriter {
  const writer: Writer = {
    root,
    kind,
    limits,
    open: [],
    directories: new Map(),
    file: undefined,
    bytes: 0,
    entries: 0,
  };
  const putWith = (
    path: string,
    bytes: number,
    to: TreeAttributes,
    make: (place: Place) => SystemResult<void>,
  ): string | undefined =>
    put(writer, path, bytes, (place) => {
      const made = make(place);
      return made.ok ? place.parent.setAttributesOf(place.name, withAllowed(to)) : made;
    });
  return {
    directory: (path, attributes) => putDirectory(writer, path, attributes),
    file: (path, sizeBytes, attributes) => startFile(writer, path, sizeBytes, attributes),
    content(part) {
      const written = writer.file?.file.write(part) ?? ok(undefined);
      return written.ok ? undefined : `${shown(writer.file?.path ?? '')}: ${written.error.message}`;
    },
    endOfFile: () => endFile(writer),
    symlink: (path, target, to) => putWith(path, 0, to, ({ parent, name }) => parent.makeSymlink(name, target)),
    hardLink: (path, target) => putHardLink(writer, path, target),
    fifo: (path, to) => putWith(path, 0, to, ({ parent, name }) => parent.makeFifo(name)),
    copy: (path, from, fromName, sizeBytes, to) =>
      putWith(path, sizeBytes, to, ({ parent, name }) => parent.copyFile(name, from, fromName)),
    whiteout: (path) => putWhiteout(writer, path),
    opaque: (path) => markOpaque(writer, path),
    finish: () => finish(writer),
    written: () => ({ bytes: writer.bytes, entries: writer.entries }),
    close() {
      writer.file?.file.close();
      closeBeyond(writer, 0);
    },
  };
}
