// Virtual time: a heap orders the scheduled callbacks by (time, sequence). Nothing waits for real time.
//
// Owns: the scheduled callbacks and the virtual time. Callbacks scheduled for the current time, half of all, go to a queue
// instead of the heap; they run after those that the heap has for this time.
// TIMELINE-1: callbacks due at the same time run in the order in which they were scheduled.
// TIMELINE-2: time never goes back; nothing is scheduled in the past.
// TIMELINE-3: a cancelled callback is removed at once: an entry knows its index.
import { assert } from '@meseta/base';

export interface Scheduled {
  readonly atMs: number;
  readonly sequence: number;
  readonly run: () => void;
  /** The index in the heap, or `NOWHERE` or `QUEUED`. */
  readonly place: number;
}

export interface Timeline {
  /** Milliseconds since the start of the simulation. */
  nowMs(): number;
  at(atMs: number, run: () => void): Scheduled;
  after(delayMs: number, run: () => void): Scheduled;
  cancel(scheduled: Scheduled | undefined): void;
  /** Runs all callbacks that are due until `untilMs`, inclusive. */
  runUntil(untilMs: number): void;
  /** The number of callbacks that ran. */
  count(): number;
  /** The number of scheduled callbacks. */
  pending(): number;
}

/** Cancelled, or run. */
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

/** Moves `entry` from a free place up to where it belongs. */
function siftUp(heap: Entry[], place: number, entry: Entry): void {
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

/** Moves `entry` from a free place down to where it belongs. */
function siftDown(heap: Entry[], place: number, entry: Entry): void {
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

function sift(heap: Entry[], place: number, entry: Entry): void {
  if (place > 0 && before(entry, heap[(place - 1) >> 1] as Entry)) siftUp(heap, place, entry);
  else siftDown(heap, place, entry);
}

function remove(heap: Entry[], entry: Entry): void {
  const { place } = entry;
  entry.place = NOWHERE;
  const last = heap.pop() as Entry;
  if (last !== entry) sift(heap, place, last);
}

/** The callbacks due at the current time, in the order in which they were scheduled. The array is reused. */
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

function removeFromQueue(queue: Queue, entry: Entry): void {
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

  const insert = (entry: Entry): void => {
    const { atMs } = entry;
    if (!(atMs >= nowMs)) assert(false, `cannot schedule a callback at ${atMs}, which is before ${nowMs}`);
    if (atMs === nowMs) enqueue(queue, entry);
    else siftUp(heap, heap.length, entry);
  };

  const removeEntry = (entry: Entry): void => {
    if (entry.place === QUEUED) removeFromQueue(queue, entry);
    else remove(heap, entry);
  };

  const at = (atMs: number, run: () => void): Scheduled => {
    const entry: Entry = { atMs, sequence: sequence++, run, place: NOWHERE };
    insert(entry);
    return entry;
  };

  /** TIMELINE-1: the heap's entries for the current time were scheduled before those in the queue. */
  const takeNext = (untilMs: number): Entry | undefined => {
    const hasQueued = queue.head < queue.tail;
    const first = heap[0];
    if (first !== undefined && first.atMs <= (hasQueued ? nowMs : untilMs)) {
      remove(heap, first);
      return first;
    }
    return hasQueued ? dequeue(queue) : undefined;
  };

  return {
    nowMs: () => nowMs,
    at,
    after: (delayMs, run) => at(nowMs + Math.max(0, delayMs), run),
    cancel(scheduled) {
      if (isPending(scheduled)) removeEntry(scheduled);
    },
    runUntil(untilMs) {
      assert(untilMs >= nowMs, 'time never goes back');
      for (let next = takeNext(untilMs); next !== undefined; next = takeNext(untilMs)) {
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
