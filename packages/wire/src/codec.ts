// A codec combines the four generated functions of one message.
import { err, ok, type Result } from '@meseta/base';
import { BinaryReader } from './binary-reader.js';
import { type BinaryWriter, sharedWriter } from './binary-writer.js';
import { parseExactJson } from './json-parser.js';
import { type WireError, WireFailure, wireErrorOf } from './wire-error.js';

export interface Codec<T> {
  /** The protobuf name of the message, such as `mesos.v1.scheduler.Call`. */
  readonly name: string;
  /** The protobuf bytes, fields in the order of their numbers. A value that is no `T` is a broken invariant. */
  encode(value: T): Uint8Array;
  /** The bytes of a repeated field of this message, for a document that is assembled from parts. */
  encodeList(field: number, values: readonly T[]): Uint8Array;
  /** Bytes from outside have limits (docs/limits.md). */
  decode(bytes: Uint8Array, origin?: Origin): Result<T, WireError>;
  /**
   * JSON text as Mesos writes it: an unset field with a declared default that is not deprecated is written with that
   * default; other unset fields are omitted.
   */
  write(value: T): string;
  /** Reads a value from JSON.parse. Empty lists and nulls count as unset. */
  read(json: unknown): Result<T, WireError>;
  /** Reads JSON text. An integer of 16 or more digits is exact if the field is a bigint. */
  parse(text: string, origin?: Origin): Result<T, WireError>;
}

/** `trusted`: written by this process, or requested by it from a server that it trusts. */
export type Origin = 'outside' | 'trusted';

export type Encode<T> = (writer: BinaryWriter, value: T) => void;
export type Decode<T> = (reader: BinaryReader, end: number, depth: number) => T;
export type WriteJson<T> = (value: T) => string;
export type ReadJson<T> = (json: unknown, depth: number, limited: boolean) => T;

const LENGTH_DELIMITED = 2;

export function codec<T>(
  name: string,
  encode: Encode<T>,
  decode: Decode<T>,
  write: WriteJson<T>,
  read: ReadJson<T>,
): Codec<T> {
  const readValue = (json: unknown, origin?: Origin) => caught(name, () => read(json, 0, origin !== 'trusted'));
  return {
    name,
    encode(value) {
      const writer = sharedWriter();
      encode(writer, value);
      return writer.finish();
    },
    encodeList(field, values) {
      const writer = sharedWriter();
      for (let i = values.length - 1; i >= 0; i--) {
        const before = writer.written();
        encode(writer, values[i] as T);
        writer.length(before);
        writer.tag(field * 8 + LENGTH_DELIMITED);
      }
      return writer.finish();
    },
    decode: (bytes, origin) =>
      caught(name, () => decode(new BinaryReader(bytes, origin === 'trusted'), bytes.length, 0)),
    write,
    read: (json) => readValue(json),
    parse(text, origin) {
      const json = parseExactJson(text, origin);
      if (!json.ok) return err({ message: name, path: '', ...json.error });
      return readValue(json.value, origin);
    },
  };
}

function caught<T>(name: string, read: () => T): Result<T, WireError> {
  try {
    return ok(read());
  } catch (error) {
    if (error instanceof WireFailure) return err(wireErrorOf(name, error));
    throw error;
  }
}
