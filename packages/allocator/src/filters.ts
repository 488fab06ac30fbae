// Offer filters: what a client (framework in role) refused on an agent, and until when.
//
// Owns: every filter, its bundle's reference and its expiry bucket. Boundary: it knows agents and clients as dense
// indices; who is to be offered what after an expiry is the run's matter.
// FILTERS-1: a filter counts while its generation is that of its client; forgetting a client raises the generation, so
//     it costs the same whatever the number of filters. What is stale goes when its table or bucket grows or its tick
//     comes.
// FILTERS-2: a filter never ends before the time asked for; it ends at most 1/256 of its duration, and a tick, after
//     it.
// FILTERS-3: a bucket holds each filter that ends in its tick; before it grows, entries of stale filters and second
//     entries of a filter go, so a client that refuses and revives all the time takes no more room than its filters.
import { createDeadlines, type Deadlines, setDeadline, takeDueDeadline } from '@meseta/base';
import { type Bundle, containsBundle } from '@meseta/resources';
import { type BundleReferences, createReferences, dropReference, takeReference } from './references.js';

/** A filter in a table: client + 1 (0: empty), generation, reference of the bundle, tick. 16 bytes. */
const STRIDE = 4;
const GENERATION = 1;
const BUNDLE = 2;
const TICK = 3;
/** No tick: stands for one while a bucket's entries are counted. */
const COUNTED = 0xffff_ffff;

/** One agent's filters: open addressing by client; a client may have several. */
interface Table {
  cells: Uint32Array;
  /** Filters in it, stale ones too. */
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
  /** Which references contain the bundle asked about last. */
  asked: Bundle | undefined;
  readonly answers: Map<number, boolean>;
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
  asked: undefined,
  answers: new Map(),
});

/** Cells of a table are there by construction: an index inside it never misses. */
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
    forgetCell(filters, table.cells, at);
    takeOut(table, at);
  }
  if ((table.size + 1) * STRIDE * 4 > table.cells.length * 3) grow(filters, table);
  place(table, client + 1, filters.generations[client] ?? 0, takeReference(filters.references, refused), tick);
  filters.count++;
  filters.counts[client] = (filters.counts[client] ?? 0) + 1;
  schedule(filters, agent, client, tick);
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
  if (filters.asked !== bundle) {
    filters.asked = bundle;
    filters.answers.clear();
  }
  let answer = filters.answers.get(reference);
  if (answer === undefined) {
    answer = containsBundle(refused, bundle);
    filters.answers.set(reference, answer);
  }
  return answer;
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

export function forgetAgentFilters(filters: Filters, agent: number): void {
  const cells = filters.tables[agent]?.cells;
  filters.tables[agent] = undefined;
  if (cells === undefined) return;
  for (let at = 0; at < cells.length; at += STRIDE) if (cells[at] !== 0) forgetCell(filters, cells, at);
}

export function forgetClientFilters(filters: Filters, client: number): void {
  filters.count -= filters.counts[client] ?? 0;
  filters.counts[client] = 0;
  filters.generations[client] = ((filters.generations[client] ?? 0) + 1) >>> 0;
}

/** Calls `ended` for each pair that has a filter ending now or earlier, which is then gone. */
export function expireFilters(filters: Filters, now: number, ended: (agent: number, client: number) => void): void {
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
      // All of the pair in this tick: those that were forgotten may have lost their place in the bucket (FILTERS-3).
      for (let at = find(table, client, isDue); table !== undefined && at >= 0; at = find(table, client, isDue)) {
        if (isLive(filters, table.cells, at)) ended(agent, client);
        forgetCell(filters, table.cells, at);
        takeOut(table, at);
      }
    }
  }
}

// --- buckets

function schedule(filters: Filters, agent: number, client: number, tick: number): void {
  let bucket = filters.buckets.get(tick);
  if (bucket === undefined) {
    bucket = { pairs: new Uint32Array(16), size: 0 };
    filters.buckets.set(tick, bucket);
    setDeadline(filters.deadlines, tick, tick * filters.tickMs);
  }
  if (bucket.size * 2 >= bucket.pairs.length) makeRoom(filters, bucket, tick);
  bucket.pairs[2 * bucket.size] = agent;
  bucket.pairs[2 * bucket.size + 1] = client;
  bucket.size++;
}

/** Keeps one entry for each live filter (FILTERS-3), and doubles the bucket if that is not enough. */
function makeRoom(filters: Filters, bucket: Bucket, tick: number): void {
  const { pairs } = bucket;
  let kept = 0;
  const isIts = (cells: Uint32Array, at: number): boolean => cells[at + TICK] === tick && isLive(filters, cells, at);
  const isCounted = (cells: Uint32Array, at: number): boolean => cells[at + TICK] === COUNTED;
  const mark = (i: number, fits: typeof isIts, value: number): boolean => {
    const table = filters.tables[cell(pairs, 2 * i)];
    const at = find(table, cell(pairs, 2 * i + 1), fits);
    if (table === undefined || at < 0) return false;
    table.cells[at + TICK] = value;
    return true;
  };
  for (let i = 0; i < bucket.size; i++) {
    if (!mark(i, isIts, COUNTED)) continue;
    pairs[2 * kept] = cell(pairs, 2 * i);
    pairs[2 * kept + 1] = cell(pairs, 2 * i + 1);
    kept++;
  }
  for (let i = 0; i < kept; i++) mark(i, isCounted, tick);
  bucket.size = kept;
  if (kept * 4 <= pairs.length) return;
  bucket.pairs = new Uint32Array(pairs.length * 2);
  bucket.pairs.set(pairs);
}

// --- tables

/** A filter leaves its table: it counts no more and lets go of its bundle. */
function forgetCell(filters: Filters, cells: Uint32Array, at: number): void {
  const client = cell(cells, at) - 1;
  if (isLive(filters, cells, at)) {
    filters.count--;
    filters.counts[client] = (filters.counts[client] ?? 0) - 1;
  }
  if (dropReference(filters.references, cell(cells, at + BUNDLE))) filters.answers.clear();
}

/** Without what is stale, and larger if that is not enough. */
function grow(filters: Filters, table: Table): void {
  const { cells } = table;
  const kept: number[] = [];
  for (let at = 0; at < cells.length; at += STRIDE) {
    if (cells[at] === 0) continue;
    if (isLive(filters, cells, at)) kept.push(at);
    else forgetCell(filters, cells, at);
  }
  let slots = 4;
  while (slots * 3 < (kept.length + 1) * 4 + 2) slots *= 2;
  table.cells = new Uint32Array(slots * STRIDE);
  table.size = 0;
  for (const at of kept) {
    place(table, cell(cells, at), cell(cells, at + GENERATION), cell(cells, at + BUNDLE), cell(cells, at + TICK));
  }
}

function place(table: Table, key: number, generation: number, reference: number, tick: number): void {
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

/** The cell of the client's first filter that fits; -1 if none. */
function find(table: Table | undefined, client: number, fits: (cells: Uint32Array, at: number) => boolean): number {
  if (table === undefined) return -1;
  const { cells } = table;
  const mask = cells.length / STRIDE - 1;
  for (let slot = client & mask; cells[slot * STRIDE] !== 0; slot = (slot + 1) & mask) {
    if (cells[slot * STRIDE] === client + 1 && fits(cells, slot * STRIDE)) return slot * STRIDE;
  }
  return -1;
}

/** Empties a cell and moves those behind it up, so that every probe still finds its own (Knuth, TAOCP 6.4, R). */
function takeOut(table: Table, at: number): void {
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
