// UUIDs (RFC 4122) of Mesos' status and operation updates: 16 bytes in messages, base64 in records.
import { present, type Random, uuid } from '@meseta/base';
import { base64ToBytes, bytesToBase64 } from './base64.js';

const UUID_BYTES = 16;

/** Whether Mesos accepts the bytes as a uuid: 16 bytes with a version (the upper half of byte 6) from 1 to 5. */
export function isUuidBytes(bytes: Uint8Array): boolean {
  const version = (bytes[6] ?? 0) >> 4;
  return bytes.length === UUID_BYTES && version >= 1 && version <= 5;
}

/** The text `xxxxxxxx-xxxx-...` of a uuid in base64; undefined if the bytes are not a uuid. */
export function uuidText(base64: string): string | undefined {
  const bytes = base64ToBytes(base64);
  if (bytes === undefined || !isUuidBytes(bytes)) return undefined;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

/** The base64 of a uuid in text form; undefined if the text is not a uuid. */
export function uuidBase64(text: string): string | undefined {
  if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)) return undefined;
  const hex = text.replaceAll('-', '');
  const bytes = Uint8Array.from({ length: UUID_BYTES }, (_, i) => Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16));
  return isUuidBytes(bytes) ? bytesToBase64(bytes) : undefined;
}

/** The base64 of a text that is known to be a uuid. */
export const bytesOfUuid = (text: string): string => present(uuidBase64(text), 'a uuid');

/** A random uuid of version 4 in base64. */
export const randomUuidBytes = (random: Random): string => bytesOfUuid(uuid(random));

/** Whether base64 is that of a uuid. */
export function isUuid(base64: string): boolean {
  const bytes = base64ToBytes(base64);
  return bytes !== undefined && isUuidBytes(bytes);
}
