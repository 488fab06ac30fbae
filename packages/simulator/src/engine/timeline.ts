// Virtual time: one heap orders everything that will happen, by (time, sequence). Nothing waits for real time.
//
// Owns: what will happen, and what time it is.
// T1: what is due at the same time happens in the order in which it was asked for.
// T2: time never goes back; nothing is asked for in the past.
import { assert } from '@meseta/base';

export interface Scheduled {
  readonly atMs: number;
  readonly sequence: number;
  /** undefined: cancelled or done. */
  run: (() => void) | undefined;
}

export interface Timeline {
  /** Milliseconds since the simulation began. */
  nowMs(): number;
  at(atMs: number, run: () => void): Scheduled;
  after(delayMs: number, run: () => void): Scheduled;
  /** Lets everything happen up to and with `untilMs`. */
  runUntil(untilMs: number): void;
  /** What has happened so far. */
  count(): number;
}

export const cancel = (scheduled: Scheduled | undefined): void => {
  if (scheduled !== undefined) scheduled.run = undefined;
};

const before = (a: Scheduled, b: Scheduled): boolean =>
  a.atMs < b.atMs || (a.atMs === b.atMs && a.sequence < b.sequence);

function push(heap: Scheduled[], entry: Scheduled): void {
  let i = heap.push(entry) - 1;
  while (i > 0) {
    const parent = (i - 1) >> 1;
    const above = heap[parent] as Scheduled;
    if (!before(entry, above)) break;
    heap[i] = above;
    i = parent;
  }
  heap[i] = entry;
}

function pop(heap: Scheduled[]): Scheduled {
  const first = heap[0] as Scheduled;
  const last = heap.pop() as Scheduled;
  if (heap.length === 0) return first;
  let i = 0;
  for (;;) {
    let child = 2 * i + 1;
    if (child >= heap.length) break;
    if (child + 1 < heap.length && before(heap[child + 1] as Scheduled, heap[child] as Scheduled)) child++;
    if (!before(heap[child] as Scheduled, last)) break;
    heap[i] = heap[child] as Scheduled;
    i = child;
  }
  heap[i] = last;
  return first;
}

export function createTimeline(): Timeline {
  const heap: Scheduled[] = [];
  let nowMs = 0;
  let sequence = 0;
  let count = 0;

  const at = (atMs: number, run: () => void): Scheduled => {
    assert(atMs >= nowMs, `something was asked for at ${atMs}, which is before ${nowMs}`);
    const entry: Scheduled = { atMs, sequence: sequence++, run };
    push(heap, entry);
    return entry;
  };

  return {
    nowMs: () => nowMs,
    at,
    after: (delayMs, run) => at(nowMs + Math.max(0, delayMs), run),
    runUntil(untilMs) {
      while (heap.length > 0 && (heap[0] as Scheduled).atMs <= untilMs) {
        const next = pop(heap);
        const { run } = next;
        if (run === undefined) continue;
        nowMs = next.atMs;
        next.run = undefined;
        count++;
        run();
      }
      nowMs = Math.max(nowMs, untilMs);
    },
    count: () => count,
  };
}
