// Text of a protobuf string. proto2 doesn't check it: what is not UTF-8 becomes U+FFFD.
//
// Messages repeat their short strings (ids, roles, names of resources), and what a master keeps of
// them it keeps for long: so a table of those last seen gives the same string again instead of a copy.
// Text is never put together character by character: V8 would keep a tree of pieces.

const KNOWN_LENGTH = 48;
const KNOWN_SLOTS = 4096;
const known: (string | undefined)[] = /* @__PURE__ */ new Array<string | undefined>(KNOWN_SLOTS).fill(undefined);

export function decodeUtf8(buffer: Uint8Array, start: number, end: number): string {
  const length = end - start;
  if (length > KNOWN_LENGTH) return decodeText(buffer, start, end);
  if (length === 0) return '';
  let hash = length;
  let bits = 0;
  for (let at = start; at < end; at++) {
    const byte = buffer[at] as number;
    hash = (Math.imul(hash, 31) + byte) | 0;
    bits |= byte;
  }
  if (bits > 0x7f) return decodeText(buffer, start, end);
  const slot = (hash ^ (hash >>> 15)) & (KNOWN_SLOTS - 1);
  const candidate = known[slot];
  if (candidate !== undefined && candidate.length === length && isText(candidate, buffer, start)) return candidate;
  const text = decodeText(buffer, start, end);
  known[slot] = text;
  return text;
}

function isText(text: string, buffer: Uint8Array, start: number): boolean {
  for (let i = 0; i < text.length; i++) {
    if (text.charCodeAt(i) !== buffer[start + i]) return false;
  }
  return true;
}

/** What Node and browsers both have; the cores, which read these types too, are checked without either's. */
interface Encodings {
  readonly TextDecoder: new (label: string, options: { ignoreBOM: boolean }) => { decode(bytes: Uint8Array): string };
  readonly TextEncoder: new () => { encode(text: string): Uint8Array };
}

const encodings = globalThis as unknown as Encodings;
let decoder: InstanceType<Encodings['TextDecoder']> | undefined;
let encoder: InstanceType<Encodings['TextEncoder']> | undefined;

/** The text of the bytes, without the table. */
export function decodeText(buffer: Uint8Array, start: number, end: number): string {
  decoder ??= new encodings.TextDecoder('utf-8', { ignoreBOM: true });
  return decoder.decode(buffer.subarray(start, end));
}

/** Half of a surrogate pair becomes U+FFFD. */
export function encodeText(text: string): Uint8Array {
  encoder ??= new encodings.TextEncoder();
  return encoder.encode(text);
}
