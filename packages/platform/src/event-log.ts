// One log of encoded events for many subscribers with equal rights and media type.
//
// Owns: the last `ringBytes` of events, and a cursor a subscriber.
// E1: a subscriber sees its first bytes, then every event appended after `subscribe`, in order, once, or is cut off.
// E2: a stalled subscriber holds nothing but its cursor; one whose cursor falls off the ring is cut off.
// E3: events leave once a turn, once in 20 ms when there are many subscribers.
// E4: each event is an HTTP chunk of its own, as in the streams of Mesos; there are clients that count on it.
import type { ServerResponse } from 'node:http';
import type { Clock } from './clock.js';
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
   * `first` (a snapshot in pieces) goes out before the events that are appended from now on. The response's
   * head has been written. `ended` is called once, never from inside; answers what ends the subscription.
   */
  subscribe(response: ServerResponse, first: readonly Uint8Array[], ended: (why: StreamEnd) => void): () => void;
  readonly subscribers: number;
  /** Bytes that the ring holds. */
  readonly bytes: number;
}

const MANY = 64;
const MANY_DELAY_MS = 20;

interface Subscriber {
  readonly response: ServerResponse;
  first: readonly Uint8Array[];
  firstAt: number;
  /** The number of the next event to send. */
  cursor: number;
  draining: boolean;
  why: StreamEnd;
}

interface Ring {
  events: Uint8Array[];
  /** The number of the first event held. */
  start: number;
  bytes: number;
}

const endOf = (ring: Ring): number => ring.start + ring.events.length;

/** Writes until the subscriber has all or asks to drain. */
function pump(subscriber: Subscriber, ring: Ring): void {
  const { response } = subscriber;
  if (subscriber.draining || response.destroyed) return;
  let room = true;
  while (room && subscriber.firstAt < subscriber.first.length) {
    room = response.write(subscriber.first[subscriber.firstAt]);
    subscriber.firstAt++;
  }
  if (subscriber.firstAt === subscriber.first.length) subscriber.first = [];
  if (subscriber.first.length === 0) subscriber.firstAt = 0;
  while (room && subscriber.cursor < endOf(ring)) {
    room = response.write(ring.events[subscriber.cursor - ring.start]);
    subscriber.cursor++;
  }
  subscriber.draining = !room;
}

/** Lets go of the oldest events; cuts off who still needs them. */
function trim(ring: Ring, ringBytes: number, subscribers: ReadonlySet<Subscriber>): void {
  let drop = 0;
  while (ring.bytes > ringBytes && drop < ring.events.length) {
    ring.bytes -= (ring.events[drop] as Uint8Array).length;
    drop++;
  }
  if (drop === 0) return;
  ring.events = ring.events.slice(drop);
  ring.start += drop;
  for (const subscriber of subscribers) {
    if (subscriber.cursor >= ring.start) continue;
    subscriber.why = 'tooSlow';
    subscriber.response.destroy();
  }
}

export function createEventLog(options: EventLogOptions): EventLog {
  const { clock, ringBytes = 16 * 2 ** 20 } = options;
  const subscribers = new Set<Subscriber>();
  const ring: Ring = { events: [], start: 0, bytes: 0 };
  let scheduled = false;

  /** Events that everybody has are kept no longer. */
  const forgetSent = (): void => {
    let least = endOf(ring);
    for (const subscriber of subscribers) if (subscriber.why === 'closed') least = Math.min(least, subscriber.cursor);
    if (least === ring.start) return;
    for (const event of ring.events.slice(0, least - ring.start)) ring.bytes -= event.length;
    ring.events = ring.events.slice(least - ring.start);
    ring.start = least;
  };
  const flush = (): void => {
    scheduled = false;
    for (const subscriber of subscribers) if (subscriber.why === 'closed') pump(subscriber, ring);
    forgetSent();
    trim(ring, ringBytes, subscribers);
  };
  const schedule = (): void => {
    if (scheduled) return;
    scheduled = true;
    if (subscribers.size >= MANY) clock.setTimer(MANY_DELAY_MS, flush);
    else clock.defer(flush);
  };

  return {
    append(event) {
      if (subscribers.size === 0) return;
      ring.events.push(event);
      ring.bytes += event.length;
      schedule();
    },
    subscribe(response, first, ended) {
      const subscriber: Subscriber = {
        response,
        first,
        firstAt: 0,
        cursor: endOf(ring),
        draining: false,
        why: 'closed',
      };
      response.on('drain', () => {
        subscriber.draining = false;
        pump(subscriber, ring);
      });
      const closed = (): void => {
        if (subscribers.delete(subscriber)) ended(subscriber.why);
      };
      subscribers.add(subscriber);
      if (response.closed || response.destroyed) clock.defer(closed);
      else response.on('close', closed);
      response.flushHeaders();
      schedule();
      return () => {
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
