// RecordIO, the frames of the v1 streams: the record's length in decimal digits, a line feed, the record.
import { err, ok, type Result } from '@meseta/base';
import type { WireError } from './wire-error.js';

const LINE_FEED = 0x0a;
/** As many as a 64-bit length needs. */
const MAX_DIGITS = 20;

/** The frame's head alone, for a writer that sends the record's buffers as they are. */
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
  /** The records that this chunk completes. After an error the stream can't be read on. */
  push(chunk: Uint8Array): Result<readonly Uint8Array[], WireError>;
  /** Whether the stream may end here: no record is half read. */
  readonly atBoundary: boolean;
}

/** Reads frames from chunks of any size; keeps at most one unfinished record of `maxRecordBytes`. */
export function recordReader(maxRecordBytes: number): RecordReader {
  let digits = '';
  let parts: Uint8Array[] = [];
  /** Bytes of the record that are still to come; undefined while its head is read. */
  let wanting: number | undefined;
  let failed: WireError | undefined;

  const fail = (code: WireError['code'], expected: string, found: string) => {
    failed = { code, message: 'RecordIO', path: '', expected, found };
    parts = [];
    return err(failed);
  };

  return {
    get atBoundary() {
      return failed === undefined && wanting === undefined && digits === '';
    },
    push(chunk) {
      if (failed !== undefined) return err(failed);
      const records: Uint8Array[] = [];
      let at = 0;
      while (at < chunk.length || wanting === 0) {
        if (wanting === undefined) {
          const byte = chunk[at++] as number;
          if (byte !== LINE_FEED) {
            if (byte < 0x30 || byte > 0x39 || digits.length === MAX_DIGITS) {
              return fail('malformed', "a record's length in decimal digits and a line feed", `byte ${byte}`);
            }
            digits += String.fromCharCode(byte);
            continue;
          }
          if (digits === '') return fail('malformed', "a record's length in decimal digits", 'an empty line');
          wanting = Number(digits);
          if (wanting > maxRecordBytes) return fail('tooLarge', `at most ${maxRecordBytes} bytes a record`, digits);
          digits = '';
        }
        const part = chunk.subarray(at, at + wanting);
        at += part.length;
        wanting -= part.length;
        if (part.length > 0) parts.push(part);
        if (wanting > 0) continue;
        records.push(joined(parts));
        parts = [];
        wanting = undefined;
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
