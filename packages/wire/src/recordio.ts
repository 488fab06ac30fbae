// RecordIO, the frames of the v1 streams: the length of the record in decimal digits, a line feed, the record.
//
// Owns (a reader): the bytes of one unfinished record.
// RECORDIO-1: a reader keeps at most `maxRecordBytes`, and no chunk: a longer record is refused at its length, and the bytes
//     of an unfinished one are copied, because many short chunks take far more memory than their bytes.
import { err, ok, type Result } from '@meseta/base';
import type { WireError } from './wire-error.js';

const LINE_FEED = 0x0a;
/** The digits of the largest 64-bit length. */
const MAX_DIGITS = 20;
const NO_BYTES = /* @__PURE__ */ new Uint8Array(0);

/** The header of a frame, for a writer that sends the record in several buffers. */
export function recordHead(length: number): Uint8Array {
  const digits = `${length}\n`;
  const head = new Uint8Array(digits.length);
  for (let i = 0; i < digits.length; i++) head[i] = digits.charCodeAt(i);
  return head;
}

export function encodeRecord(bytes: Uint8Array): Uint8Array {
  const head = recordHead(bytes.length);
  const record = new Uint8Array(head.length + bytes.length);
  record.set(head);
  record.set(bytes, head.length);
  return record;
}

export interface RecordReader {
  /** Returns the records that the chunk completes. After an error every further call returns it. */
  push(chunk: Uint8Array): Result<readonly Uint8Array[], WireError>;
  /** Whether the stream may end here: there is no unfinished record. */
  readonly atBoundary: boolean;
}

/** Reads frames from chunks of any size (RECORDIO-1). */
export function recordReader(maxRecordBytes: number): RecordReader {
  let digits = '';
  /** The length of the record that has begun; undefined while the length is read. */
  let recordBytes: number | undefined;
  /** The bytes of the unfinished record that have arrived, in a buffer that grows with them. */
  let buffer: Uint8Array = NO_BYTES;
  let arrivedBytes = 0;
  let failed: WireError | undefined;

  const fail = (code: WireError['code'], expected: string, found: string) => {
    failed = { code, message: 'RecordIO', path: '', expected, found };
    return err(failed);
  };

  return {
    get atBoundary() {
      return failed === undefined && recordBytes === undefined && digits === '';
    },
    push(chunk) {
      if (failed !== undefined) return err(failed);
      const records: Uint8Array[] = [];
      let at = 0;
      while (at < chunk.length) {
        if (recordBytes === undefined) {
          const byte = chunk[at++] as number;
          if (byte !== LINE_FEED) {
            if (byte < 0x30 || byte > 0x39 || digits.length === MAX_DIGITS) {
              return fail('malformed', "a record's length in decimal digits and a line feed", `byte ${byte}`);
            }
            digits += String.fromCharCode(byte);
            continue;
          }
          if (digits === '') return fail('malformed', "a record's length in decimal digits", 'an empty line');
          recordBytes = Number(digits);
          if (recordBytes > maxRecordBytes) return fail('tooLarge', `at most ${maxRecordBytes} bytes a record`, digits);
          digits = '';
        }
        const part = chunk.subarray(at, at + recordBytes - arrivedBytes);
        at += part.length;
        if (part.length === recordBytes) records.push(part);
        else {
          buffer = withRoom(buffer, arrivedBytes + part.length, recordBytes);
          buffer.set(part, arrivedBytes);
          arrivedBytes += part.length;
          if (arrivedBytes < recordBytes) continue;
          records.push(buffer);
          buffer = NO_BYTES;
          arrivedBytes = 0;
        }
        recordBytes = undefined;
      }
      return ok(records);
    },
  };
}

/** A buffer with these bytes and room for `wanted`; its size at least doubles, up to `most`. */
function withRoom(buffer: Uint8Array, wanted: number, most: number): Uint8Array {
  if (wanted <= buffer.length) return buffer;
  const larger = new Uint8Array(Math.min(most, Math.max(wanted, 2 * buffer.length)));
  larger.set(buffer);
  return larger;
}
