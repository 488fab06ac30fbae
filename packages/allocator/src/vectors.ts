// Quantities as vectors: amounts in thousandths, by the index of the resource name (dimensions.ts). Amounts beyond the end
// of a vector are zero.

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

/** The bit of a dimension in a mask; all dimensions from 30 on share bit 30. */
export const bitOf = (at: number): number => 1 << Math.min(at, 30);
