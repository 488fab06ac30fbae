// A rendering is a generator of pieces; the render queue takes pieces until a time slice is over.

export type Pieces = Generator<string | Uint8Array, void>;

/** The texts of the items, separated by commas; one piece per item. */
export function* separated<T>(items: Iterable<T>, write: (item: T) => string): Generator<string, void> {
  let first = true;
  for (const item of items) {
    yield first ? write(item) : `,${write(item)}`;
    first = false;
  }
}
