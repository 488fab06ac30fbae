// UUIDs travel as 16 bytes, which records hold as base64 (RFC 4122; Mesos' status and operation updates).
import { base64ToBytes, bytesToBase64 } from './base64.js';

const UUID_BYTES = 16;

/** 16 bytes whose version, the high half of byte 6, is from 1 to 5: what Mesos takes for a uuid. */
export function isUuidBytes(bytes: Uint8Array): boolean {
  const version = (bytes[6] ?? 0) >> 4;
  return bytes.length === UUID_BYTES && version >= 1 && version <= 5;
}

/** The text `xxxxxxxx-xxxx-...` of a uuid held as base64; undefined unless those bytes are a uuid. */
export function uuidText(base64: string): string | undefined {
  const bytes = base64ToBytes(base64);
  if (bytes === undefined || !isUuidBytes(bytes)) return undefined;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

/** A uuid's text as the base64 of its bytes; undefined unless it is a uuid. */
export function uuidBase64(text: string): string | undefined {
  if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)) return undefined;
  const hex = text.replaceAll('-', '');
  const bytes = Uint8Array.from({ length: UUID_BYTES }, (_, i) => Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16));
  return isUuidBytes(bytes) ? bytesToBase64(bytes) : undefined;
}

/** Whether a `bytes` field holds a uuid. */
export function isUuid(base64: string): boolean {
  const bytes = base64ToBytes(base64);
  return bytes !== undefined && isUuidBytes(bytes);
}
