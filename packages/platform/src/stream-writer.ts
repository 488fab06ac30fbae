// The event stream of one subscriber, a scheduler or an executor: bounded, flushed once per turn of the event loop.
//
// Owns: the bytes written in this turn. Boundary: bytes are opaque and already framed.
// STREAM-WRITER-1: bytes are sent in the order of `write`, each write as one HTTP chunk, as in Mesos' streams: some clients
//     take the bytes of one read for one event.
// STREAM-WRITER-2: the stream of a client that reads too slowly is closed when more than `maxUnsentBytes` wait besides the
//     largest unsent event; it never delays others. A client that reads receives every event, however large: it would get
//     an unacknowledged one again after each subscription.
// STREAM-WRITER-3: `ended` is called at most once, never from within `write`, and never after `end`.
// STREAM-WRITER-4: the sender of many events in answer to one call is notified when a backlog of them waits and when it has been
//     sent, so that a client that reads is never cut off for the length of its answer.
import type { ServerResponse } from 'node:http';
import type { Clock } from '@meseta/base';
import { closeWithClient } from './client-end.js';

export type StreamEnd = 'closed' | 'tooSlow';

export interface StreamWriterOptions {
  readonly clock: Clock;
  /** 16 MiB unless given. */
  readonly maxUnsentBytes?: number | undefined;
  /** The client has disconnected, or its stream was closed because it reads too slowly. */
  ended(why: StreamEnd): void;
  /** More than `BACKLOG_BYTES` wait, or no longer: by turns, from the first on. */
  backlog?(isWaiting: boolean): void;
}

export interface StreamWriter {
  /** Queues the bytes of one event; those of one turn are sent together. The response's head has been written. */
  write(bytes: Uint8Array): void;
  /** Ends the response after the queued bytes. */
  end(): void;
  readonly unsentBytes: number;
}

export const BACKLOG_BYTES = 2 ** 20;

const CARRIAGE_RETURN = 13;
const LINE_FEED = 10;

/** Bytes of a response that Node has not handed to the kernel. */
const unsentOf = (response: ServerResponse): number =>
  Math.max(response.writableLength, response.socket?.writableLength ?? 0);

/** The events as HTTP chunks (STREAM-WRITER-1). */
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
  let writtenBytes = 0;
  /** The largest unsent event. */
  let largest = { bytes: 0, endsAt: 0 };
  let done = false;
  let hasBacklog = false;
  let why: StreamEnd = 'closed';
  response.flushHeaders();
  response.socket?.setNoDelay(true);

  const reportBacklog = (unsentBytes: number): void => {
    if (done || hasBacklog === unsentBytes > BACKLOG_BYTES) return;
    hasBacklog = !hasBacklog;
    options.backlog?.(hasBacklog);
  };
  const onDrain = (): void => reportBacklog(pendingBytes + unsentOf(response));
  const { socket } = response;
  socket?.on('drain', onDrain);

  const flush = (): void => {
    if (pendingBytes === 0 || response.destroyed) return;
    // The same bytes as from `response.write` of each event, at a third of the cost.
    if (socket !== null && response.headersSent && response.chunkedEncoding) socket.write(chunksOf(pending));
    else for (const bytes of pending) response.write(bytes);
    pending = [];
    pendingBytes = 0;
    reportBacklog(unsentOf(response));
  };
  // If the client disconnected before this writer was created, 'close' was emitted already.
  const closed = (): void => {
    socket?.off('drain', onDrain);
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
      writtenBytes += bytes.length;
      const unsentBytes = pendingBytes + unsentOf(response);
      if (largest.endsAt <= writtenBytes - unsentBytes) largest = { bytes: 0, endsAt: 0 };
      if (bytes.length > largest.bytes) largest = { bytes: bytes.length, endsAt: writtenBytes };
      reportBacklog(unsentBytes);
      if (unsentBytes - largest.bytes <= maxUnsentBytes) return;
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
