// Snapshots of the state of a machine.

type Plain = Readonly<Record<string, unknown>>;

/**
 * A deep copy of plain data: records, lists, Maps, Sets and Uint8Arrays; values that appear twice are copied once. Values
 * for which `isGiven` is true are not copied. Throws for a function or an instance of a class, as these may hold state that
 * no copy has.
 */
export function snapshotOf<T>(value: T, isGiven: (value: object) => boolean): T {
  const copies = new Map<object, unknown>();
  const copyOf = (original: unknown, path: string): unknown => {
    if (typeof original !== 'function' && (typeof original !== 'object' || original === null)) return original;
    if (isGiven(original)) return original;
    if (copies.has(original)) return copies.get(original);
    if (original instanceof Map) {
      const copy = new Map<unknown, unknown>();
      copies.set(original, copy);
      for (const [key, item] of original) copy.set(copyOf(key, `${path} key`), copyOf(item, `${path}[${String(key)}]`));
      return copy;
    }
    if (original instanceof Set) {
      const copy = new Set<unknown>();
      copies.set(original, copy);
      for (const item of original) copy.add(copyOf(item, `${path} item`));
      return copy;
    }
    if (Array.isArray(original)) {
      const copy: unknown[] = [];
      copies.set(original, copy);
      for (const [at, item] of original.entries()) copy.push(copyOf(item, `${path}[${at}]`));
      return copy;
    }
    if (original instanceof Uint8Array) {
      const copy = original.slice();
      copies.set(original, copy);
      return copy;
    }
    if (typeof original === 'function' || Object.getPrototypeOf(original) !== Object.prototype) {
      throw new Error(
        `${path}: expected plain data, got ${typeof original === 'function' ? 'a function' : 'an instance'}`,
      );
    }
    const copy: Record<string, unknown> = {};
    copies.set(original, copy);
    for (const [name, item] of Object.entries(original as Plain)) copy[name] = copyOf(item, `${path}.${name}`);
    return copy;
  };
  return copyOf(value, 'state') as T;
}
