// Equal records become one: what a master keeps of thousands of tasks of one shape it keeps once.
//
// Owns: the records given last, one a slot of its table.
// Boundary: plain data that never changes (objects, arrays, strings, numbers, booleans, bigints).
// INTERNER-1: the answer equals what was given, field by field and in the same order, so nobody can tell whether it was shared.
// INTERNER-2: it holds at most one record a slot, whatever it is given; two that fall into one slot take turns and are kept apart.

export type Intern = <T>(record: T) => T;

/** A power of two: shapes of a cluster's tasks are tens, their agents' addresses hundreds. */
const SLOTS = 4096;

export function createInterner(): Intern {
  const table: unknown[] = new Array<unknown>(SLOTS).fill(undefined);
  return <T>(record: T): T => {
    const slot = hashOf(record, 17) & (SLOTS - 1);
    const known = table[slot];
    if (isSame(known, record)) return known as T;
    table[slot] = record;
    return record;
  };
}

const mixed = (hash: number, bits: number): number => (Math.imul(hash, 31) + bits) | 0;

function hashOf(value: unknown, hash: number): number {
  if (typeof value === 'string') return hashOfText(value, hash);
  if (typeof value === 'number') return mixed(hash, value * 1000);
  if (typeof value !== 'object' || value === null) return mixed(hash, value === true ? 1 : 2);
  let sum = mixed(hash, Array.isArray(value) ? 3 : 4);
  if (Array.isArray(value)) for (const each of value) sum = hashOf(each, sum);
  else
    for (const name in value) sum = hashOf((value as Readonly<Record<string, unknown>>)[name], mixed(sum, name.length));
  return sum;
}

/** Of its length and its last characters, in which names and addresses differ most. */
function hashOfText(text: string, hash: number): number {
  let sum = mixed(hash, text.length);
  for (let at = Math.max(0, text.length - 8); at < text.length; at++) sum = mixed(sum, text.charCodeAt(at));
  return sum ^ (sum >>> 13);
}

function isSame(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a)) {
    return Array.isArray(b) && a.length === b.length && a.every((each, at) => isSame(each, b[at]));
  }
  if (Array.isArray(b)) return false;
  const names = Object.keys(a);
  const others = Object.keys(b);
  return (
    names.length === others.length &&
    names.every((name, at) => name === others[at] && isSame(a[name as keyof typeof a], b[name as keyof typeof b]))
  );
}
