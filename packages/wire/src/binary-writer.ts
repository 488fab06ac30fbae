// Writes protobuf from the end of a buffer to its start: an embedded message is complete before its length is written, so
// that one pass suffices and no bytes are moved. The generated encoders therefore write fields in descending order of their
// numbers, and a value before its tag.
//
// Owns: the buffer, which grows, and the pool for copies of small messages.
// BINARY-WRITER-1: after every call except `tag` at least SLACK bytes are free before `position`, more than a tag needs.
import { assert } from '@meseta/base';
import { base64ToBytes } from './base64.js';
import { encodeText } from './utf8.js';

const SLACK = 32;
const INITIAL_BYTES = 64 * 1024;
/** A larger buffer is not kept for the next message. */
const KEPT_BYTES = 4 * 1024 * 1024;
/** Small messages share an allocation, as Node's Buffers do: an allocation costs as much as encoding a small message. */
const POOL_BYTES = 8 * 1024;
const POOLED_BYTES = 1024;
const TWO_32 = 4294967296;

export class BinaryWriter {
  private buffer = new Uint8Array(INITIAL_BYTES);
  private view = new DataView(this.buffer.buffer);
  private position = INITIAL_BYTES;
  private pool = new Uint8Array(POOL_BYTES);
  private poolAt = 0;

  start(): void {
    if (this.buffer.length > KEPT_BYTES) {
      this.buffer = new Uint8Array(INITIAL_BYTES);
      this.view = new DataView(this.buffer.buffer);
    }
    this.position = this.buffer.length;
  }

  /** A copy of the message. */
  finish(): Uint8Array {
    const length = this.buffer.length - this.position;
    if (length > POOLED_BYTES) return this.buffer.slice(this.position);
    if (this.poolAt + length > POOL_BYTES) {
      this.pool = new Uint8Array(POOL_BYTES);
      this.poolAt = 0;
    }
    const copy = this.pool.subarray(this.poolAt, this.poolAt + length);
    copy.set(this.buffer.subarray(this.position));
    this.poolAt += length;
    return copy;
  }

  /** The bytes written so far, for a later call of `length`. */
  written(): number {
    return this.buffer.length - this.position;
  }

  /** Writes the length of the embedded message, which began at `before` written bytes. */
  length(before: number): void {
    this.unsigned(this.buffer.length - this.position - before);
  }

  tag(tag: number): void {
    const buffer = this.buffer;
    if (tag < 0x80) {
      buffer[--this.position] = tag;
    } else {
      this.position -= 2;
      buffer[this.position] = (tag & 0x7f) | 0x80;
      buffer[this.position + 1] = tag >>> 7;
    }
  }

  bool(value: boolean): void {
    if (this.position < 2 * SLACK) this.grow(1);
    this.buffer[--this.position] = value ? 1 : 0;
  }

  /** uint32, enum numbers and lengths. */
  unsigned(value: number): void {
    if (this.position < 2 * SLACK) this.grow(5);
    if (value < 0x80) {
      this.buffer[--this.position] = value;
      return;
    }
    const bytes = value < 0x4000 ? 2 : value < 0x200000 ? 3 : value < 0x10000000 ? 4 : 5;
    this.position -= bytes;
    this.varint32(value, this.position);
  }

  /** A negative int32 takes ten bytes, as an int64 does. */
  signed32(value: number): void {
    if (value >= 0) this.unsigned(value);
    else this.signed64(value);
  }

  signed64(value: number): void {
    if (value >= 0x8000000000000000) this.halves(0xffffffff, 0x7fffffff);
    else if (value <= -0x8000000000000000) this.halves(0, 0x80000000);
    else this.unsigned64(value);
  }

  unsigned64(value: number): void {
    if (value >= 0 && value < TWO_32) {
      this.unsigned(value);
    } else if (value >= 0x10000000000000000) {
      this.halves(0xffffffff, 0xffffffff);
    } else {
      const high = Math.floor(value / TWO_32);
      this.halves(value - high * TWO_32, high >>> 0);
    }
  }

  bigint(value: bigint): void {
    const bits = BigInt.asUintN(64, value);
    this.halves(Number(bits & 0xffffffffn), Number(bits >> 32n));
  }

  double(value: number): void {
    if (this.position < 2 * SLACK) this.grow(8);
    this.position -= 8;
    this.view.setFloat64(this.position, value, true);
  }

  string(value: string): void {
    const length = value.length;
    if (this.position < length + 2 * SLACK) this.grow(length);
    const buffer = this.buffer;
    const start = this.position - length;
    for (let i = 0; i < length; i++) {
      const code = value.charCodeAt(i);
      if (code > 0x7f) {
        this.delimited(encodeText(value));
        return;
      }
      buffer[start + i] = code;
    }
    this.position = start;
    this.unsigned(length);
  }

  bytes(base64: string): void {
    const bytes = base64ToBytes(base64);
    assert(bytes !== undefined, 'bytes fields hold base64');
    this.delimited(bytes);
  }

  private delimited(bytes: Uint8Array): void {
    if (this.position < bytes.length + 2 * SLACK) this.grow(bytes.length);
    this.position -= bytes.length;
    this.buffer.set(bytes, this.position);
    this.unsigned(bytes.length);
  }

  private halves(low: number, high: number): void {
    if (this.position < 2 * SLACK) this.grow(10);
    let bytes = 1;
    for (let l = low, h = high; h !== 0 || l > 0x7f; bytes++) {
      l = ((l >>> 7) | (h << 25)) >>> 0;
      h = h >>> 7;
    }
    this.position -= bytes;
    const buffer = this.buffer;
    const last = this.position + bytes - 1;
    for (let at = this.position; at < last; at++) {
      buffer[at] = (low & 0x7f) | 0x80;
      low = ((low >>> 7) | (high << 25)) >>> 0;
      high = high >>> 7;
    }
    buffer[last] = low;
  }

  private varint32(value: number, at: number): void {
    const buffer = this.buffer;
    while (value > 0x7f) {
      buffer[at++] = (value & 0x7f) | 0x80;
      value >>>= 7;
    }
    buffer[at] = value;
  }

  private grow(need: number): void {
    const old = this.buffer;
    const used = old.length - this.position;
    const buffer = new Uint8Array(Math.max(old.length * 2, used + need + 4 * SLACK));
    this.position = buffer.length - used;
    buffer.set(old.subarray(old.length - used), this.position);
    this.buffer = buffer;
    this.view = new DataView(buffer.buffer);
  }
}

let shared: BinaryWriter | undefined;

/** The writer of this process, reset: no encoder runs inside another. */
export function sharedWriter(): BinaryWriter {
  shared ??= new BinaryWriter();
  shared.start();
  return shared;
}
