// Lists of any length: `list.push(...items)` and `Math.min(...values)` make an argument of each, and V8 has room for some
// hundred thousand of those.

/** Appends the items, in their order. */
export function pushAll<T>(list: T[], items: Iterable<T>): void {
  for (const item of items) list.push(item);
}

/** Infinity for none. */
export function smallest(values: Iterable<number>): number {
  let least = Number.POSITIVE_INFINITY;
  for (const value of values) if (value < least) least = value;
  return least;
}
