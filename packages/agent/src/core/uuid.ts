// Random uuids in the format of messages: base64 of 16 bytes. The cores have no Buffer.
import { type Random, uuid, withoutTrailing } from '@meseta/base';

const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

/** A version 4 uuid, base64 of its 16 bytes. */
export const uuidBytes = (random: Random): string => base64OfHex(uuid(random).replaceAll('-', ''));

function base64OfHex(hex: string): string {
  let out = '';
  for (let at = 0; at < hex.length; at += 6) {
    const part = hex.slice(at, at + 6);
    const bits = parseInt(part.padEnd(6, '0'), 16);
    for (let shift = 18; shift >= 0; shift -= 6) out += DIGITS[(bits >>> shift) & 63];
    if (part.length < 6) out = out.slice(0, part.length === 2 ? -2 : -1) + (part.length === 2 ? '==' : '=');
  }
  return out;
}

/** The text of base64-encoded UTF-8; undefined if it is not valid. */
export function textOfBase64(base64: string): string | undefined {
  let bits = 0;
  let count = 0;
  let escaped = '';
  for (const char of withoutTrailing(base64, '=')) {
    const digit = DIGITS.indexOf(char);
    if (digit < 0) return undefined;
    bits = (bits << 6) | digit;
    count += 6;
    if (count < 8) continue;
    count -= 8;
    escaped += `%${((bits >>> count) & 255).toString(16).padStart(2, '0')}`;
  }
  try {
    return decodeURIComponent(escaped);
  } catch {
    return undefined;
  }
}
