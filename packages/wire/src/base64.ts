// Base64 (RFC 4648, section 4): the form of `bytes` fields in records. It does without Buffer, so that it runs in browsers.
import { decodeText, encodeText } from './utf8.js';

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const CODES: Uint8Array = /* @__PURE__ */ Uint8Array.from(ALPHABET, (character) => character.charCodeAt(0));
const PADDING = 0x3d;
const NOT_BASE64 = 64;
const SPACE = 65;

const VALUES: Uint8Array = /* @__PURE__ */ valueTable();

function valueTable(): Uint8Array {
  const values = new Uint8Array(256).fill(NOT_BASE64);
  for (let i = 0; i < ALPHABET.length; i++) values[ALPHABET.charCodeAt(i)] = i;
  for (const space of ' \t\n\v\f\r') values[space.charCodeAt(0)] = SPACE;
  return values;
}

const UUID_BYTES = 16;

/** Every status has a uuid. One call of String.fromCharCode costs a fifth of an array and a decoder. */
function uuidToBase64(bytes: Uint8Array): string {
  const bits = (at: number): number =>
    ((bytes[at] as number) << 16) | ((bytes[at + 1] as number) << 8) | (bytes[at + 2] as number);
  const code = (sextet: number): number => CODES[sextet & 63] as number;
  const [a, b, c, d, e] = [bits(0), bits(3), bits(6), bits(9), bits(12)];
  const last = bytes[15] as number;
  // biome-ignore format: one row for three bytes
  return String.fromCharCode(
    code(a >> 18), code(a >> 12), code(a >> 6), code(a),
    code(b >> 18), code(b >> 12), code(b >> 6), code(b),
    code(c >> 18), code(c >> 12), code(c >> 6), code(c),
    code(d >> 18), code(d >> 12), code(d >> 6), code(d),
    code(e >> 18), code(e >> 12), code(e >> 6), code(e),
    code(last >> 2), code(last << 4), PADDING, PADDING,
  );
}

export function bytesToBase64(bytes: Uint8Array): string {
  if (bytes.length === UUID_BYTES) return uuidToBase64(bytes);
  const whole = bytes.length - (bytes.length % 3);
  const text = new Uint8Array(Math.ceil(bytes.length / 3) * 4).fill(PADDING);
  let at = 0;
  for (let i = 0; i < whole; i += 3, at += 4) {
    const bits = ((bytes[i] as number) << 16) | ((bytes[i + 1] as number) << 8) | (bytes[i + 2] as number);
    text[at] = CODES[bits >> 18] as number;
    text[at + 1] = CODES[(bits >> 12) & 63] as number;
    text[at + 2] = CODES[(bits >> 6) & 63] as number;
    text[at + 3] = CODES[bits & 63] as number;
  }
  if (whole < bytes.length) {
    const bits = ((bytes[whole] as number) << 8) | (bytes[whole + 1] ?? 0);
    text[at] = CODES[bits >> 10] as number;
    text[at + 1] = CODES[(bits >> 4) & 63] as number;
    if (whole + 2 === bytes.length) text[at + 2] = CODES[(bits << 2) & 63] as number;
  }
  return decodeText(text, 0, text.length);
}

/**
 * Reads base64 as Mesos does: white space is ignored, the first `=` ends the text, and padding may be missing. Undefined
 * for any other character.
 */
export function base64ToBytes(text: string): Uint8Array | undefined {
  const bytes = new Uint8Array(Math.floor((text.length * 3) / 4));
  let used = 0;
  let bits = 0;
  let bitCount = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === PADDING) break;
    const value = code < 256 ? (VALUES[code] as number) : NOT_BASE64;
    if (value === SPACE) continue;
    if (value === NOT_BASE64) return undefined;
    bits = ((bits << 6) | value) & 0xffffff;
    bitCount += 6;
    if (bitCount >= 8) {
      bitCount -= 8;
      bytes[used++] = bits >> bitCount;
    }
  }
  return bytes.subarray(0, used);
}

const OUTSIDE_ALPHABET = /[^A-Za-z0-9+/]/;
/** The last characters of text whose last bits are zero, by the number of `=` after them. */
const LAST_CHARACTERS = [/./, /[AEIMQUYcgkosw048]/, /[AQgw]/] as const;

/** Whether the text is what `bytesToBase64` returns for its bytes. */
function isCanonical(text: string): boolean {
  if (text.length % 4 !== 0) return false;
  const end = text.search(OUTSIDE_ALPHABET);
  if (end === -1) return true;
  const padding = text.length - end;
  if (padding > 2 || text.charCodeAt(end) !== PADDING || text.charCodeAt(text.length - 1) !== PADDING) return false;
  return (LAST_CHARACTERS[padding] as RegExp).test(text.charAt(end - 1));
}

/** The canonical base64 of what `base64ToBytes` reads; undefined if it reads nothing. Long text is seldom copied. */
export function canonicalBase64(text: string): string | undefined {
  if (isCanonical(text)) return text;
  const bytes = base64ToBytes(text);
  return bytes === undefined ? undefined : bytesToBase64(bytes);
}

/** The text of base64-encoded UTF-8; undefined if it is not valid. */
export function textOfBase64(base64: string): string | undefined {
  const bytes = base64ToBytes(base64);
  if (bytes === undefined) return undefined;
  const text = decodeText(bytes, 0, bytes.length);
  return bytesToBase64(encodeText(text)) === bytesToBase64(bytes) ? text : undefined;
}
