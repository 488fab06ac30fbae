// A core's timers: a heap of deadlines, each with a key and a generation.
//
// Owns: which key is due when. Boundary: it never fires anything; the core asks for
// what is due at each input, the shell and the simulator hold one timer a core.
// DEADLINES-1: a key has at most one live deadline; setting it again replaces the old one.
// DEADLINES-2: `due` yields keys in the order of (deadline, time of setting).

interface Entry<K> {
  readonly key: K;
  readonly atMs: number;
  readonly generation: number;
}

export interface Deadlines<K> {
  set(key: K, atMonoMs: number): void;
  cancel(key: K): void;
  has(key: K): boolean;
  /** The earliest live deadline, or undefined. */
  next(): number | undefined;
  /** Takes out one key whose deadline is at or before `monoMs`; undefined when none is left. */
  takeDue(monoMs: number): K | undefined;
}

export function createDeadlines<K>(): Deadlines<K> {
  const heap: Entry<K>[] = [];
  const live = new Map<K, number>();
  let generation = 0;

  const before = (a: Entry<K>, b: Entry<K>): boolean =>
    a.atMs < b.atMs || (a.atMs === b.atMs && a.generation < b.generation);

  const push = (entry: Entry<K>): void => {
    let i = heap.push(entry) - 1;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      const above = heap[parent] as Entry<K>;
      if (!before(entry, above)) break;
      heap[i] = above;
      i = parent;
    }
    heap[i] = entry;
  };

  const pop = (): void => {
    const last = heap.pop() as Entry<K>;
    if (heap.length === 0) return;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1] as Entry<K>, heap[child] as Entry<K>)) child++;
      if (!before(heap[child] as Entry<K>, last)) break;
      heap[i] = heap[child] as Entry<K>;
      i = child;
    }
    heap[i] = last;
  };

  const top = (): Entry<K> | undefined => {
    for (;;) {
      const first = heap[0];
      if (first === undefined || live.get(first.key) === first.generation) return first;
      pop();
    }
  };

  return {
    set(key, atMonoMs) {
      generation++;
      live.set(key, generation);
      push({ key, atMs: atMonoMs, generation });
    },
    cancel(key) {
      live.delete(key);
    },
    has: (key) => live.has(key),
    next: () => top()?.atMs,
    takeDue(monoMs) {
      const first = top();
      if (first === undefined || first.atMs > monoMs) return undefined;
      pop();
      live.delete(first.key);
      return first.key;
    },
  };
}
