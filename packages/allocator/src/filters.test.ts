import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Bundle, containsBundle, createBundleTable } from '@meseta/resources';
import fc from 'fast-check';
import {
  addFilter,
  createFilters,
  expireFilters,
  type Filters,
  filtersOf,
  isRefused,
  removeAgentFilters,
  removeClientFilters,
} from './filters.js';
import { res } from './testing/cluster.js';

const TICK_MS = 100;
const AGENTS = 3;
const CLIENTS = 24;

const table = createBundleTable();
const bundleOf = (text: string): Bundle => table.intern(res(text));
const BUNDLES = ['cpus:1', 'cpus:2', 'mem:8', 'cpus:1;mem:8', 'cpus:3;mem:16', 'cpus:2;mem:32'].map(bundleOf);
const [small, large] = [bundleOf('cpus:1;mem:8'), bundleOf('cpus:3;mem:16')];

interface Refusal {
  readonly agent: number;
  readonly client: number;
  readonly refused: Bundle;
  readonly untilMs: number;
}

/** FILTERS-2: ends are multiples of a tick; ends of long durations are multiples of 1/512 of the duration or more. */
function endOf(now: number, durationMs: number): number {
  const grain = TICK_MS * 2 ** Math.max(0, Math.floor(Math.log2(durationMs / TICK_MS / 256)));
  return Math.ceil((now + durationMs) / grain) * grain;
}

const pairsOf = function* (): Iterable<readonly [agent: number, client: number]> {
  for (let agent = 0; agent < AGENTS; agent++) for (let client = 0; client < CLIENTS; client++) yield [agent, client];
};

function expired(filters: Filters, now: number): string[] {
  const pairs = new Set<string>();
  expireFilters(filters, now, (agent, client) => pairs.add(`${agent} ${client}`));
  return [...pairs].sort();
}

/** Compares the filters with a list of all refusals that neither ended nor were removed. */
function checkAgainst(filters: Filters, model: readonly Refusal[]): void {
  let count = 0;
  const counts = new Map<number, number>();
  for (const [agent, client] of pairsOf()) {
    const refusals = model.filter((it) => it.agent === agent && it.client === client);
    for (const bundle of BUNDLES) {
      const wanted = refusals.some(({ refused }) => containsBundle(refused, bundle));
      assert.equal(isRefused(filters, agent, client, bundle), wanted);
    }
    const kept = filtersOf(filters, agent, client);
    for (const { refused, untilMs } of kept) {
      assert(refusals.some((it) => it.refused === refused && it.untilMs === untilMs));
    }
    count += kept.length;
    counts.set(client, (counts.get(client) ?? 0) + kept.length);
  }
  assert.equal(filters.count, count);
  for (const [client, wanted] of counts) assert.equal(filters.counts[client] ?? 0, wanted);
}

const anyChange = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      kind: fc.constant('add' as const),
      agent: fc.nat(AGENTS - 1),
      // Few at one agent share a home in its table, many do in larger ones.
      client: fc.oneof(
        fc.nat(CLIENTS - 1),
        fc.nat(5).map((n) => 4 * n),
      ),
      bundle: fc.nat(BUNDLES.length - 1),
      ms: fc.oneof(fc.integer({ min: 1, max: 2000 }), fc.integer({ min: 20_000, max: 200_000 })),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('removeAgent' as const), agent: fc.nat(AGENTS - 1) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('removeClient' as const), client: fc.nat(CLIENTS - 1) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('pass' as const), ms: fc.nat(1500) }) },
);

