// The values of ranges and sets. Ranges include both ends; results are sorted, and ranges that touch are merged: [1-2, 3-4]
// is [1-4].
import type { ValueRange } from '@meseta/wire';

type Ranges = readonly ValueRange[];

/** The largest end for which the end and the number after it are exact. */
export const MAX_RANGE_END = Number.MAX_SAFE_INTEGER - 1;
/** The end of a range without an end: 2^64 - 1 of the wire, as a number. */
export const OPEN_END = 2 ** 64;
export const OPEN_END_TEXT = '18446744073709551615';

/** Sorts the ranges and merges those that overlap or touch. */
export function coalesce(ranges: Ranges): Ranges {
  if (isCoalesced(ranges)) return ranges;
  const sorted = [...ranges].sort((a, b) => a.begin - b.begin || a.end - b.end);
  const merged: ValueRange[] = [];
  for (const range of sorted) {
    const last = merged.at(-1);
    if (last === undefined || range.begin > last.end + 1) merged.push(range);
    else if (range.end > last.end) merged[merged.length - 1] = { begin: last.begin, end: range.end };
  }
  return merged;
}

function isCoalesced(ranges: Ranges): boolean {
  for (let i = 1; i < ranges.length; i++) {
    if ((ranges[i] as ValueRange).begin <= (ranges[i - 1] as ValueRange).end + 1) return false;
  }
  return true;
}

export const addRanges = (a: Ranges, b: Ranges): Ranges => coalesce([...a, ...b]);

/** The numbers of `a` that are not in `b`. */
export function subtractRanges(a: Ranges, b: Ranges): Ranges {
  const cuts = coalesce(b);
  const rest: ValueRange[] = [];
  let next = 0;
  for (const range of coalesce(a)) {
    let begin = range.begin;
    while (next < cuts.length && (cuts[next] as ValueRange).end < begin) next++;
    for (let i = next; i < cuts.length; i++) {
      const cut = cuts[i] as ValueRange;
      if (cut.begin > range.end) break;
      if (cut.begin > begin) rest.push({ begin, end: cut.begin - 1 });
      begin = cut.end >= range.end ? Infinity : Math.max(begin, cut.end + 1);
    }
    if (begin <= range.end) rest.push({ begin, end: range.end });
  }
  return rest;
}

export function containsRanges(a: Ranges, b: Ranges): boolean {
  const outer = coalesce(a);
  let next = 0;
  for (const range of coalesce(b)) {
    while (next < outer.length && (outer[next] as ValueRange).end < range.begin) next++;
    const candidate = outer[next];
    if (candidate === undefined || candidate.begin > range.begin || candidate.end < range.end) return false;
  }
  return true;
}

export function equalRanges(a: Ranges, b: Ranges): boolean {
  const x = coalesce(a);
  const y = coalesce(b);
  return x.length === y.length && x.every((range, i) => range.begin === y[i]?.begin && range.end === y[i]?.end);
}

export const formatRanges = (ranges: Ranges): string =>
  `[${ranges.map(({ begin, end }) => `${begin}-${end === OPEN_END ? OPEN_END_TEXT : end}`).join(', ')}]`;

export const formatSet = (items: readonly string[]): string => `{${items.join(', ')}}`;

/** The union, with the items of `a` first. */
export const addItems = (a: readonly string[], b: readonly string[]): readonly string[] => [...new Set([...a, ...b])];

export function subtractItems(a: readonly string[], b: readonly string[]): readonly string[] {
  const removed = new Set(b);
  return a.filter((item) => !removed.has(item));
}

export function containsItems(a: readonly string[], b: readonly string[]): boolean {
  const items = new Set(a);
  return b.every((item) => items.has(item));
}
