// Interns equal records, so that the parts that thousands of tasks have in common are in memory once.
//
// Owns: a table with the record interned last in each slot.
// Boundary: immutable plain data (objects, arrays, strings, numbers, booleans, bigints).
// INTERNER-1: the returned record equals the given one, field by field and in the same order.
// INTERNER-2: the table has at most one record in each slot; of two different records of one slot it has the last.
// INTERNER-3: the table keeps no record above `MAX_WEIGHT`, as it keeps records that nothing else has any more.

export type Intern = <T>(record: T) => T;

/** A power of two. A cluster has tens of different task records and hundreds of agents' addresses. */
const SLOTS = 4096;

/** Of a record: its characters, and `VALUE_WEIGHT` for each value in it. Records that many tasks share are far below. */
const MAX_WEIGHT = 16_384;
const VALUE_WEIGHT = 16;

export function createInterner(): Intern {
  const table: unknown[] = new Array<unknown>(SLOTS).fill(undefined);
  return <T>(record: T): T => {
    if (weightOf(record, MAX_WEIGHT) > MAX_WEIGHT) return record;
    const slot = hashOf(record, 17) & (SLOTS - 1);
    const known = table[slot];
    if (isSame(known, record)) return known as T;
    table[slot] = record;
    return record;
  };
}

/** The weight of the value, or some number above `most`. The recursion is bounded, as decoders limit the nesting. */
function weightOf(value: unknown, most: number): number {
  if (typeof value === 'string') return VALUE_WEIGHT + value.length;
  if (typeof value !== 'object' || value === null) return VALUE_WEIGHT;
  let weight = VALUE_WEIGHT;
  if (Array.isArray(value)) {
    for (const each of value) {
      weight += weightOf(each, most - weight);
      if (weight > most) return weight;
    }
    return weight;
  }
  for (const name in value) {
    weight += name.length + weightOf((value as Readonly<Record<string, unknown>>)[name], most - weight);
    if (weight > most) return weight;
  }
  return weight;
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

/** Hashes the length and the last characters, in which names and addresses differ most. */
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
