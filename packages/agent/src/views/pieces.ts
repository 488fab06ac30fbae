// JSON as a sequence of strings, each at most as long as one task's: a whole document may exceed the longest string.

export type Pieces = Iterable<string>;

/** A list, written element by element. */
export function* listPieces<T>(items: readonly T[], write: (item: T) => Pieces): Pieces {
  yield '[';
  for (const [i, item] of items.entries()) {
    if (i > 0) yield ',';
    yield* write(item);
  }
  yield ']';
}

/** A JSON object with more fields added at its end. */
export function* withLists(object: string, fields: readonly (readonly [name: string, value: Pieces])[]): Pieces {
  let before = object === '{}' ? '{' : `${object.slice(0, -1)},`;
  for (const [name, value] of fields) {
    yield `${before}"${name}":`;
    yield* value;
    before = ',';
  }
  yield fields.length === 0 ? object : '}';
}