test('FILTERS-1, FILTERS-2, FILTERS-3: the filters refuse the same bundles as a list of all refusals', () => {
  fc.assert(
    fc.property(fc.array(anyChange, { minLength: 20, maxLength: 150, size: 'max' }), (changes) => {
      const filters = createFilters(TICK_MS);
      let model: readonly Refusal[] = [];
      let now = 0;
      const pass = (ms: number): void => {
        now += ms;
        const due = new Set(
          model.filter(({ untilMs }) => untilMs <= now).map(({ agent, client }) => `${agent} ${client}`),
        );
        model = model.filter(({ untilMs }) => untilMs > now);
        for (const pair of expired(filters, now))
          assert(due.has(pair), 'only pairs with a filter that ended are reported');
      };
      for (const change of changes) {
        if (change.kind === 'pass') pass(change.ms);
        else if (change.kind === 'removeAgent') {
          removeAgentFilters(filters, change.agent);
          model = model.filter(({ agent }) => agent !== change.agent);
        } else if (change.kind === 'removeClient') {
          removeClientFilters(filters, change.client);
          model = model.filter(({ client }) => client !== change.client);
        } else {
          const { agent, client, ms } = change;
          const refused = BUNDLES[change.bundle] as Bundle;
          addFilter(filters, agent, client, refused, now, ms);
          model = [...model, { agent, client, refused, untilMs: endOf(now, ms) }];
        }
      }
      checkAgainst(filters, model);
      pass(500_000);
      checkAgainst(filters, []);
      assert.equal(filters.buckets.size, 0);
      assert.equal(filters.references.byBundle.size, 0, 'the bundles of deleted filters are released');
    }),
    { numRuns: 150, seed: 11 },
  );
});

test('FILTERS-2: a filter ends with its tick and not before, and its pair is reported once', () => {
  const filters = createFilters(TICK_MS);
  addFilter(filters, 0, 1, small, 50, 100);
  addFilter(filters, 0, 1, bundleOf('cpus:2'), 50, 100);
  addFilter(filters, 0, 2, small, 50, 260);
  assert.deepEqual(
    filtersOf(filters, 0, 1).map(({ untilMs }) => untilMs),
    [200, 200],
  );
  assert.deepEqual(expired(filters, 199), []);
  assert.deepEqual(expired(filters, 200), ['0 1']);
  assert.equal(isRefused(filters, 0, 1, small), false);
  assert.deepEqual(expired(filters, 400), ['0 2']);
  assert.deepEqual([filters.count, filters.counts[1], filters.counts[2]], [0, 0, 0]);
});

test('FILTERS-2: filters of long durations share ends, at most 1/256 of the duration late', () => {
  for (const [durationMs, grainMs] of [
    [51_199, 100],
    [51_200, 200],
    [102_399, 200],
    [102_400, 400],
  ] as const) {
    const filters = createFilters(TICK_MS);
    addFilter(filters, 0, 0, small, 1, durationMs);
    const [filter] = filtersOf(filters, 0, 0);
    assert.equal(filter?.untilMs, Math.ceil((durationMs + 1) / grainMs) * grainMs, `${durationMs} ms`);
  }
});

test('of two filters of a pair only one stays if it refuses as much for as long', () => {
  for (const [first, second, kept] of [
    [[small, 500], [large, 500], [[large, 500]]],
    [[small, 500], [large, 900], [[large, 900]]],
    [
      [small, 900],
      [large, 500],
      [
        [small, 900],
        [large, 500],
      ],
    ],
    [[large, 900], [small, 500], [[large, 900]]],
    [[large, 500], [small, 500], [[large, 500]]],
    [
      [large, 500],
      [small, 900],
      [
        [large, 500],
        [small, 900],
      ],
    ],
    [[small, 500], [small, 900], [[small, 900]]],
    [[small, 900], [small, 500], [[small, 900]]],
  ] as const) {
    const filters = createFilters(TICK_MS);
    for (const [bundle, ms] of [first, second]) addFilter(filters, 0, 0, bundle, 0, ms);
    const found = filtersOf(filters, 0, 0).map(({ refused, untilMs }) => [refused, untilMs]);
    assert.deepEqual(found, kept);
    assert.equal(filters.count, kept.length);
  }
});

