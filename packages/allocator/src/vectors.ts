// Quantities as dense vectors: a resource name is an index, an amount whole thousandths. A vector may be shorter than
// the number of names; what it doesn't reach is zero.

export type Vector = number[];

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
