// One log of encoded events for many subscribers with equal rights and media type.
//
// Owns: the last `ringBytes` of events, framed as HTTP chunks once for all subscribers, and a cursor per subscriber.
// EVENT-LOG-1: a subscriber receives its first bytes, then every event appended after `subscribe` once and in order, or its
//     stream is closed.
// EVENT-LOG-2: a stalled subscriber costs its cursor only; its stream is closed when its cursor falls off the ring.
// EVENT-LOG-3: events are sent once per turn of the event loop, or every 20 ms with many subscribers, in one write per
//     subscriber; the writes to all subscribers take one slice per turn.
// EVENT-LOG-4: each event is one HTTP chunk, as in Mesos' streams; some clients rely on it.
import type { ServerResponse } from 'node:http';
import type { Clock } from '@meseta/base';
import { closeWithClient } from './client-end.js';
import type { StreamEnd } from './stream-writer.js';

export interface EventLogOptions {
  readonly clock: Clock;
  /** 16 MiB unless given. */
  readonly ringBytes?: number | undefined;
}

export interface EventLog {
  /** One event, encoded and framed. */
  append(event: Uint8Array): void;
  /**
   * `first` (a snapshot in pieces) is sent before the events that are appended from now on. The response's head has been
   * written. `ended` is called once, never from within a method. Returns a function that ends the subscription.
   */
  subscribe(response: ServerResponse, first: readonly Uint8Array[], ended: (why: StreamEnd) => void): () => void;
  readonly subscribers: number;
  /** Bytes that the ring holds. */
  readonly bytes: number;
}

const MANY_SUBSCRIBERS = 64;
const MANY_DELAY_MS = 20;
/** The time for writes in one turn of the event loop. */
const SLICE_MS = 2;
/** Written at a time to a subscriber that lags behind. */
const WINDOW_BYTES = 256 * 1024;

interface Subscriber {
  readonly response: ServerResponse;
  first: readonly Uint8Array[];
  firstAt: number;
  /** The number of the next batch to send. */
  cursor: number;
  draining: boolean;
  why: StreamEnd;
}

/** Events that are sent together. */
interface Batch {
  /** As HTTP chunks. */
  readonly bytes: Buffer;
  readonly events: readonly Uint8Array[];
}

interface Ring {
  batches: Batch[];
  /** The number of the first batch held. */
  start: number;
  /** Events not in a batch yet. */
  pending: Uint8Array[];
  pendingBytes: number;
  bytes: number;
}

const endOf = (ring: Ring): number => ring.start + ring.batches.length;

const CRLF = Buffer.from('\r\n');

/** Turns the pending events into a batch; later subscribers begin after it. */
function seal(ring: Ring): void {
  if (ring.pending.length === 0) return;
  const parts: Uint8Array[] = [];
  const places: (readonly [begin: number, end: number])[] = [];
  let at = 0;
  for (const event of ring.pending) {
    const head = Buffer.from(`${event.length.toString(16)}\r\n`);
    const begin = at + head.length;
    parts.push(head, event, CRLF);
    places.push([begin, begin + event.length]);
    at = begin + event.length + CRLF.length;
  }
  const bytes = Buffer.concat(parts, at);
  ring.batches.push({ bytes, events: places.map(([begin, end]) => bytes.subarray(begin, end)) });
  ring.bytes += at - ring.pendingBytes;
  ring.pending = [];
  ring.pendingBytes = 0;
}

/**
 * Writes a batch to the socket as it is. A client of HTTP/1.0, which has no chunks, gets its events through `response`.
 */
function writeBatch({ response }: Subscriber, { bytes, events }: Batch): boolean {
  if (response.chunkedEncoding) return response.socket?.write(bytes) ?? false;
  return events.reduce((_, event) => response.write(event), true);
}

/** Writes until the subscriber has received all events or its socket must drain. */
function pump(subscriber: Subscriber, ring: Ring): void {
  const { response } = subscriber;
  const { socket } = response;
  // Without a socket the response waits for earlier ones of its connection.
  if (subscriber.draining || response.destroyed || socket === null) return;
  let room = true;
  let window = WINDOW_BYTES;
  socket.cork();
  for (; window > 0 && subscriber.firstAt < subscriber.first.length; subscriber.firstAt++) {
    const piece = subscriber.first[subscriber.firstAt] as Uint8Array;
    room = response.write(piece);
    window -= piece.length;
  }
  if (subscriber.firstAt === subscriber.first.length) subscriber.first = [];
  if (subscriber.first.length === 0) subscriber.firstAt = 0;
  for (; window > 0 && subscriber.first.length === 0 && subscriber.cursor < endOf(ring); subscriber.cursor++) {
    const batch = ring.batches[subscriber.cursor - ring.start] as Batch;
    room = writeBatch(subscriber, batch);
    window -= batch.bytes.length;
  }
  socket.uncork();
  subscriber.draining = !room;
}

