// Bytes of archives as text: one character for one byte, so that names of any encoding are kept exactly.

export const latin1Of = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');

export const bytesOfLatin1 = (text: string): Uint8Array => Buffer.from(text, 'latin1');
