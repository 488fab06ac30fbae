// Deadlines of keys, in a heap. They are plain data, which only the functions of this module change.
//
// Owns: the deadline of each key. Boundary: no callbacks; the owner calls `takeDueDeadline` for the keys that are due.
// DEADLINES-1: a key has at most one live deadline; setting it again replaces the old one.
// DEADLINES-2: `takeDueDeadline` returns keys in the order of (deadline, time of setting).
// DEADLINES-3: after a deadline is set, the heap has at most `MAX_STALE` stale entries more than live ones, so that a peer
//     that causes a distant deadline to be set again and again does not fill the memory.
import { pushAll } from './lists.js';

/** Stale entries that are not worth rebuilding the heap. */
const MAX_STALE = 64;

interface Entry<K> {
  readonly key: K;
  readonly atMonoMs: number;
  readonly generation: number;
}

export interface Deadlines<K> {
  /** A binary heap, earliest first. Entries whose generation is not the live one of their key are stale. */
  readonly heap: Entry<K>[];
  /** The generation of each key's live deadline. */
  readonly live: Map<K, number>;
  lastGeneration: number;
}

export const createDeadlines = <K>(): Deadlines<K> => ({ heap: [], live: new Map(), lastGeneration: 0 });

export function setDeadline<K>(deadlines: Deadlines<K>, key: K, atMonoMs: number): void {
  deadlines.lastGeneration++;
  deadlines.live.set(key, deadlines.lastGeneration);
  push(deadlines.heap, { key, atMonoMs, generation: deadlines.lastGeneration });
  if (deadlines.heap.length > 2 * deadlines.live.size + MAX_STALE) removeStale(deadlines);
}

export function cancelDeadline<K>(deadlines: Deadlines<K>, key: K): void {
  deadlines.live.delete(key);
}

/** The earliest live deadline; undefined if there is none. */
export const earliestDeadline = <K>(deadlines: Deadlines<K>): number | undefined => earliest(deadlines)?.atMonoMs;

/** Removes and returns the first key whose deadline is at or before `monoMs`; undefined if there is none. */
export function takeDueDeadline<K>(deadlines: Deadlines<K>, monoMs: number): K | undefined {
  const first = earliest(deadlines);
  if (first === undefined || first.atMonoMs > monoMs) return undefined;
  removeFirst(deadlines.heap);
  deadlines.live.delete(first.key);
  return first.key;
}

/** The first live entry; stale ones before it are removed. */
function earliest<K>({ heap, live }: Deadlines<K>): Entry<K> | undefined {
  for (;;) {
    const first = heap[0];
    if (first === undefined || live.get(first.key) === first.generation) return first;
    removeFirst(heap);
  }
}

function removeStale<K>({ heap, live }: Deadlines<K>): void {
  const kept = heap.filter(({ key, generation }) => live.get(key) === generation);
  heap.length = 0;
  // A sorted list is a heap.
  pushAll(
    heap,
    kept.sort((a, b) => (isBefore(a, b) ? -1 : 1)),
  );
}

const isBefore = <K>(a: Entry<K>, b: Entry<K>): boolean =>
  a.atMonoMs < b.atMonoMs || (a.atMonoMs === b.atMonoMs && a.generation < b.generation);

function push<K>(heap: Entry<K>[], entry: Entry<K>): void {
  let i = heap.push(entry) - 1;
  while (i > 0) {
    const parent = (i - 1) >> 1;
    const above = heap[parent] as Entry<K>;
    if (!isBefore(entry, above)) break;
    heap[i] = above;
    i = parent;
  }
  heap[i] = entry;
}

function removeFirst<K>(heap: Entry<K>[]): void {
  const last = heap.pop() as Entry<K>;
  if (heap.length === 0) return;
  let i = 0;
  for (;;) {
    let child = 2 * i + 1;
    if (child >= heap.length) break;
    if (child + 1 < heap.length && isBefore(heap[child + 1] as Entry<K>, heap[child] as Entry<K>)) child++;
    if (!isBefore(heap[child] as Entry<K>, last)) break;
    heap[i] = heap[child] as Entry<K>;
    i = child;
  }
  heap[i] = last;
}
