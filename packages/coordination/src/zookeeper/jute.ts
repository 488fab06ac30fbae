// Jute, the encoding of ZooKeeper's protocol: big-endian integers; texts, buffers and lists with a length before them.

/** Thrown by the reader for bytes that are no answer of the protocol; session.ts catches it. */
export class InvalidResponse extends Error {}

/** More children than a directory of the registry ever has. */
const MAX_LIST = 1_000_000;

export interface JuteWriter {
  int(value: number): JuteWriter;
  long(value: bigint): JuteWriter;
  bool(value: boolean): JuteWriter;
  text(value: string): JuteWriter;
  buffer(value: Uint8Array): JuteWriter;
  bytes(): Buffer;
}

export function createJuteWriter(): JuteWriter {
  const pieces: Uint8Array[] = [];
  const writer: JuteWriter = {
    int(value) {
      const piece = Buffer.allocUnsafe(4);
      piece.writeInt32BE(value);
      pieces.push(piece);
      return writer;
    },
    long(value) {
      const piece = Buffer.allocUnsafe(8);
      piece.writeBigInt64BE(value);
      pieces.push(piece);
      return writer;
    },
    bool(value) {
      pieces.push(Buffer.from([value ? 1 : 0]));
      return writer;
    },
    text: (value) => writer.buffer(Buffer.from(value)),
    buffer(value) {
      writer.int(value.length);
      pieces.push(value);
      return writer;
    },
    bytes: () => Buffer.concat(pieces),
  };
  return writer;
}

export interface JuteReader {
  int(): number;
  long(): bigint;
  bool(): boolean;
  text(): string;
  /** A view into the frame. */
  buffer(): Buffer;
  /** The length of a list. */
  length(): number;
  skip(bytes: number): void;
}

/** Reads a frame; every read is checked against its end. */
export function createJuteReader(frame: Buffer): JuteReader {
  let at = 0;
  const take = (bytes: number): number => {
    const from = at;
    if (bytes < 0 || from + bytes > frame.length) throw new InvalidResponse('it ends too early');
    at += bytes;
    return from;
  };
  const reader: JuteReader = {
    int: () => frame.readInt32BE(take(4)),
    long: () => frame.readBigInt64BE(take(8)),
    bool: () => frame[take(1)] !== 0,
    text: () => reader.buffer().toString(),
    buffer() {
      // -1 stands for no buffer.
      const bytes = Math.max(reader.int(), 0);
      const from = take(bytes);
      return frame.subarray(from, from + bytes);
    },
    length() {
      const length = reader.int();
      if (length > MAX_LIST) throw new InvalidResponse(`a list has ${length} elements, expected at most ${MAX_LIST}`);
      return Math.max(length, 0);
    },
    skip: (bytes) => void take(bytes),
  };
  return reader;
}
