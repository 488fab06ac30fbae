// Functions for lists of any length: `list.push(...items)` and `Math.min(...values)` pass each item as an argument, and V8
// fails beyond some hundred thousand arguments.

/** Appends the items in their order. */
export function pushAll<T>(list: T[], items: Iterable<T>): void {
  for (const item of items) list.push(item);
}

/** The smallest value; Infinity if there is none. */
export function smallest(values: Iterable<number>): number {
  let least = Number.POSITIVE_INFINITY;
  for (const value of values) if (value < least) least = value;
  return least;
}
