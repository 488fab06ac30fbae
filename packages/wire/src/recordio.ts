// RecordIO, the frames of the v1 streams: the length of the record in decimal digits, a line feed, the record.
//
// Owns (a reader): the bytes of one unfinished record.
// RECORDIO-1: a reader keeps at most `maxRecordBytes`: a longer record is refused at its length.
import { err, ok, type Result } from '@meseta/base';
import type { WireError } from './wire-error.js';

const LINE_FEED = 0x0a;
/** The digits of the largest 64-bit length. */
const MAX_DIGITS = 20;

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
  let parts: Uint8Array[] = [];
  /** The bytes of the record that have not arrived; undefined while its length is read. */
  let missingBytes: number | undefined;
  let failed: WireError | undefined;

  const fail = (code: WireError['code'], expected: string, found: string) => {
    failed = { code, message: 'RecordIO', path: '', expected, found };
    parts = [];
    return err(failed);
  };

  return {
    get atBoundary() {
      return failed === undefined && missingBytes === undefined && digits === '';
    },
    push(chunk) {
      if (failed !== undefined) return err(failed);
      const records: Uint8Array[] = [];
      let at = 0;
      while (at < chunk.length) {
        if (missingBytes === undefined) {
          const byte = chunk[at++] as number;
          if (byte !== LINE_FEED) {
            if (byte < 0x30 || byte > 0x39 || digits.length === MAX_DIGITS) {
              return fail('malformed', "a record's length in decimal digits and a line feed", `byte ${byte}`);
            }
            digits += String.fromCharCode(byte);
            continue;
          }
          if (digits === '') return fail('malformed', "a record's length in decimal digits", 'an empty line');
          missingBytes = Number(digits);
          if (missingBytes > maxRecordBytes)
            return fail('tooLarge', `at most ${maxRecordBytes} bytes a record`, digits);
          digits = '';
        }
        const part = chunk.subarray(at, at + missingBytes);
        at += part.length;
        missingBytes -= part.length;
        if (part.length > 0) parts.push(part);
        if (missingBytes > 0) continue;
        records.push(joined(parts));
        parts = [];
        missingBytes = undefined;
      }
      return ok(records);
    },
  };
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  if (parts.length === 1) return parts[0] as Uint8Array;
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
