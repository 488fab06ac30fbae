// Uuids as bytes in base64, without Node's Buffer.
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

/** Base64 of the 16 bytes of a uuid in its text form. */
export function bytesOfUuid(text: string): string {
  const hex = text.replaceAll('-', '');
  let base64 = '';
  for (let i = 0; i < 30; i += 6) base64 += quartet(parseInt(hex.slice(i, i + 6), 16), 4);
  return `${base64}${quartet(parseInt(hex.slice(30), 16) << 16, 2)}==`;
}

function quartet(bits: number, characters: number): string {
  let text = '';
  for (let i = 0; i < characters; i++) text += ALPHABET[(bits >> (18 - 6 * i)) & 63];
  return text;
}

/** Whether `base64` is a uuid of a version from 1 to 5 (RFC 9562), the only versions that Mesos accepts. */
export function isUuid(base64: string): boolean {
  if (!/^[A-Za-z0-9+/]{22}==$/.test(base64)) return false;
  // Byte 6 starts at the ninth character; its high half is the version.
  const version = (ALPHABET.indexOf(base64[8] as string) >> 2) & 15;
  return version >= 1 && version <= 5;
}
