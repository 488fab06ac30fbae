// Quantities: the amount of each resource name in thousandths, whatever the metadata. Limits have the same form but keep
// zeros; a name without an entry has no limit.
import { err, ok, type Result } from '@meseta/base';
import { fromThousandths, toThousandths } from '@meseta/wire/scalars';
import type { Resources } from './algebra.js';
import { isScalar, thousandthsOf } from './kinds.js';
import { distinctShared } from './lists.js';
import { parseNumber } from './numbers.js';

/** Parallel arrays, sorted by name (code units), frozen, without zero amounts. */
export interface Quantities {
  readonly names: readonly string[];
  readonly amounts: readonly number[];
}

/** As `Quantities`, with zeros. */
export type Limits = Quantities;

export const noQuantities: Quantities = freeze([], []);

function freeze(names: string[], amounts: number[]): Quantities {
  return Object.freeze({ names: Object.freeze(names), amounts: Object.freeze(amounts) });
}

/** Quantities of amounts in thousandths. */
export function quantitiesFromAmounts(amounts: ReadonlyMap<string, number>): Quantities {
  const names = [...amounts.keys()].filter((name) => amounts.get(name) !== 0).sort();
  if (names.length === 0) return noQuantities;
  return freeze(
    names,
    names.map((name) => amounts.get(name) as number),
  );
}

/** The sums of the scalars; copies of a shared resource count once, ranges and sets do not count. */
export function quantitiesOf(list: Resources): Quantities {
  const amounts = new Map<string, number>();
  for (const resource of distinctShared(list)) {
    if (isScalar(resource)) amounts.set(resource.name, (amounts.get(resource.name) ?? 0) + thousandthsOf(resource));
  }
  return quantitiesFromAmounts(amounts);
}

type Values = Readonly<Record<string, number | { readonly value: number }>>;
const entriesOf = (values: Values): [string, number][] =>
  Object.entries(values).map(([name, value]) => [name, toThousandths(typeof value === 'number' ? value : value.value)]);

/** Quantities of values by name, which are numbers or `{value}` scalars of messages. */
export const quantitiesFrom = (values: Values): Quantities => quantitiesFromAmounts(new Map(entriesOf(values)));

export function limitsFrom(values: Values): Limits {
  const entries = entriesOf(values).sort(([a], [b]) => (a < b ? -1 : 1));
  return freeze(
    entries.map(([name]) => name),
    entries.map(([, amount]) => amount),
  );
}

/** The amount of a name in thousandths; 0 if it has no entry. */
export function quantity(q: Quantities, name: string): number {
  const index = q.names.indexOf(name);
  return index < 0 ? 0 : (q.amounts[index] as number);
}

/** The limit of a name in thousandths; undefined: no limit. */
export function limit(limits: Limits, name: string): number | undefined {
  return limits.amounts[limits.names.indexOf(name)];
}

/** Combines the amounts of each name with `join`, and drops zeros. */
function zip(a: Quantities, b: Quantities, join: (x: number, y: number) => number): Quantities {
  const names: string[] = [];
  const amounts: number[] = [];
  let i = 0;
  let k = 0;
  while (i < a.names.length || k < b.names.length) {
    const left = a.names[i];
    const right = b.names[k];
    const fromLeft = right === undefined || (left !== undefined && left <= right);
    const fromRight = left === undefined || (right !== undefined && right <= left);
    const amount = join(fromLeft ? (a.amounts[i] as number) : 0, fromRight ? (b.amounts[k] as number) : 0);
    if (amount !== 0) {
      names.push((fromLeft ? left : right) as string);
      amounts.push(amount);
    }
    if (fromLeft) i++;
    if (fromRight) k++;
  }
  return names.length === 0 ? noQuantities : freeze(names, amounts);
}

export function addQuantities(a: Quantities, b: Quantities): Quantities {
  if (b.names.length === 0) return a;
  if (a.names.length === 0) return b;
  return (a.names.length === b.names.length && addSameNames(a, b)) || zip(a, b, (x, y) => x + y);
}

/** The sum of any number of quantities. */
export function sumOfQuantities(list: Iterable<Quantities>): Quantities {
  const sums = new Map<string, number>();
  for (const { names, amounts } of list) {
    for (let i = 0; i < names.length; i++) {
      const name = names[i] as string;
      sums.set(name, (sums.get(name) ?? 0) + (amounts[i] as number));
    }
  }
  return quantitiesFromAmounts(sums);
}

/** A fast path for equal names; undefined if names differ or a sum is zero. */
function addSameNames(a: Quantities, b: Quantities): Quantities | undefined {
  const amounts: number[] = [];
  for (let i = 0; i < a.names.length; i++) {
    const amount = (a.amounts[i] as number) + (b.amounts[i] as number);
    if (a.names[i] !== b.names[i] || amount === 0) return undefined;
    amounts.push(amount);
  }
  return Object.freeze({ names: a.names, amounts: Object.freeze(amounts) });
}

/** The difference, at least zero for each name. */
export const subtractQuantities = (a: Quantities, b: Quantities): Quantities =>
  b.names.length === 0 ? a : zip(a, b, (x, y) => Math.max(0, x - y));

/** Whether `a` has at least the amount of `b` of every name. */
export function containsQuantities(a: Quantities, b: Quantities): boolean {
  if (a === b) return true;
  let at = 0;
  for (let i = 0; i < b.names.length; i++) {
    const name = b.names[i] as string;
    while (at < a.names.length && (a.names[at] as string) < name) at++;
    const available = a.names[at] === name ? (a.amounts[at] as number) : 0;
    if ((b.amounts[i] as number) > available) return false;
  }
  return true;
}

/** Whether `q` stays within every limit. */
export function withinLimits(limits: Limits, q: Quantities): boolean {
  return limits.names.every((name, i) => quantity(q, name) <= (limits.amounts[i] as number));
}

/** Values by name for views: `{cpus: 4, mem: 1024}`. */
export const quantitiesToRecord = (q: Quantities): Record<string, number> =>
  Object.fromEntries(q.names.map((name, i) => [name, fromThousandths(q.amounts[i] as number)]));

/** Parses `cpus:1;mem:32`, the format of flags. The amounts of a repeated name are added, zeros dropped. */
export function parseQuantities(text: string): Result<Quantities, string> {
  const amounts = new Map<string, number>();
  for (const entry of text.split(';')) {
    if (entry.trim() === '') continue;
    const [name = '', value = '', ...more] = entry.split(':').map((part) => part.trim());
    const number = parseNumber(value.replaceAll(' ', ''));
    if (name === '' || more.length > 0 || number === undefined || number < 0) {
      return err(`expected name:number with a number >= 0 (as in cpus:1;mem:32), got ${JSON.stringify(entry.trim())}`);
    }
    amounts.set(name, (amounts.get(name) ?? 0) + toThousandths(number));
  }
  return ok(quantitiesFromAmounts(amounts));
}
