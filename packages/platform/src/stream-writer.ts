// One subscriber's own stream of events (a scheduler, an executor): bounded, flushed once a turn.
//
// Owns: what was written in this turn. Boundary: bytes are opaque, already framed.
// STREAM-WRITER-1: bytes leave in the order of `write`, each write as an HTTP chunk of its own: there are clients (of Mesos' streams,
// whose events come so) that take what one read of the body gives them for one event.
// STREAM-WRITER-2: a client that reads too slowly is cut off at `maxUnsentBytes`; it never holds back others.
// STREAM-WRITER-3: `ended` is called at most once, never from inside `write`, and never after `end`.
import type { ServerResponse } from 'node:http';
import type { Clock } from '@meseta/base';
import { closeWithClient } from './client-end.js';

export type StreamEnd = 'closed' | 'tooSlow';

export interface StreamWriterOptions {
  readonly clock: Clock;
  /** 16 MiB unless given. */
  readonly maxUnsentBytes?: number | undefined;
  /** The client has gone, or was cut off because it reads too slowly. */
  ended(why: StreamEnd): void;
}

export interface StreamWriter {
  /** Queues one event's bytes; all of a turn go out in one packet. The response's head has been written. */
  write(bytes: Uint8Array): void;
  /** Ends the response after what was written. */
  end(): void;
  readonly unsentBytes: number;
}

const CARRIAGE_RETURN = 13;
const LINE_FEED = 10;

/** Bytes that node still holds for a response. */
const unsentOf = (response: ServerResponse): number =>
  Math.max(response.writableLength, response.socket?.writableLength ?? 0);

/** Each an HTTP chunk (STREAM-WRITER-1). */
function chunksOf(events: readonly Uint8Array[]): Buffer {
  const heads = events.map(({ length }) => `${length.toString(16)}\r\n`);
  let size = 0;
  for (let i = 0; i < events.length; i++) size += (heads[i] as string).length + (events[i] as Uint8Array).length + 2;
  const chunks = Buffer.allocUnsafe(size);
  let at = 0;
  for (let i = 0; i < events.length; i++) {
    const event = events[i] as Uint8Array;
    at += chunks.write(heads[i] as string, at, 'latin1');
    chunks.set(event, at);
    at += event.length;
    chunks[at++] = CARRIAGE_RETURN;
    chunks[at++] = LINE_FEED;
  }
  return chunks;
}

export function createStreamWriter(response: ServerResponse, options: StreamWriterOptions): StreamWriter {
  const { clock, maxUnsentBytes = 16 * 2 ** 20 } = options;
  let pending: Uint8Array[] = [];
  let pendingBytes = 0;
  let done = false;
  let why: StreamEnd = 'closed';
  response.flushHeaders();
  response.socket?.setNoDelay(true);

  const flush = (): void => {
    if (pendingBytes === 0 || response.destroyed) return;
    const { socket } = response;
    // What `response.write` would send, of all that waits in one piece; it costs a third of that.
    if (socket !== null && response.headersSent && response.chunkedEncoding) socket.write(chunksOf(pending));
    else for (const bytes of pending) response.write(bytes);
    pending = [];
    pendingBytes = 0;
  };
  // A client that went before this writer was made closes no more.
  const closed = (): void => {
    if (done) return;
    done = true;
    pending = [];
    pendingBytes = 0;
    options.ended(why);
  };
  if (response.closed || response.destroyed) clock.defer(closed);
  else response.on('close', closed);
  closeWithClient(response);

  return {
    write(bytes) {
      if (done || why === 'tooSlow' || bytes.length === 0) return;
      if (pendingBytes === 0) clock.defer(flush);
      pending.push(bytes);
      pendingBytes += bytes.length;
      if (pendingBytes + unsentOf(response) <= maxUnsentBytes) return;
      why = 'tooSlow';
      pending = [];
      pendingBytes = 0;
      response.destroy();
    },
    end() {
      if (done) return;
      done = true;
      flush();
      response.end();
    },
    get unsentBytes() {
      return pendingBytes + unsentOf(response);
    },
  };
}