test('a filter replaces every filter of the pair that refuses no more and ends no later', () => {
  const filters = createFilters(TICK_MS);
  for (const text of ['cpus:1', 'disk:5', 'mem:8']) addFilter(filters, 0, 0, bundleOf(text), 0, 500);
  addFilter(filters, 0, 0, bundleOf('cpus:2;mem:16'), 0, 500);
  const found = filtersOf(filters, 0, 0).map(({ refused }) => refused);
  assert.deepEqual(found, [bundleOf('disk:5'), bundleOf('cpus:2;mem:16')]);
  assert.deepEqual([filters.count, filters.counts[0], filters.tables[0]?.size], [2, 2, 2]);
});

test('FILTERS-1: a filter that was removed with its client’s filters does not return with the next filter', () => {
  const filters = createFilters(TICK_MS);
  addFilter(filters, 0, 0, large, 0, 500);
  removeClientFilters(filters, 0);
  addFilter(filters, 0, 0, small, 0, 900);
  assert.equal(isRefused(filters, 0, 0, large), false);
  assert.equal(isRefused(filters, 0, 0, small), true);
  assert.deepEqual(expired(filters, 500), []);
  assert.equal(filters.count, 1);
});

test('FILTERS-3: a bucket does not grow with filters that are added and removed in one tick', () => {
  const filters = createFilters(TICK_MS);
  for (let i = 0; i < 1000; i++) {
    addFilter(filters, 0, i % 4, small, 0, 500);
    if (i % 4 === 3) for (let client = 0; client < 4; client++) removeClientFilters(filters, client);
  }
  assert.equal(filters.buckets.size, 1);
  assert.equal(filters.buckets.get(5)?.pairs.length, 16);
  assert.equal(filters.tables[0]?.cells.length, 8 * 4);
});

test('the table of an agent grows with its live filters', () => {
  const filters = createFilters(TICK_MS);
  for (const [count, cells] of [
    [3, 16],
    [4, 32],
    [6, 32],
    [7, 64],
  ] as const) {
    for (let client = 0; client < count; client++) addFilter(filters, 0, client, small, 0, 500);
    assert.equal(filters.tables[0]?.cells.length, cells, `${count} filters`);
    for (let client = 0; client < count; client++) assert(isRefused(filters, 0, client, small));
  }
});

test('the table of an agent does not grow with filters that ended or were removed', () => {
  const ended = createFilters(TICK_MS);
  for (let i = 0; i < 50; i++) {
    addFilter(ended, 0, i % 7, small, i * 100, 100);
    assert.deepEqual(expired(ended, (i + 1) * 100), [`0 ${i % 7}`]);
    assert.equal(ended.tables[0]?.size, 0);
  }
  const removed = createFilters(TICK_MS);
  for (let i = 0; i < 50; i++) {
    addFilter(removed, 0, i % 7, small, 0, 500);
    removeClientFilters(removed, i % 7);
  }
  for (const { tables } of [ended, removed]) assert.equal(tables[0]?.cells.length, 16);
});

test('FILTERS-1: the next filter of a client replaces a stale one', () => {
  const filters = createFilters(TICK_MS);
  addFilter(filters, 0, 0, small, 0, 900);
  removeClientFilters(filters, 0);
  addFilter(filters, 0, 0, large, 0, 500);
  assert.equal(filters.tables[0]?.size, 1);
  assert.equal(filters.references.byBundle.size, 1);
});

test('FILTERS-3: compacting a bucket keeps the entries of live filters', () => {
  const filters = createFilters(TICK_MS);
  for (let client = 0; client < 8; client++) addFilter(filters, client % 3, client, small, 0, 500);
  for (const client of [0, 2, 3, 6]) removeClientFilters(filters, client);
  addFilter(filters, 2, 9, small, 0, 500);
  assert.equal(filters.buckets.get(5)?.size, 5);
  assert.deepEqual(expired(filters, 500), ['1 1', '1 4', '1 7', '2 5', '2 9']);
});
