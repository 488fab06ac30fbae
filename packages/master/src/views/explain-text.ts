// Formats amounts, shares and times for explanations.
import type { Amounts } from '@meseta/api';
import type { Quantities } from '@meseta/resources';

const MEGABYTES = new Set(['mem', 'disk']);

/** In whole units: `{ cpus: 1.5, mem: 1024 }`. */
export const amountsOf = ({ names, amounts }: Quantities): Amounts =>
  Object.fromEntries(names.map((name, at) => [name, (amounts[at] ?? 0) / 1000]));

/** `1.5 cpus, 1024 MB of mem`; `nothing` for none. */
export function formatAmounts(quantities: Quantities): string {
  const parts = Object.entries(amountsOf(quantities)).map(([name, value]) =>
    MEGABYTES.has(name) ? `${value} MB of ${name}` : `${value} ${name}`,
  );
  return parts.length === 0 ? 'nothing' : parts.join(', ');
}

export const formatShare = (share: number): string => `${(100 * share).toFixed(1)} %`;

/** `12 s`, `3 min 5 s`, `4 h 10 min`. */
export function formatSpan(ms: number): string {
  const seconds = Math.max(0, Math.ceil(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return seconds % 60 === 0 ? `${minutes} min` : `${minutes} min ${seconds % 60} s`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return minutes % 60 === 0 ? `${hours} h` : `${hours} h ${minutes % 60} min`;
  return `${Math.floor(hours / 24)} days`;
}

/** `2 agents`, `1 agent`. */
export const formatCount = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`;
