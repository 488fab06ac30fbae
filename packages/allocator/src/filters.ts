// Offer filters: what a client (framework in role) refused on an agent, and until when.
//
// Owns: every filter, its bundle's reference and its expiry bucket. Boundary: it knows agents and clients as dense
// indices; who is to be offered what after an expiry is the run's matter.
// L1: a filter counts while its generation is that of its client; `forgetClient` raises the generation, so it costs the
//     same whatever the number of filters. What is stale goes when its table or bucket grows or its tick comes.
// L2: a filter never ends before the time asked for; it ends at most 1/256 of its duration, and a tick, after it.
// L3: a bucket holds each filter that ends in its tick, and at most as many stale entries as live ones, but for a few.

import { createDeadlines } from '@meseta/base';
import { type Bundle, containsBundle, sameBundle } from '@meseta/resources';

/** A filter in a table: client + 1 (0: empty), generation, reference of the bundle, tick. 16 bytes. */
const STRIDE = 4;

interface Table {
  cells: Int32Array;
  /** Filters in it, stale ones too. */
  size: number;
}

interface Bucket {
  /** Agent and client, alternating. */
  pairs: Int32Array;
  size: number;
}

export interface Filters {
  add(agent: number, client: number, refused: Bundle, now: number, durationMs: number): void;
  /** Whether a filter of the pair refuses `bundle`. */
  refuses(agent: number, client: number, bundle: Bundle): boolean;
  /** Every live filter of the pair. */
  of(agent: number, client: number): { readonly refused: Bundle; readonly untilMs: number }[];
  forgetAgent(agent: number): void;
  forgetClient(client: number): void;
  /** Calls `ended` for each pair that has a filter ending now or earlier, which is then gone. */
  expire(now: number, ended: (agent: number, client: number) => void): void;
  nextExpiry(): number | undefined;
  countOf(client: number): number;
  readonly count: number;
}

interface References {
  readonly bundles: (Bundle | undefined)[];
  readonly uses: number[];
  readonly byBundle: Map<Bundle, number>;
  readonly free: number[];
}

