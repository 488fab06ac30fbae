// CRC-32 (IEEE 802.3): zlib's if Node has it (since 20.15).
import * as zlib from 'node:zlib';

const POLYNOMIAL = 0xedb88320;
const TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  let value = n;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ POLYNOMIAL : value >>> 1;
  return value;
});

/** `before` is the CRC-32 of the preceding bytes, 0 if there are none. */
export function tableCrc32(bytes: Uint8Array | string, before: number): number {
  let crc = ~before;
  for (const byte of typeof bytes === 'string' ? Buffer.from(bytes) : bytes)
    crc = (crc >>> 8) ^ (TABLE[(crc ^ byte) & 0xff] as number);
  return ~crc >>> 0;
}

export const crc32: typeof tableCrc32 = (zlib as { readonly crc32?: typeof tableCrc32 }).crc32 ?? tableCrc32;
