// Scalars are compared and summed as whole thousandths: Mesos keeps three decimals
// (docs/attributes-resources.md), so that 0.1 + 0.2 is 0.3.
import type { Resource } from '../generated/types.js';

/** Thousandths of a value, halves rounded away from zero. */
export function toThousandths(value: number): number {
  return value < 0 ? -Math.round(-value * 1000) : Math.round(value * 1000);
}

export const fromThousandths = (amount: number): number => amount / 1000;

/** A scalar as Mesos prints it: three decimals at most, no trailing zeros. */
export const formatScalar = (value: number): string => String(fromThousandths(toThousandths(value)));

/** The sum of the scalars of this name, whatever their reservations. */
export function scalarSum(resources: readonly Resource[] | undefined, name: string): number {
  let thousandths = 0;
  for (const resource of resources ?? []) {
    if (resource.name === name) thousandths += toThousandths(resource.scalar?.value ?? 0);
  }
  return fromThousandths(thousandths);
}
