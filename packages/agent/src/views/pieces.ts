// JSON in pieces, none longer than one task's: a document of all of them may be longer than a string can be.

export type Pieces = Iterable<string>;

/** A list, each element in pieces of its own. */
export function* listPieces<T>(items: readonly T[], write: (item: T) => Pieces): Pieces {
  yield '[';
  for (const [i, item] of items.entries()) {
    if (i > 0) yield ',';
    yield* write(item);
  }
  yield ']';
}

/** An object that is at hand with more fields at its end. */
export function* withLists(object: string, fields: readonly (readonly [name: string, value: Pieces])[]): Pieces {
  let before = object === '{}' ? '{' : `${object.slice(0, -1)},`;
  for (const [name, value] of fields) {
    yield `${before}"${name}":`;
    yield* value;
    before = ',';
  }
  yield fields.length === 0 ? object : '}';
}
