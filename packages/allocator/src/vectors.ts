// Quantities as dense vectors: a resource name is an index, an amount whole thousandths. A vector may be shorter than
// the number of names; what it doesn't reach is zero.
import type { Quantities } from '@meseta/resources';

export type Vector = number[];

export interface Dimensions {
  readonly names: readonly string[];
  indexOf(name: string): number;
  vectorOf(quantities: Quantities): Vector;
  /** `zeros`: keep them, as limits do. */
  quantitiesOf(vector: readonly number[], zeros?: boolean): Quantities;
}

export function createDimensions(): Dimensions {
  const names: string[] = [];
  const byName = new Map<string, number>();
  const indexOf = (name: string): number => {
    const known = byName.get(name);
    if (known !== undefined) return known;
    byName.set(name, names.length);
    return names.push(name) - 1;
  };
  return {
    names,
    indexOf,
    vectorOf(quantities) {
      const vector: Vector = [];
      for (let i = 0; i < quantities.names.length; i++) {
        const at = indexOf(quantities.names[i] as string);
        while (vector.length <= at) vector.push(0);
        vector[at] = quantities.amounts[i] as number;
      }
      return vector;
    },
    quantitiesOf(vector, zeros = false) {
      const pairs: [string, number][] = [];
      for (let i = 0; i < vector.length; i++) {
        const value = vector[i] as number;
        if (Number.isFinite(value) && (zeros || value > 0)) pairs.push([names[i] as string, value]);
      }
      pairs.sort((a, b) => (a[0] < b[0] ? -1 : 1));
      return Object.freeze({
        names: Object.freeze(pairs.map(([name]) => name)),
        amounts: Object.freeze(pairs.map(([, value]) => value)),
      });
    },
  };
}

export const amount = (vector: readonly number[], at: number): number =>
  at < vector.length ? (vector[at] as number) : 0;

/** target += sign * delta */
export function accumulate(target: Vector, delta: readonly number[], sign: 1 | -1): void {
  while (target.length < delta.length) target.push(0);
  for (let i = 0; i < delta.length; i++) target[i] = (target[i] as number) + sign * (delta[i] as number);
}

export const differs = (a: readonly number[], b: readonly number[]): boolean => {
  for (let i = 0; i < a.length || i < b.length; i++) if (amount(a, i) !== amount(b, i)) return true;
  return false;
};

/** The bit of a dimension in a mask; those past the thirtieth share one. */
export const bitOf = (at: number): number => 1 << Math.min(at, 30);
