// Virtual time: one heap orders everything that will happen, by (time, sequence). Nothing waits for real time.
//
// Owns: what will happen, and what time it is. What is asked for at this very time, which is half of all, would rise to
// the top of the heap only to be taken from there: it stands in a queue instead, behind what the heap has for this time.
// TIMELINE-1: what is due at the same time happens in the order in which it was asked for.
// TIMELINE-2: time never goes back; nothing is asked for in the past.
// TIMELINE-3: what was cancelled is held no longer: an entry knows its place.
import { assert } from '@meseta/base';

export interface Scheduled {
  readonly atMs: number;
  readonly sequence: number;
  readonly run: () => void;
  /** In the heap; or one of the two below. */
  readonly place: number;
}

export interface Timeline {
  /** Milliseconds since the simulation began. */
  nowMs(): number;
  at(atMs: number, run: () => void): Scheduled;
  after(delayMs: number, run: () => void): Scheduled;
  cancel(scheduled: Scheduled | undefined): void;
  /** Lets everything happen up to and with `untilMs`. */
  runUntil(untilMs: number): void;
  /** What has happened so far. */
  count(): number;
  /** What is still to happen. */
  pending(): number;
}

/** Cancelled or done. */
const NOWHERE = -1;
const QUEUED = -2;

export const isPending = (scheduled: Scheduled | undefined): scheduled is Scheduled =>
  scheduled !== undefined && scheduled.place !== NOWHERE;

interface Entry extends Scheduled {
  atMs: number;
  sequence: number;
  place: number;
}

const before = (a: Entry, b: Entry): boolean => a.atMs < b.atMs || (a.atMs === b.atMs && a.sequence < b.sequence);

function put(heap: Entry[], place: number, entry: Entry): void {
  heap[place] = entry;
  entry.place = place;
}

/** From a free place upwards, to where `entry` belongs. */
function rise(heap: Entry[], place: number, entry: Entry): void {
  let free = place;
  while (free > 0) {
    const parent = (free - 1) >> 1;
    const above = heap[parent] as Entry;
    if (!before(entry, above)) break;
    put(heap, free, above);
    free = parent;
  }
  put(heap, free, entry);
}

/** From a free place downwards. */
function sink(heap: Entry[], place: number, entry: Entry): void {
  let free = place;
  for (;;) {
    let child = 2 * free + 1;
    if (child >= heap.length) break;
    if (child + 1 < heap.length && before(heap[child + 1] as Entry, heap[child] as Entry)) child++;
    const below = heap[child] as Entry;
    if (!before(below, entry)) break;
    put(heap, free, below);
    free = child;
  }
  put(heap, free, entry);
}

function settle(heap: Entry[], place: number, entry: Entry): void {
  if (place > 0 && before(entry, heap[(place - 1) >> 1] as Entry)) rise(heap, place, entry);
  else sink(heap, place, entry);
}

function remove(heap: Entry[], entry: Entry): void {
  const { place } = entry;
  entry.place = NOWHERE;
  const last = heap.pop() as Entry;
  if (last !== entry) settle(heap, place, last);
}

/** What is due at this very time, in the order in which it was asked for. Its places are used again and again. */
interface Queue {
  readonly entries: (Entry | undefined)[];
  head: number;
  tail: number;
}

function enqueue(queue: Queue, entry: Entry): void {
  entry.place = QUEUED;
  queue.entries[queue.tail++] = entry;
}

function dequeue(queue: Queue): Entry {
  const entry = queue.entries[queue.head] as Entry;
  queue.entries[queue.head++] = undefined;
  if (queue.head === queue.tail) {
    queue.head = 0;
    queue.tail = 0;
  }
  entry.place = NOWHERE;
  return entry;
}

function leaveQueue(queue: Queue, entry: Entry): void {
  const place = queue.entries.indexOf(entry, queue.head);
  queue.entries.copyWithin(place, place + 1, queue.tail);
  queue.entries[--queue.tail] = undefined;
  entry.place = NOWHERE;
}

export function createTimeline(): Timeline {
  const heap: Entry[] = [];
  const queue: Queue = { entries: [], head: 0, tail: 0 };
  let nowMs = 0;
  let sequence = 0;
  let count = 0;

  const place = (entry: Entry): void => {
    const { atMs } = entry;
    if (!(atMs >= nowMs)) assert(false, `something was asked for at ${atMs}, which is before ${nowMs}`);
    if (atMs === nowMs) enqueue(queue, entry);
    else rise(heap, heap.length, entry);
  };

  const displace = (entry: Entry): void => {
    if (entry.place === QUEUED) leaveQueue(queue, entry);
    else remove(heap, entry);
  };

  const at = (atMs: number, run: () => void): Scheduled => {
    const entry: Entry = { atMs, sequence: sequence++, run, place: NOWHERE };
    place(entry);
    return entry;
  };

  /** TIMELINE-1: what the heap has for this time was asked for before anything in the queue. */
  const take = (untilMs: number): Entry | undefined => {
    const waiting = queue.head < queue.tail;
    const first = heap[0];
    if (first !== undefined && first.atMs <= (waiting ? nowMs : untilMs)) {
      remove(heap, first);
      return first;
    }
    return waiting ? dequeue(queue) : undefined;
  };

  return {
    nowMs: () => nowMs,
    at,
    after: (delayMs, run) => at(nowMs + Math.max(0, delayMs), run),
    cancel(scheduled) {
      if (isPending(scheduled)) displace(scheduled);
    },
    runUntil(untilMs) {
      assert(untilMs >= nowMs, 'time never goes back');
      for (let next = take(untilMs); next !== undefined; next = take(untilMs)) {
        nowMs = next.atMs;
        count++;
        next.run();
      }
      nowMs = untilMs;
    },
    count: () => count,
    pending: () => heap.length + queue.tail - queue.head,
  };
}
