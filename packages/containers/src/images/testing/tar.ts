// Writes tar archives for tests, also such that no archiver writes.

export interface Entry {
  readonly name: string;
  /** The type flag; `0` unless given. */
  readonly type?: string;
  readonly target?: string;
  readonly content?: string | Uint8Array;
  /** Instead of the content's own. */
  readonly size?: number;
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly modified?: number;
  /** Records of an extended header before the entry; values are latin1 text. */
  readonly pax?: Readonly<Record<string, string>>;
}

const BLOCK = 512;

function header(entry: Required<Pick<Entry, 'name' | 'type'>> & Entry, size: number): Buffer {
  const block = Buffer.alloc(BLOCK);
  const octal = (value: number, at: number, length: number): number =>
    block.write(`${value.toString(8).padStart(length - 1, '0')}\0`, at, 'latin1');
  block.write(entry.name.slice(0, 100), 0, 'latin1');
  octal(entry.mode ?? 0o644, 100, 8);
  octal(entry.uid ?? 0, 108, 8);
  octal(entry.gid ?? 0, 116, 8);
  octal(size, 124, 12);
  octal(entry.modified ?? 1_000_000, 136, 12);
  block.write(entry.type, 156, 'latin1');
  block.write((entry.target ?? '').slice(0, 100), 157, 'latin1');
  block.write('ustar\x0000', 257, 'latin1');
  block.write('        ', 148, 'latin1');
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}

const padded = (content: Uint8Array): Buffer =>
  Buffer.concat([content, Buffer.alloc((BLOCK - (content.length % BLOCK)) % BLOCK)]);

/** `LENGTH KEY=VALUE\n`, where LENGTH counts itself. */
function record(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`;
  let length = rest.length + 1;
  while (String(length).length + rest.length !== length) length = String(length).length + rest.length;
  return `${length}${rest}`;
}

function bytesOf(entry: Entry): Buffer {
  const content = Buffer.from(entry.content ?? '');
  const pax = Object.entries(entry.pax ?? {})
    .map(([key, value]) => record(key, value))
    .join('');
  const before = pax === '' ? [] : [header({ name: 'pax', type: 'x' }, pax.length), padded(Buffer.from(pax, 'latin1'))];
  const own = header({ ...entry, type: entry.type ?? '0' }, entry.size ?? content.length);
  return Buffer.concat([...before, own, padded(content)]);
}

export const tarOf = (entries: readonly Entry[]): Buffer =>
  Buffer.concat([...entries.map(bytesOf), Buffer.alloc(2 * BLOCK)]);