export function createFilters(tickMs: number): Filters {
  const tables: (Table | undefined)[] = [];
  const generations: number[] = [];
  const counts: number[] = [];
  let count = 0;
  const buckets = new Map<number, Bucket>();
  const deadlines = createDeadlines<number>();
  const references: References = { bundles: [], uses: [], byBundle: new Map(), free: [] };
  // The answers of `containsBundle` for the bundle asked about last, by reference.
  let asked: Bundle | undefined;
  const answers = new Map<number, boolean>();

  const isLive = (cells: Int32Array, at: number): boolean =>
    cells[at + 1] === (generations[(cells[at] as number) - 1] ?? 0);

  const forgetCell = (cells: Int32Array, at: number): void => {
    const client = (cells[at] as number) - 1;
    if (isLive(cells, at)) {
      count--;
      counts[client] = (counts[client] ?? 0) - 1;
    }
    if (dropReference(references, cells[at + 2] as number)) answers.clear();
  };

  const containedIn = (reference: number, bundle: Bundle): boolean => {
    const refused = references.bundles[reference] as Bundle;
    if (refused === bundle) return true;
    if (asked !== bundle) {
      asked = bundle;
      answers.clear();
    }
    let answer = answers.get(reference);
    if (answer === undefined) {
      answer = containsBundle(refused, bundle);
      answers.set(reference, answer);
    }
    return answer;
  };

  const grow = (table: Table): void => {
    const { cells } = table;
    const kept: number[] = [];
    for (let at = 0; at < cells.length; at += STRIDE) {
      if (cells[at] === 0) continue;
      if (isLive(cells, at)) kept.push(at);
      else forgetCell(cells, at);
    }
    let slots = 4;
    while (slots * 3 < (kept.length + 1) * 4 + 2) slots *= 2;
    table.cells = new Int32Array(slots * STRIDE);
    table.size = 0;
    for (const at of kept) {
      place(table, cells[at] as number, cells[at + 1] as number, cells[at + 2] as number, cells[at + 3] as number);
    }
  };

  const schedule = (agent: number, client: number, tick: number): void => {
    let bucket = buckets.get(tick);
    if (bucket === undefined) {
      bucket = { pairs: new Int32Array(16), size: 0 };
      buckets.set(tick, bucket);
      deadlines.set(tick, tick * tickMs);
    }
    if (bucket.size * 2 >= bucket.pairs.length) {
      let kept = 0;
      for (let i = 0; i < bucket.size; i++) {
        const a = bucket.pairs[2 * i] as number;
        const c = bucket.pairs[2 * i + 1] as number;
        if (find(tables[a], c, (cells, at) => isLive(cells, at) && cells[at + 3] >>> 0 === tick) < 0) continue;
        bucket.pairs[2 * kept] = a;
        bucket.pairs[2 * kept + 1] = c;
        kept++;
      }
      bucket.size = kept;
      if (kept * 4 > bucket.pairs.length) {
        const pairs = new Int32Array(bucket.pairs.length * 2);
        pairs.set(bucket.pairs);
        bucket.pairs = pairs;
      }
    }
    bucket.pairs[2 * bucket.size] = agent;
    bucket.pairs[2 * bucket.size + 1] = client;
    bucket.size++;
  };

  /** The tick in which a filter ends (L2). */
  const tickOf = (now: number, durationMs: number): number => {
    let step = 1;
    while (step * 2 <= durationMs / tickMs / 256) step *= 2;
    return Math.min(Math.ceil((now + durationMs) / tickMs / step) * step, 0xffff_fffe);
  };

  return {
    add(agent, client, refused, now, durationMs) {
      const tick = tickOf(now, durationMs);
      const generation = generations[client] ?? 0;
      let table = tables[agent];
      if (table === undefined) {
        table = { cells: new Int32Array(STRIDE * 4), size: 0 };
        tables[agent] = table;
      }
      // One that refuses no more and ends no later adds nothing; one that refuses no less replaces.
      const before = find(table, client, (cells, at) => {
        if (!isLive(cells, at)) return true;
        const other = references.bundles[cells[at + 2] as number] as Bundle;
        return cells[at + 3] >>> 0 <= tick ? containsBundle(refused, other) : containsBundle(other, refused);
      });
      if (before >= 0) {
        const { cells } = table;
        if (isLive(cells, before) && cells[before + 3] >>> 0 > tick) return;
        forgetCell(cells, before);
        takeOut(table, before);
      }
      if ((table.size + 1) * STRIDE * 4 > table.cells.length * 3) grow(table);
      place(table, client + 1, generation, takeReference(references, refused), tick);
      count++;
      counts[client] = (counts[client] ?? 0) + 1;
      schedule(agent, client, tick);
    },
    refuses(agent, client, bundle) {
      const table = tables[agent];
      if (table === undefined || table.size === 0) return false;
      const { cells } = table;
      const mask = cells.length / STRIDE - 1;
      const wanted = client + 1;
      for (let slot = client & mask; ; slot = (slot + 1) & mask) {
        const key = cells[slot * STRIDE] as number;
        if (key === 0) return false;
        if (key !== wanted || cells[slot * STRIDE + 1] !== (generations[client] ?? 0)) continue;
        if (containedIn(cells[slot * STRIDE + 2] as number, bundle)) return true;
      }
    },
    of(agent, client) {
      const found: { refused: Bundle; untilMs: number }[] = [];
      find(tables[agent], client, (cells, at) => {
        if (isLive(cells, at)) {
          const refused = references.bundles[cells[at + 2] as number] as Bundle;
          found.push({ refused, untilMs: ((cells[at + 3] as number) >>> 0) * tickMs });
        }
        return false;
      });
      return found;
    },
    forgetAgent(agent) {
      const cells = tables[agent]?.cells;
      tables[agent] = undefined;
      if (cells === undefined) return;
      for (let at = 0; at < cells.length; at += STRIDE) if (cells[at] !== 0) forgetCell(cells, at);
    },
    forgetClient(client) {
      count -= counts[client] ?? 0;
      counts[client] = 0;
      generations[client] = ((generations[client] ?? 0) + 1) | 0;
    },
    expire(now, ended) {
      for (let tick = deadlines.takeDue(now); tick !== undefined; tick = deadlines.takeDue(now)) {
        const bucket = buckets.get(tick) as Bucket;
        buckets.delete(tick);
        const due = tick;
        for (let i = 0; i < bucket.size; i++) {
          const agent = bucket.pairs[2 * i] as number;
          const client = bucket.pairs[2 * i + 1] as number;
          const table = tables[agent];
          const at = find(table, client, (cells, cell) => cells[cell + 3] >>> 0 === due);
          if (table === undefined || at < 0) continue;
          if (isLive(table.cells, at)) ended(agent, client);
          forgetCell(table.cells, at);
          takeOut(table, at);
        }
      }
    },
    nextExpiry: () => deadlines.next(),
    countOf: (client) => counts[client] ?? 0,
    get count() {
      return count;
    },
  };
}

