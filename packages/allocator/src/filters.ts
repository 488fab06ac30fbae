// Offer filters: the resources that a client refused on an agent, and until when.
//
// Owns: every filter, the reference to its bundle and its place in an expiry bucket. Boundary: it identifies agents and
// clients by their indices; what to evaluate after an expiry is the caller's decision.
// FILTERS-1: a filter is live while its generation is that of its client. Removing a client's filters increments the
//     generation, at the same cost for any number of filters; stale filters are deleted when their table or bucket grows
//     or their tick comes.
// FILTERS-2: a filter never ends before its time; it ends at most 1/256 of its duration, plus one tick, after it.
// FILTERS-3: a bucket has an entry for each filter that ends in its tick. Before a bucket grows, entries of stale filters
//     and second entries of a filter are deleted, so that declining and reviving again and again takes no more room than
//     the live filters.
import { createDeadlines, type Deadlines, setDeadline, takeDueDeadline } from '@meseta/base';
import { type Bundle, containsBundle } from '@meseta/resources';
import { addReference, type BundleReferences, createReferences, releaseReference } from './references.js';

/** The cells of a filter in a table: client + 1 (0: empty), generation, reference to the bundle, tick. */
const STRIDE = 4;
const GENERATION = 1;
const BUNDLE = 2;
const TICK = 3;
/** Not a tick: marks the filters that were found while a bucket is compacted. */
const MARKED = 0xffff_ffff;

/** The filters of one agent: a hash table by client with open addressing; a client may have several filters. */
interface Table {
  cells: Uint32Array;
  /** The number of filters, including stale ones. */
  size: number;
}

interface Bucket {
  /** Agent and client, alternating. */
  pairs: Uint32Array;
  size: number;
}

export interface Filters {
  readonly tickMs: number;
  /** By agent. */
  readonly tables: (Table | undefined)[];
  /** By client. */
  readonly generations: number[];
  readonly counts: number[];
  count: number;
  /** By tick. */
  readonly buckets: Map<number, Bucket>;
  readonly deadlines: Deadlines<number>;
  readonly references: BundleReferences;
  /** A cache: whether the bundle of a reference contains `lastBundle`. */
  lastBundle: Bundle | undefined;
  readonly containsLast: Map<number, boolean>;
}

export const createFilters = (tickMs: number): Filters => ({
  tickMs,
  tables: [],
  generations: [],
  counts: [],
  count: 0,
  buckets: new Map(),
  deadlines: createDeadlines(),
  references: createReferences(),
  lastBundle: undefined,
  containsLast: new Map(),
});

/** The index is always within the table, so that the cell exists. */
const cell = (cells: Uint32Array, at: number): number => cells[at] as number;

const isLive = (filters: Filters, cells: Uint32Array, at: number): boolean =>
  cell(cells, at + GENERATION) === (filters.generations[cell(cells, at) - 1] ?? 0);

const bundleAt = (filters: Filters, cells: Uint32Array, at: number): Bundle =>
  filters.references.bundles[cell(cells, at + BUNDLE)] as Bundle;

/** The tick in which a filter ends (FILTERS-2). */
function tickOf(filters: Filters, now: number, durationMs: number): number {
  let step = 1;
  while (step * 2 <= durationMs / filters.tickMs / 256) step *= 2;
  return Math.min(Math.ceil((now + durationMs) / filters.tickMs / step) * step, 0xffff_fffe);
}

export function addFilter(
  filters: Filters,
  agent: number,
  client: number,
  refused: Bundle,
  now: number,
  durationMs: number,
): void {
  const tick = tickOf(filters, now, durationMs);
  let table = filters.tables[agent];
  if (table === undefined) {
    table = { cells: new Uint32Array(STRIDE * 4), size: 0 };
    filters.tables[agent] = table;
  }
  const covers = (cells: Uint32Array, at: number): boolean =>
    isLive(filters, cells, at) &&
    cell(cells, at + TICK) >= tick &&
    containsBundle(bundleAt(filters, cells, at), refused);
  if (find(table, client, covers) >= 0) return;
  const isReplaced = (cells: Uint32Array, at: number): boolean =>
    !isLive(filters, cells, at) ||
    (cell(cells, at + TICK) <= tick && containsBundle(refused, bundleAt(filters, cells, at)));
  for (let at = find(table, client, isReplaced); at >= 0; at = find(table, client, isReplaced)) {
    releaseCell(filters, table.cells, at);
    removeCell(table, at);
  }
  if ((table.size + 1) * STRIDE * 4 > table.cells.length * 3) growTable(filters, table);
  insertCell(table, client + 1, filters.generations[client] ?? 0, addReference(filters.references, refused), tick);
  filters.count++;
  filters.counts[client] = (filters.counts[client] ?? 0) + 1;
  scheduleExpiry(filters, agent, client, tick);
}

