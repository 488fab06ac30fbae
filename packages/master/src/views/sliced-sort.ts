// Sorts lists in slices, because sorting all tasks of a large cluster at once would block the event loop.
//
// Owns: sorted runs. Each is at least twice as long as the next one; otherwise they are merged.
// SLICED-SORT-1: at most PIECE items are handled between two yields.

const PIECE = 1_000;

export interface SlicedSort<T> {
  /** Adds an item. The caller runs it to its end, and may pause at each yield. */
  add(item: T): Iterable<undefined>;
  /** Ends the sort, before `sorted` is called. The caller runs it to its end, and may pause at each yield. */
  end(): Iterable<undefined>;
  /** Equal items keep the order in which they were added. */
  sorted(): readonly T[];
}

/** Keeps the first `most` items. */
export function createSlicedSort<T>(compare: (a: T, b: T) => number, most: number): SlicedSort<T> {
  const runs: T[][] = [];
  let added: T[] = [];

  const closeRun = (): void => {
    runs.push(added.sort(compare).slice(0, most));
    added = [];
  };

  function* mergeLast(): Iterable<undefined> {
    const second = runs.pop() ?? [];
    const first = runs.pop() ?? [];
    const merged: T[] = [];
    let [i, k] = [0, 0];
    while (merged.length < most && (i < first.length || k < second.length)) {
      const isFirst = k >= second.length || (i < first.length && compare(first[i] as T, second[k] as T) <= 0);
      merged.push((isFirst ? first[i++] : second[k++]) as T);
      if (merged.length % PIECE === 0) yield;
    }
    runs.push(merged);
  }

  const isLastTooLong = (): boolean => {
    const [before, last] = [runs.at(-2), runs.at(-1)];
    return before !== undefined && last !== undefined && before.length < 2 * last.length;
  };

  return {
    *add(item) {
      added.push(item);
      if (added.length < PIECE) return;
      closeRun();
      yield;
      while (isLastTooLong()) yield* mergeLast();
    },
    *end() {
      closeRun();
      while (runs.length > 1) yield* mergeLast();
    },
    sorted: () => runs[0] ?? [],
  };
}
