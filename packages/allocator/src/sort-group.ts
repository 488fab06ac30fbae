// One level of fair sharing: siblings (roles under a role, or frameworks in a role) in the order in which they are
// offered resources.
//
// Owns: the order of the active siblings. Boundary: what they hold is their owner's; `touch` says that it changed.
// SORT-GROUP-1 (drf): the order is by share (the largest part of the cluster held of any counted resource, divided by the
//     weight), then by how often they were offered something, then by name. Ghodsi et al., NSDI 2011; Mesos' sorter.
// SORT-GROUP-2 (random): each walk draws the next sibling with a probability in proportion to its weight.
import { below, type Random, uniform } from '@meseta/base';
import type { SorterKind } from './types.js';
import type { Vector } from './vectors.js';

/** The cluster as shares are measured against it. */
export interface ClusterTotals {
  readonly total: Vector;
  /** Grows with every change of `total`. */
  version: number;
  /** Dimensions that don't count. */
  readonly excluded: Set<number>;
}

export interface SortEntry<T> {
  readonly name: string;
  readonly owner: T;
  readonly held: Vector;
  weight: number;
  /** How often it was offered something. */
  count: number;
  /** In its group; -1 when it is in none. */
  slot: number;
}

export const createEntry = <T>(name: string, owner: T, held: Vector, weight: number): SortEntry<T> => ({
  name,
  owner,
  held,
  weight,
  count: 0,
  slot: -1,
});

export interface SortGroup<T> {
  readonly kind: SorterKind;
  /** By slot. */
  readonly entries: SortEntry<T>[];
  order: Int32Array;
  shares: Float64Array;
  /** Shares or order must be computed anew before use. */
  stale: boolean;
  version: number;
}

export const createGroup = <T>(kind: SorterKind): SortGroup<T> => ({
  kind,
  entries: [],
  order: new Int32Array(4),
  shares: new Float64Array(4),
  stale: false,
  version: 0,
});

export function shareOf(entry: { readonly held: Vector; readonly weight: number }, cluster: ClusterTotals): number {
  const { held } = entry;
  const { total } = cluster;
  const end = Math.min(held.length, total.length);
  let share = 0;
  for (let i = 0; i < end; i++) {
    const whole = total[i] as number;
    if (whole <= 0 || cluster.excluded.has(i)) continue;
    const part = (held[i] as number) / whole;
    if (part > share) share = part;
  }
  return share / entry.weight;
}

export function insert<T>(group: SortGroup<T>, entry: SortEntry<T>): void {
  entry.slot = group.entries.push(entry) - 1;
  if (group.order.length < group.entries.length) {
    const order = new Int32Array(group.order.length * 2);
    order.set(group.order);
    group.order = order;
    const shares = new Float64Array(group.shares.length * 2);
    shares.set(group.shares);
    group.shares = shares;
  }
  group.order[entry.slot] = entry.slot;
  group.stale = true;
}

export function remove<T>(group: SortGroup<T>, entry: SortEntry<T>): void {
  const { entries, order } = group;
  const last = entries.length - 1;
  const at = order.indexOf(entry.slot);
  order.copyWithin(at, at + 1, last + 1);
  const moved = entries[last] as SortEntry<T>;
  entries.pop();
  if (moved !== entry) {
    order[order.subarray(0, last).indexOf(last)] = entry.slot;
    group.shares[entry.slot] = group.shares[last] as number;
    entries[entry.slot] = moved;
    moved.slot = entry.slot;
  }
  entry.slot = -1;
}

function compare<T>(group: SortGroup<T>, a: number, b: number): number {
  const difference = (group.shares[a] as number) - (group.shares[b] as number);
  if (difference !== 0) return difference;
  const left = group.entries[a] as SortEntry<T>;
  const right = group.entries[b] as SortEntry<T>;
  return left.count - right.count || (left.name < right.name ? -1 : left.name > right.name ? 1 : 0);
}

/** After what the entry holds, its count or its weight changed. */
export function touch<T>(group: SortGroup<T>, entry: SortEntry<T>, cluster: ClusterTotals): void {
  const size = group.entries.length;
  if (entry.slot < 0 || group.stale || group.kind === 'random') return;
  if (size === 1 || group.version !== cluster.version) {
    group.stale = true;
    return;
  }
  const { order } = group;
  const { slot } = entry;
  const from = order.indexOf(slot);
  group.shares[slot] = shareOf(entry, cluster);
  order.copyWithin(from, from + 1, size);
  let low = 0;
  let high = size - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (compare(group, order[middle] as number, slot) < 0) low = middle + 1;
    else high = middle;
  }
  order.copyWithin(low + 1, low, size - 1);
  order[low] = slot;
}

/** Makes `order` true again; to be called before a walk over it. */
export function refresh<T>(group: SortGroup<T>, cluster: ClusterTotals, random: Random): void {
  if (group.kind === 'random') {
    draw(group, random);
    return;
  }
  if (!group.stale && group.version === cluster.version) return;
  const size = group.entries.length;
  group.stale = false;
  group.version = cluster.version;
  if (size < 2) return;
  for (let i = 0; i < size; i++) group.shares[i] = shareOf(group.entries[i] as SortEntry<T>, cluster);
  const { order } = group;
  for (let i = 1; i < size; i++) {
    if (compare(group, order[i - 1] as number, order[i] as number) > 0) {
      order.subarray(0, size).sort((a, b) => compare(group, a, b));
      return;
    }
  }
}

/** Whether `a` comes before `b`; both are in the group, which is fresh. */
export const isBefore = <T>(group: SortGroup<T>, a: SortEntry<T>, b: SortEntry<T>): boolean =>
  group.kind === 'random'
    ? group.order.indexOf(a.slot) < group.order.indexOf(b.slot)
    : compare(group, a.slot, b.slot) < 0;

function draw<T>(group: SortGroup<T>, random: Random): void {
  const { entries, order } = group;
  let weight = 0;
  let even = true;
  for (const entry of entries) {
    weight += entry.weight;
    if (entry.weight !== entries[0]?.weight) even = false;
  }
  for (let i = 0; i < entries.length - 1; i++) {
    let at = i;
    if (even) at = i + below(random, entries.length - i);
    else {
      let left = uniform(random) * weight;
      while (at < entries.length - 1) {
        left -= entries[order[at] as number]?.weight ?? 0;
        if (left < 0) break;
        at++;
      }
      weight -= entries[order[at] as number]?.weight ?? 0;
    }
    const chosen = order[at] as number;
    order[at] = order[i] as number;
    order[i] = chosen;
  }
}