/** Whether a filter of the pair refuses `bundle`. */
export function isRefused(filters: Filters, agent: number, client: number, bundle: Bundle): boolean {
  const table = filters.tables[agent];
  if (table === undefined || table.size === 0) return false;
  const { cells } = table;
  const mask = cells.length / STRIDE - 1;
  for (let slot = client & mask; ; slot = (slot + 1) & mask) {
    const key = cells[slot * STRIDE];
    if (key === 0) return false;
    if (key !== client + 1 || !isLive(filters, cells, slot * STRIDE)) continue;
    if (isContained(filters, cell(cells, slot * STRIDE + BUNDLE), bundle)) return true;
  }
}

function isContained(filters: Filters, reference: number, bundle: Bundle): boolean {
  const refused = filters.references.bundles[reference] as Bundle;
  if (refused === bundle) return true;
  if (filters.lastBundle !== bundle) {
    filters.lastBundle = bundle;
    filters.containsLast.clear();
  }
  let isContaining = filters.containsLast.get(reference);
  if (isContaining === undefined) {
    isContaining = containsBundle(refused, bundle);
    filters.containsLast.set(reference, isContaining);
  }
  return isContaining;
}

/** Every live filter of the pair. */
export function filtersOf(
  filters: Filters,
  agent: number,
  client: number,
): { readonly refused: Bundle; readonly untilMs: number }[] {
  const found: { refused: Bundle; untilMs: number }[] = [];
  find(filters.tables[agent], client, (cells, at) => {
    if (isLive(filters, cells, at)) {
      found.push({ refused: bundleAt(filters, cells, at), untilMs: cell(cells, at + TICK) * filters.tickMs });
    }
    return false;
  });
  return found;
}

export function removeAgentFilters(filters: Filters, agent: number): void {
  const cells = filters.tables[agent]?.cells;
  filters.tables[agent] = undefined;
  if (cells === undefined) return;
  for (let at = 0; at < cells.length; at += STRIDE) if (cells[at] !== 0) releaseCell(filters, cells, at);
}

export function removeClientFilters(filters: Filters, client: number): void {
  filters.count -= filters.counts[client] ?? 0;
  filters.counts[client] = 0;
  filters.generations[client] = ((filters.generations[client] ?? 0) + 1) >>> 0;
}

/** Deletes the filters that ended at `now` or before, and calls `onExpired` for the pair of each. */
export function expireFilters(filters: Filters, now: number, onExpired: (agent: number, client: number) => void): void {
  const { deadlines, buckets, tables } = filters;
  for (let tick = takeDueDeadline(deadlines, now); tick !== undefined; tick = takeDueDeadline(deadlines, now)) {
    const { pairs, size } = buckets.get(tick) as Bucket;
    buckets.delete(tick);
    const due = tick;
    const isDue = (cells: Uint32Array, at: number): boolean => cells[at + TICK] === due;
    for (let i = 0; i < size; i++) {
      const agent = cell(pairs, 2 * i);
      const client = cell(pairs, 2 * i + 1);
      const table = tables[agent];
      // Every filter of the pair in this tick: stale ones may have no entry in the bucket any more (FILTERS-3).
      for (let at = find(table, client, isDue); table !== undefined && at >= 0; at = find(table, client, isDue)) {
        if (isLive(filters, table.cells, at)) onExpired(agent, client);
        releaseCell(filters, table.cells, at);
        removeCell(table, at);
      }
    }
  }
}

// --- buckets

function scheduleExpiry(filters: Filters, agent: number, client: number, tick: number): void {
  let bucket = filters.buckets.get(tick);
  if (bucket === undefined) {
    bucket = { pairs: new Uint32Array(16), size: 0 };
    filters.buckets.set(tick, bucket);
    setDeadline(filters.deadlines, tick, tick * filters.tickMs);
  }
  if (bucket.size * 2 >= bucket.pairs.length) compactBucket(filters, bucket, tick);
  bucket.pairs[2 * bucket.size] = agent;
  bucket.pairs[2 * bucket.size + 1] = client;
  bucket.size++;
}

