// Text of a protobuf string. proto2 doesn't check it: what is not UTF-8 becomes U+FFFD.
let decoder: InstanceType<typeof TextDecoder> | undefined;

/** Up to this length (most ids, names and roles) a loop is faster than the call to the decoder. */
const SHORT = 48;

export function decodeUtf8(buffer: Uint8Array, start: number, end: number): string {
  const length = end - start;
  if (length === 0) return '';
  if (length <= SHORT) {
    let text = '';
    let at = start;
    for (; at < end; at++) {
      const byte = buffer[at] as number;
      if (byte > 0x7f) break;
      text += String.fromCharCode(byte);
    }
    if (at === end) return text;
  }
  decoder ??= new TextDecoder('utf-8', { ignoreBOM: true });
  return decoder.decode(buffer.subarray(start, end));
}
