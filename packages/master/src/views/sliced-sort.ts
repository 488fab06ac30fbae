// Sorts lists of any length in pieces: all tasks of a large cluster at once would hold up the event loop.
//
// Owns: sorted runs, each at least twice as long as the next, which are merged when it no longer is.
// SLICED-SORT-1: between two pauses at most PIECE items are handled.

const PIECE = 1_000;

export interface SlicedSort<T> {
  /** Runs to its end to add an item; yields where the caller may pause. */
  add(item: T): Iterable<undefined>;
  /** Runs to its end before `sorted`; yields where the caller may pause. */
  end(): Iterable<undefined>;
  /** Equal items in the order in which they were added. */
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
