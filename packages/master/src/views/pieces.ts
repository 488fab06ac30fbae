// A rendering is a generator of pieces: the render queue takes as many as fit a slice of time.

export type Pieces = Generator<string | Uint8Array, void>;

/** The items' texts with commas between them, an item a piece. */
export function* separated<T>(items: Iterable<T>, write: (item: T) => string): Generator<string, void> {
  let first = true;
  for (const item of items) {
    yield first ? write(item) : `,${write(item)}`;
    first = false;
  }
}
