// A history that keeps the last N items.

export interface History<T> {
  readonly size: number;
  /** Drops the oldest item when the limit is passed. */
  push(item: T): void;
  has(item: T): boolean;
  delete(item: T): void;
  /** Oldest first. */
  values(): IterableIterator<T>;
}

export function createHistory<T>(limit: number): History<T> {
  const items = new Set<T>();
  return {
    get size() {
      return items.size;
    },
    push(item) {
      if (limit === 0) return;
      items.add(item);
      if (items.size <= limit) return;
      for (const oldest of items) {
        items.delete(oldest);
        return;
      }
    },
    has: (item) => items.has(item),
    delete: (item) => void items.delete(item),
    values: () => items.values(),
  };
}
