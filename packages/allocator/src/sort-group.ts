// One level of fair sharing: siblings (roles under a role, or frameworks in a role) in the order in which they are
// offered resources.
//
// Owns: the order of the active siblings. Boundary: the entries belong to their owner, which calls `reposition` after a change.
// SORT-GROUP-1 (drf): the order is by share (the largest part of the cluster's total of a counted resource that is offered
//     or allocated, divided by the weight), then by the number of offers, then by name. Ghodsi et al., NSDI 2011; Mesos' sorter.
// SORT-GROUP-2 (random): each walk draws the next sibling with a probability in proportion to its weight.
import { below, type Random, uniform } from '@meseta/base';
import type { SorterKind } from './types.js';
import type { Vector } from './vectors.js';

/** The total of the cluster, of which shares are parts. */
export interface ClusterTotals {
  readonly total: Vector;
  /** Grows with every change of `total`. */
  version: number;
  /** Dimensions that do not count in shares. */
  readonly excluded: Set<number>;
}

export interface SortEntry<T> {
  readonly name: string;
  readonly owner: T;
  /** Offered or allocated. */
  readonly allocation: Vector;
  weight: number;
  /** The number of offers made to it. */
  offers: number;
  /** The index in the group's entries; -1: in no group. */
  slot: number;
}

export const createEntry = <T>(name: string, owner: T, allocation: Vector, weight: number): SortEntry<T> => ({
  name,
  owner,
  allocation,
  weight,
  offers: 0,
  slot: -1,
});

export interface SortGroup<T> {
  readonly kind: SorterKind;
  /** By slot. */
  readonly entries: SortEntry<T>[];
  /** Slots in the order of fair sharing. */
  order: Int32Array;
  /** By slot. */
  shares: Float64Array;
  /** Whether shares and order have to be computed before use. */
  isStale: boolean;
  version: number;
}

export const createGroup = <T>(kind: SorterKind): SortGroup<T> => ({
  kind,
  entries: [],
  order: new Int32Array(4),
  shares: new Float64Array(4),
  isStale: false,
  version: 0,
});

export function shareOf(
  entry: { readonly allocation: Vector; readonly weight: number },
  cluster: ClusterTotals,
): number {
  const { allocation } = entry;
  const { total } = cluster;
  const end = Math.min(allocation.length, total.length);
  let share = 0;
  for (let i = 0; i < end; i++) {
    const whole = total[i] as number;
    if (whole <= 0 || cluster.excluded.has(i)) continue;
    const part = (allocation[i] as number) / whole;
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
  group.isStale = true;
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
  return left.offers - right.offers || (left.name < right.name ? -1 : left.name > right.name ? 1 : 0);
}

/** Moves the entry to its place in the order; called after its allocation, its offers or its weight changed. */
export function reposition<T>(group: SortGroup<T>, entry: SortEntry<T>, cluster: ClusterTotals): void {
  const size = group.entries.length;
  if (entry.slot < 0 || group.kind === 'random' || size === 1) return;
  // `updateOrder` computes the order again.
  if (group.isStale || group.version !== cluster.version) return;
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

/** Sorts a stale order, or draws a random one; called before each walk over it. */
export function updateOrder<T>(group: SortGroup<T>, cluster: ClusterTotals, random: Random): void {
  if (group.kind === 'random') {
    drawOrder(group, random);
    return;
  }
  if (!group.isStale && group.version === cluster.version) return;
  const size = group.entries.length;
  group.isStale = false;
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

/** Whether `a` comes before `b`, both in the group, of which the order is up to date. */
export const isBefore = <T>(group: SortGroup<T>, a: SortEntry<T>, b: SortEntry<T>): boolean =>
  group.kind === 'random'
    ? group.order.indexOf(a.slot) < group.order.indexOf(b.slot)
    : compare(group, a.slot, b.slot) < 0;

function drawOrder<T>(group: SortGroup<T>, random: Random): void {
  const { entries, order } = group;
  const weightAt = (at: number): number => (entries[order[at] as number] as SortEntry<T>).weight;
  let weight = 0;
  let isEven = true;
  for (let at = 0; at < entries.length; at++) {
    weight += weightAt(at);
    if (weightAt(at) !== weightAt(0)) isEven = false;
  }
  for (let i = 0; i < entries.length - 1; i++) {
    let at = i;
    if (isEven) at = i + below(random, entries.length - i);
    else {
      let remaining = uniform(random) * weight;
      while (at < entries.length - 1) {
        remaining -= weightAt(at);
        if (remaining < 0) break;
        at++;
      }
      weight -= weightAt(at);
    }
    const chosen = order[at] as number;
    order[at] = order[i] as number;
    order[i] = chosen;
  }
}