/** Keeps one entry for each live filter (FILTERS-3), and doubles the bucket if this does not make enough room. */
function compactBucket(filters: Filters, bucket: Bucket, tick: number): void {
  const { pairs } = bucket;
  let kept = 0;
  const isDueHere = (cells: Uint32Array, at: number): boolean =>
    cells[at + TICK] === tick && isLive(filters, cells, at);
  const isMarked = (cells: Uint32Array, at: number): boolean => cells[at + TICK] === MARKED;
  const mark = (i: number, fits: typeof isDueHere, value: number): boolean => {
    const table = filters.tables[cell(pairs, 2 * i)];
    const at = find(table, cell(pairs, 2 * i + 1), fits);
    if (table === undefined || at < 0) return false;
    table.cells[at + TICK] = value;
    return true;
  };
  for (let i = 0; i < bucket.size; i++) {
    if (!mark(i, isDueHere, MARKED)) continue;
    pairs[2 * kept] = cell(pairs, 2 * i);
    pairs[2 * kept + 1] = cell(pairs, 2 * i + 1);
    kept++;
  }
  for (let i = 0; i < kept; i++) mark(i, isMarked, tick);
  bucket.size = kept;
  if (kept * 4 <= pairs.length) return;
  bucket.pairs = new Uint32Array(pairs.length * 2);
  bucket.pairs.set(pairs);
}

// --- tables

/** Called before a filter's cell is deleted: updates the counts and releases the bundle. */
function releaseCell(filters: Filters, cells: Uint32Array, at: number): void {
  const client = cell(cells, at) - 1;
  if (isLive(filters, cells, at)) {
    filters.count--;
    filters.counts[client] = (filters.counts[client] ?? 0) - 1;
  }
  if (releaseReference(filters.references, cell(cells, at + BUNDLE))) filters.containsLast.clear();
}

/** Rebuilds the table without stale filters, larger if this does not make enough room. */
function growTable(filters: Filters, table: Table): void {
  const { cells } = table;
  const kept: number[] = [];
  for (let at = 0; at < cells.length; at += STRIDE) {
    if (cells[at] === 0) continue;
    if (isLive(filters, cells, at)) kept.push(at);
    else releaseCell(filters, cells, at);
  }
  let slots = 4;
  while (slots * 3 < (kept.length + 1) * 4 + 2) slots *= 2;
  table.cells = new Uint32Array(slots * STRIDE);
  table.size = 0;
  for (const at of kept) {
    insertCell(table, cell(cells, at), cell(cells, at + GENERATION), cell(cells, at + BUNDLE), cell(cells, at + TICK));
  }
}

function insertCell(table: Table, key: number, generation: number, reference: number, tick: number): void {
  const { cells } = table;
  const mask = cells.length / STRIDE - 1;
  let slot = (key - 1) & mask;
  while (cells[slot * STRIDE] !== 0) slot = (slot + 1) & mask;
  const at = slot * STRIDE;
  cells[at] = key;
  cells[at + GENERATION] = generation;
  cells[at + BUNDLE] = reference;
  cells[at + TICK] = tick;
  table.size++;
}

/** The cell of the client's first filter for which `fits` is true; -1 if there is none. */
function find(table: Table | undefined, client: number, fits: (cells: Uint32Array, at: number) => boolean): number {
  if (table === undefined) return -1;
  const { cells } = table;
  const mask = cells.length / STRIDE - 1;
  for (let slot = client & mask; cells[slot * STRIDE] !== 0; slot = (slot + 1) & mask) {
    if (cells[slot * STRIDE] === client + 1 && fits(cells, slot * STRIDE)) return slot * STRIDE;
  }
  return -1;
}

/** Empties a cell and closes the gap, so that every probe still finds its filters (Knuth, TAOCP 6.4, algorithm R). */
function removeCell(table: Table, at: number): void {
  const { cells } = table;
  const mask = cells.length / STRIDE - 1;
  let hole = at / STRIDE;
  for (let slot = (hole + 1) & mask; cells[slot * STRIDE] !== 0; slot = (slot + 1) & mask) {
    const home = (cell(cells, slot * STRIDE) - 1) & mask;
    if (((slot - home) & mask) < ((slot - hole) & mask)) continue;
    cells.copyWithin(hole * STRIDE, slot * STRIDE, (slot + 1) * STRIDE);
    hole = slot;
  }
  cells.fill(0, hole * STRIDE, (hole + 1) * STRIDE);
  table.size--;
}
