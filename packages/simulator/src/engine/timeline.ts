// Virtual time: one heap orders everything that will happen, by (time, sequence). Nothing waits for real time.
//
// Owns: what will happen, and what time it is.
// T1: what is due at the same time happens in the order in which it was asked for.
// T2: time never goes back; nothing is asked for in the past.
// T3: what was cancelled is held no longer: each entry knows its place in the heap.
import { assert } from '@meseta/base';

export interface Scheduled {
  readonly atMs: number;
  readonly sequence: number;
  readonly run: () => void;
  /** In the heap; `NOWHERE`: cancelled or done. */
  readonly place: number;
}

export interface Timeline {
  /** Milliseconds since the simulation began. */
  nowMs(): number;
  at(atMs: number, run: () => void): Scheduled;
  after(delayMs: number, run: () => void): Scheduled;
  cancel(scheduled: Scheduled | undefined): void;
  /** As if it were cancelled and asked for anew; it must be pending. */
  move(scheduled: Scheduled, atMs: number): void;
  /** Lets everything happen up to and with `untilMs`. */
  runUntil(untilMs: number): void;
  /** What has happened so far. */
  count(): number;
  /** What is still to happen. */
  pending(): number;
}

const NOWHERE = -1;

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

export function createTimeline(): Timeline {
  const heap: Entry[] = [];
  let nowMs = 0;
  let sequence = 0;
  let count = 0;

  const assertNotPast = (atMs: number): void => {
    if (!(atMs >= nowMs)) assert(false, `something was asked for at ${atMs}, which is before ${nowMs}`);
  };

  const at = (atMs: number, run: () => void): Scheduled => {
    assertNotPast(atMs);
    const entry: Entry = { atMs, sequence: sequence++, run, place: heap.length };
    rise(heap, heap.length, entry);
    return entry;
  };

  return {
    nowMs: () => nowMs,
    at,
    after: (delayMs, run) => at(nowMs + Math.max(0, delayMs), run),
    cancel(scheduled) {
      if (isPending(scheduled)) remove(heap, scheduled);
    },
    move(scheduled, atMs) {
      assertNotPast(atMs);
      assert(isPending(scheduled), 'what has happened or was cancelled can not be moved');
      const entry: Entry = scheduled;
      entry.atMs = atMs;
      entry.sequence = sequence++;
      settle(heap, entry.place, entry);
    },
    runUntil(untilMs) {
      for (let next = heap[0]; next !== undefined && next.atMs <= untilMs; next = heap[0]) {
        remove(heap, next);
        nowMs = next.atMs;
        count++;
        next.run();
      }
      nowMs = Math.max(nowMs, untilMs);
    },
    count: () => count,
    pending: () => heap.length,
  };
}
