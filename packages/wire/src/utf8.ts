// The text of protobuf strings. proto2 does not check their encoding: bytes that are not UTF-8 become U+FFFD.
//
// Short strings (ids, roles, names of resources) repeat in many messages, and a master keeps them for long. A table of
// recent ones returns the same string instead of a copy. Text is not concatenated from characters, as V8 would keep a tree
// of parts.
//
// Owns: the table, of the string that was decoded last in each slot. Boundary: it only saves memory; no result depends on it.

/** Longer strings are not in the table, which bounds its memory. */
const KNOWN_LENGTH = 48;
const KNOWN_SLOTS = 4096;
const known: (string | undefined)[] = /* @__PURE__ */ new Array<string | undefined>(KNOWN_SLOTS).fill(undefined);

/** The text of the bytes from `start` to `end`, for strings that may repeat. */
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

/** The types of these classes that Node and browsers have, for the cores, which are compiled without the types of both. */
interface Encodings {
  readonly TextDecoder: new (label: string, options: { ignoreBOM: boolean }) => { decode(bytes: Uint8Array): string };
  readonly TextEncoder: new () => { encode(text: string): Uint8Array };
}

const encodings = globalThis as typeof globalThis & Encodings;
let decoder: InstanceType<Encodings['TextDecoder']> | undefined;
let encoder: InstanceType<Encodings['TextEncoder']> | undefined;

/** The text of bytes, without the table. */
export function decodeText(buffer: Uint8Array, start: number, end: number): string {
  decoder ??= new encodings.TextDecoder('utf-8', { ignoreBOM: true });
  return decoder.decode(buffer.subarray(start, end));
}

/** Half of a surrogate pair is encoded as U+FFFD. */
export function encodeText(text: string): Uint8Array {
  encoder ??= new encodings.TextEncoder();
  return encoder.encode(text);
}
