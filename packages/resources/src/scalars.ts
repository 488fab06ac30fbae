// Scalars are compared and summed as whole thousandths: Mesos keeps three decimals
// (docs/attributes-resources.md), so 0.1 + 0.2 is 0.3 here, in its answers and in ours.

/** Thousandths of a value, halves rounded away from zero. */
export function toThousandths(value: number): number {
  return value < 0 ? -Math.round(-value * 1000) : Math.round(value * 1000);
}

export const fromThousandths = (amount: number): number => amount / 1000;

/** A scalar as Mesos prints it: three decimals at most, no trailing zeros. */
export const formatScalar = (value: number): string => String(fromThousandths(toThousandths(value)));
