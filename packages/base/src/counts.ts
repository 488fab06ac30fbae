// Counts of keys, and the key with the largest count. When a limit is reached, the key that has the most loses one of its own.
//
// Owns: the count of each key. Boundary: the owner limits the number of keys.
// COUNTS-1: no operation visits the keys one by one, as peers choose their number.

export interface Counts<K> {
  has(key: K): boolean;
  /** Increases the count of the key, from 0 if it has none. */
  add(key: K): void;
  /** Decreases the count of the key; a key whose count reaches 0 is removed. */
  subtract(key: K): void;
  /** The key with the largest count, of several the one whose count is unchanged for longest; undefined without keys. */
  largest(): K | undefined;
}

export function createCounts<K>(): Counts<K> {
  const counts = new Map<K, number>();
  /** The keys of each count, without empty sets. */
  const keysByCount = new Map<number, Set<K>>();
  let most = 0;
  const removeFrom = (count: number, key: K): void => {
    const keys = keysByCount.get(count);
    keys?.delete(key);
    if (keys?.size === 0) keysByCount.delete(count);
  };
  const setCount = (key: K, count: number): void => {
    counts.set(key, count);
    const keys = keysByCount.get(count);
    if (keys === undefined) keysByCount.set(count, new Set([key]));
    else keys.add(key);
  };
  return {
    has: (key) => counts.has(key),
    add(key) {
      const count = counts.get(key) ?? 0;
      removeFrom(count, key);
      setCount(key, count + 1);
      if (count + 1 > most) most = count + 1;
    },
    subtract(key) {
      const count = counts.get(key);
      if (count === undefined) return;
      removeFrom(count, key);
      if (count === 1) counts.delete(key);
      else setCount(key, count - 1);
      // The key itself has one less now, so no count between is the largest.
      if (!keysByCount.has(most)) most--;
    },
    largest: () => keysByCount.get(most)?.values().next().value,
  };
}