function place(table: Table, key: number, generation: number, reference: number, tick: number): void {
  const { cells } = table;
  const mask = cells.length / STRIDE - 1;
  let slot = (key - 1) & mask;
  while (cells[slot * STRIDE] !== 0) slot = (slot + 1) & mask;
  const at = slot * STRIDE;
  cells[at] = key;
  cells[at + 1] = generation;
  cells[at + 2] = reference;
  cells[at + 3] = tick;
  table.size++;
}

/** The cell of the client's first filter that fits; -1 if none. */
function find(
  table: Table | undefined,
  client: number,
  fits: (cells: Int32Array<ArrayBufferLike> & Record<number, number>, at: number) => boolean,
): number {
  if (table === undefined) return -1;
  const cells = table.cells as Int32Array<ArrayBufferLike> & Record<number, number>;
  const mask = cells.length / STRIDE - 1;
  for (let slot = client & mask; cells[slot * STRIDE] !== 0; slot = (slot + 1) & mask) {
    if (cells[slot * STRIDE] === client + 1 && fits(cells, slot * STRIDE)) return slot * STRIDE;
  }
  return -1;
}

/** Empties a cell and moves those behind it up, so that every probe still finds its own (Knuth 6.4, algorithm R). */
function takeOut(table: Table, at: number): void {
  const { cells } = table;
  const mask = cells.length / STRIDE - 1;
  let hole = at / STRIDE;
  let slot = hole;
  for (;;) {
    slot = (slot + 1) & mask;
    const key = cells[slot * STRIDE] as number;
    if (key === 0) break;
    const home = (key - 1) & mask;
    if (((slot - home) & mask) < ((slot - hole) & mask)) continue;
    cells.copyWithin(hole * STRIDE, slot * STRIDE, (slot + 1) * STRIDE);
    hole = slot;
  }
  cells.fill(0, hole * STRIDE, (hole + 1) * STRIDE);
  table.size--;
}

function takeReference(references: References, bundle: Bundle): number {
  const known = references.byBundle.get(bundle);
  if (known !== undefined && sameBundle(references.bundles[known] as Bundle, bundle)) {
    references.uses[known] = (references.uses[known] as number) + 1;
    return known;
  }
  const reference = references.free.pop() ?? references.bundles.length;
  references.bundles[reference] = bundle;
  references.uses[reference] = 1;
  references.byBundle.set(bundle, reference);
  return reference;
}

/** Whether it was the last use. */
function dropReference(references: References, reference: number): boolean {
  const uses = (references.uses[reference] as number) - 1;
  references.uses[reference] = uses;
  if (uses > 0) return false;
  references.byBundle.delete(references.bundles[reference] as Bundle);
  references.bundles[reference] = undefined;
  references.free.push(reference);
  return true;
}
