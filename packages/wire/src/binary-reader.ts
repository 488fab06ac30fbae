// Reads protobuf.
//
// Owns: the position in the bytes of one message, and the counts of its elements and text.
// BINARY-READER-1: memory is allocated for a length only after that many bytes are known to exist.
// BINARY-READER-2: a message from outside has limits (docs/limits.md) for nesting, elements, items of a field and text,
//     because one byte on the wire can take a hundred in memory.
import { LIMITS } from '@meseta/base';
import { bytesToBase64 } from './base64.js';
import { decodeUtf8 } from './utf8.js';
import { WireFailure } from './wire-error.js';

/** The limit of protobuf's readers. */
export const MAX_DEPTH = LIMITS.messageDepth.most;
const MAX_ELEMENTS = LIMITS.messageElements.most;
/** An entry of a map, whose key becomes a property, takes about as long as so many elements of lists. */
const ENTRY_ELEMENTS = 8;
const MAX_TEXT_BYTES = LIMITS.messageText.most;
export const MAX_ID_BYTES = LIMITS.idText.most;
const TWO_32 = 4294967296;

export class BinaryReader {
  position = 0;
  private readonly view: DataView;
  private low = 0;
  private high = 0;

  private elements = 0;
  private textBytes = 0;

  /** `trusted`: the message was written or requested by this process, and has no limits. */
  constructor(
    private readonly buffer: Uint8Array,
    private readonly trusted = false,
  ) {
    this.view = new DataView(buffer.buffer, buffer.byteOffset, buffer.length);
  }

  /** Called at the beginning of each message. */
  enter(depth: number): void {
    if (depth > MAX_DEPTH) throw tooDeep();
    if (++this.elements > MAX_ELEMENTS && !this.trusted) throw tooMany('elements in the message', MAX_ELEMENTS);
  }

  /** Called before an element is added to a repeated field of `length` elements. */
  item(length: number, most: number): void {
    this.count(length, most, 1);
  }

  /** Called before an entry is added to a map of `length` entries. */
  entry(length: number, most: number): void {
    this.count(length, most, ENTRY_ELEMENTS);
  }

  private count(length: number, most: number, elements: number): void {
    if (this.trusted) return;
    if (length >= most) throw tooMany('items', most);
    this.elements += elements;
    if (this.elements > MAX_ELEMENTS) throw tooMany('elements in the message', MAX_ELEMENTS);
  }

  /** The end of the length-delimited value at the position. */
  end(limit: number): number {
    const length = this.unsigned();
    const end = this.position + length;
    if (end > limit) throw truncated();
    return end;
  }

  tag(): number {
    const buffer = this.buffer;
    if (this.position < buffer.length) {
      const first = buffer[this.position] as number;
      if (first < 0x80 && first > 7) {
        this.position++;
        return first;
      }
    }
    const tag = this.unsigned();
    if (tag >>> 3 === 0) throw new WireFailure('malformed', 'a field number above 0');
    return tag;
  }

  /** The low 32 bits of a varint: uint32, enum numbers, lengths. */
  unsigned(): number {
    const buffer = this.buffer;
    if (this.position < buffer.length) {
      const first = buffer[this.position] as number;
      if (first < 0x80) {
        this.position++;
        return first;
      }
    }
    this.varint();
    return this.low;
  }

  signed32(): number {
    return this.unsigned() | 0;
  }

  bool(): boolean {
    this.varint();
    return this.low !== 0 || this.high !== 0;
  }

  signed64(): number {
    this.varint();
    return (this.high | 0) * TWO_32 + this.low;
  }

  unsigned64(): number {
    this.varint();
    return this.high * TWO_32 + this.low;
  }

  bigint(): bigint {
    this.varint();
    return BigInt.asIntN(64, (BigInt(this.high) << 32n) | BigInt(this.low));
  }

  double(): number {
    if (this.position + 8 > this.buffer.length) throw truncated();
    this.position += 8;
    return this.view.getFloat64(this.position - 8, true);
  }

  string(limit: number): string {
    const end = this.end(limit);
    const start = this.position;
    this.position = end;
    this.countText(end - start);
    return decodeUtf8(this.buffer, start, end);
  }

  /** The text of an id. */
  id(limit: number): string {
    const before = this.textBytes;
    const text = this.string(limit);
    if (this.textBytes - before > MAX_ID_BYTES && !this.trusted) throw tooMany('bytes', MAX_ID_BYTES);
    return text;
  }

  bytes(limit: number): string {
    const end = this.end(limit);
    const start = this.position;
    this.position = end;
    this.countText(end - start);
    return bytesToBase64(this.buffer.subarray(start, end));
  }

  /** Skips the value of an unknown field. */
  skip(tag: number, limit: number, depth: number): void {
    switch (tag & 7) {
      case 0:
        this.varint();
        return;
      case 1:
        this.advance(8, limit);
        return;
      case 2:
        this.position = this.end(limit);
        return;
      case 3:
        this.skipGroup(tag >>> 3, limit, depth + 1);
        return;
      case 5:
        this.advance(4, limit);
        return;
      default:
        throw new WireFailure('malformed', 'a field of a known wire type', `wire type ${tag & 7}`);
    }
  }

  /** Called after the last field of a message: a value must not extend beyond its message. */
  finish(end: number): void {
    if (this.position !== end) throw truncated();
  }

  private countText(bytes: number): void {
    this.textBytes += bytes;
    if (this.textBytes > MAX_TEXT_BYTES && !this.trusted)
      throw tooMany('bytes of strings in the message', MAX_TEXT_BYTES);
  }

  private skipGroup(field: number, limit: number, depth: number): void {
    if (depth > MAX_DEPTH) throw tooDeep();
    while (this.position < limit) {
      const tag = this.tag();
      if ((tag & 7) === 4) {
        if (tag >>> 3 === field) return;
        throw new WireFailure('malformed', `the end of group ${field}`, `the end of group ${tag >>> 3}`);
      }
      this.skip(tag, limit, depth);
    }
    throw truncated();
  }

  private advance(bytes: number, limit: number): void {
    if (this.position + bytes > limit) throw truncated();
    this.position += bytes;
  }

  /** Reads 64 bits into `low` and `high`. */
  private varint(): void {
    const buffer = this.buffer;
    const length = buffer.length;
    let position = this.position;
    let low = 0;
    let high = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      if (position >= length) throw truncated();
      const byte = buffer[position++] as number;
      const bits = byte & 0x7f;
      if (shift < 28) low |= bits << shift;
      else if (shift === 28) {
        low |= bits << 28;
        high = bits >>> 4;
      } else high |= shift < 63 ? bits << (shift - 32) : bits << 31;
      if (byte < 0x80) {
        this.position = position;
        this.low = low >>> 0;
        this.high = high >>> 0;
        return;
      }
    }
    throw new WireFailure('malformed', 'a varint of at most 10 bytes');
  }
}

function truncated(): WireFailure {
  return new WireFailure('truncated', 'more bytes');
}

export function tooMany(what: string, most: number): WireFailure {
  return new WireFailure('tooLarge', `at most ${most} ${what}`, 'more');
}

export function tooDeep(): WireFailure {
  return new WireFailure('depth', `at most ${MAX_DEPTH} levels of nesting`);
}