/** Drops the oldest events; closes the streams of subscribers that still need them. */
function trim(ring: Ring, ringBytes: number, subscribers: ReadonlySet<Subscriber>): void {
  let drop = 0;
  while (ring.bytes > ringBytes && drop < ring.batches.length) {
    ring.bytes -= (ring.batches[drop] as Batch).bytes.length;
    drop++;
  }
  if (drop === 0) return;
  ring.batches = ring.batches.slice(drop);
  ring.start += drop;
  for (const subscriber of subscribers) {
    if (subscriber.cursor >= ring.start) continue;
    subscriber.why = 'tooSlow';
    subscriber.response.destroy();
  }
}

/** Drops the events that every subscriber has received. */
function forgetSent(ring: Ring, subscribers: ReadonlySet<Subscriber>): void {
  let least = endOf(ring);
  for (const subscriber of subscribers) if (subscriber.why === 'closed') least = Math.min(least, subscriber.cursor);
  if (least === ring.start) return;
  for (const { bytes } of ring.batches.slice(0, least - ring.start)) ring.bytes -= bytes.length;
  ring.batches = ring.batches.slice(least - ring.start);
  ring.start = least;
}

/** Writes to all subscribers in slices; events that arrive meanwhile are sent in the next round. */
function createSender(clock: Clock, ring: Ring, subscribers: ReadonlySet<Subscriber>, sent: () => void): () => void {
  let sending = false;
  let again = false;
  const slice = (left: Iterator<Subscriber>): void => {
    const until = clock.now().monoMs + SLICE_MS;
    for (let next = left.next(); next.done !== true; next = left.next()) {
      if (next.value.why === 'closed') pump(next.value, ring);
      if (clock.now().monoMs >= until) return clock.defer(() => slice(left));
    }
    sent();
    sending = again;
    again = false;
    if (sending) clock.defer(() => slice(subscribers.values()));
  };
  return () => {
    again = sending;
    if (sending) return;
    sending = true;
    slice(subscribers.values());
  };
}

export function createEventLog(options: EventLogOptions): EventLog {
  const { clock, ringBytes = 16 * 2 ** 20 } = options;
  const subscribers = new Set<Subscriber>();
  const ring: Ring = { batches: [], start: 0, pending: [], pendingBytes: 0, bytes: 0 };
  let scheduled = false;

  const send = createSender(clock, ring, subscribers, () => {
    forgetSent(ring, subscribers);
    trim(ring, ringBytes, subscribers);
  });
  const flush = (): void => {
    scheduled = false;
    seal(ring);
    send();
  };
  const schedule = (): void => {
    if (scheduled) return;
    scheduled = true;
    if (subscribers.size >= MANY_SUBSCRIBERS) clock.setTimer(MANY_DELAY_MS, flush);
    else clock.defer(flush);
  };
  const add = (response: ServerResponse, first: readonly Uint8Array[]): Subscriber => {
    seal(ring);
    const subscriber: Subscriber = { response, first, firstAt: 0, cursor: endOf(ring), draining: false, why: 'closed' };
    subscribers.add(subscriber);
    return subscriber;
  };

  return {
    append(event) {
      if (subscribers.size === 0) return;
      ring.pending.push(event);
      ring.pendingBytes += event.length;
      ring.bytes += event.length;
      schedule();
    },
    subscribe(response, first, ended) {
      const subscriber = add(response, first);
      const drained = (): void => {
        subscriber.draining = false;
        pump(subscriber, ring);
      };
      const closed = (): void => {
        if (subscribers.delete(subscriber)) ended(subscriber.why);
      };
      whenConnected(response, () => onDrain(response, drained), schedule);
      if (response.closed || response.destroyed) clock.defer(closed);
      else response.on('close', closed);
      closeWithClient(response);
      response.flushHeaders();
      schedule();
      return () => {
        seal(ring);
        if (!subscribers.delete(subscriber)) return;
        pump(subscriber, ring);
        response.end();
      };
    },
    get subscribers() {
      return subscribers.size;
    },
    get bytes() {
      return ring.bytes;
    },
  };
}

/** Listens on the socket: batches bypass the response, which emits no 'drain' for them. */
function onDrain({ socket }: ServerResponse, drained: () => void): () => void {
  socket?.on('drain', drained);
  return () => socket?.off('drain', drained);
}

/** Calls `begin` once the response has a socket, which it gets after earlier responses; `begin` returns its cleanup. */
function whenConnected(response: ServerResponse, begin: () => () => void, connected: () => void): void {
  if (response.socket === null) {
    response.once('socket', () => {
      response.once('close', begin());
      connected();
    });
  } else response.once('close', begin());
}
