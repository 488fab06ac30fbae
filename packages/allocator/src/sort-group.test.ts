import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRandom } from '@meseta/base';
import fc from 'fast-check';
import {
  type ClusterTotals,
  createEntry,
  createGroup,
  insert,
  isBefore,
  remove,
  reposition,
  type SortEntry,
  type SortGroup,
  shareOf,
  updateOrder,
} from './sort-group.js';

type Entry = SortEntry<string>;
type Group = SortGroup<string>;

const clusterOf = (...total: number[]): ClusterTotals => ({ total, version: 0, excluded: new Set() });
const entryOf = (name: string, allocation: number[], weight = 1): Entry => createEntry(name, name, allocation, weight);

function groupOf(kind: 'drf' | 'random', entries: readonly Entry[]): Group {
  const group = createGroup<string>(kind);
  for (const entry of entries) insert(group, entry);
  return group;
}

const orderOf = ({ entries, order }: Group): Entry[] => entries.map((_, i) => entries[order[i] as number] as Entry);
const namesOf = (group: Group): string[] => orderOf(group).map(({ name }) => name);

test('SORT-GROUP-1: the share is the largest part of the total of a counted resource, divided by the weight', () => {
  const cases: readonly (readonly [
    what: string,
    allocation: number[],
    total: number[],
    weight: number,
    share: number,
  ])[] = [
    ['the largest part', [1, 6, 2], [4, 8, 16], 1, 0.75],
    ['weighted', [1, 6], [4, 8], 3, 0.25],
    ['of nothing', [], [4], 1, 0],
    ['more kinds than the cluster has', [1, 9], [4], 1, 0.25],
    ['fewer', [1], [4, 8], 1, 0.25],
    ['a kind of which there is none', [1, 9], [4, 0], 1, 0.25],
  ];
  for (const [what, allocation, total, weight, share] of cases) {
    assert.equal(shareOf({ allocation, weight }, clusterOf(...total)), share, what);
  }
  assert.equal(shareOf({ allocation: [1, 6], weight: 1 }, { ...clusterOf(4, 8), excluded: new Set([1]) }), 0.25);
});

test('SORT-GROUP-1: siblings are ordered by share, then by the number of offers, then by name', () => {
  const [c, a, b, d] = ['c', 'a', 'b', 'd'].map((name) => entryOf(name, [name === 'd' ? 1 : 2]));
  const group = groupOf('drf', [c, a, b, d] as Entry[]);
  (a as Entry).offers = 1;
  updateOrder(group, clusterOf(8), seededRandom(1));
  assert.deepEqual(namesOf(group), ['d', 'b', 'c', 'a']);
  assert.equal(isBefore(group, d as Entry, b as Entry), true);
  assert.equal(isBefore(group, c as Entry, b as Entry), false);
  assert.equal(isBefore(group, a as Entry, a as Entry), false);
});

const anyChange = fc.record({
  kind: fc.constantFrom(
    'allocation',
    'allocation',
    'allocation',
    'offers',
    'weight',
    'insert',
    'remove',
    'total',
    'order',
    'order',
  ),
  entry: fc.nat(11),
  amount: fc.nat(3),
});

test('SORT-GROUP-1: after any changes the order is that of a sort', () => {
  fc.assert(
    fc.property(fc.array(anyChange, { maxLength: 120, size: 'max' }), (changes) => {
      const cluster = clusterOf(16, 8) as ClusterTotals & { total: number[] };
      const all = Array.from({ length: 12 }, (_, i) => entryOf(`e${i}`, [0, 0]));
      const group = groupOf('drf', all.slice(0, 3));
      const random = seededRandom(1);
      for (const { kind, entry: at, amount } of changes) {
        const entry = all[at] as Entry;
        if (kind === 'insert' && entry.slot < 0) insert(group, entry);
        if (kind === 'remove' && entry.slot >= 0) remove(group, entry);
        if (kind === 'allocation') entry.allocation[amount & 1] = amount;
        if (kind === 'offers') entry.offers += amount;
        if (kind === 'weight') entry.weight = amount + 1;
        if (kind === 'allocation' || kind === 'offers' || kind === 'weight') reposition(group, entry, cluster);
        if (kind === 'total') {
          cluster.total[amount & 1] = amount * 4;
          cluster.version++;
        }
        if (kind !== 'order') continue;
        updateOrder(group, cluster, random);
        const wanted = all
          .filter(({ slot }) => slot >= 0)
          .sort(
            (a, b) => shareOf(a, cluster) - shareOf(b, cluster) || a.offers - b.offers || (a.name < b.name ? -1 : 1),
          );
        assert.deepEqual(orderOf(group), wanted);
        wanted.forEach((it, i) => {
          assert.equal(group.entries[it.slot], it);
          const next = wanted[i + 1];
          if (next !== undefined)
            assert.deepEqual([isBefore(group, it, next), isBefore(group, next, it)], [true, false]);
        });
      }
    }),
    { numRuns: 50, seed: 5 },
  );
});

test('a change moves its entry to its place, so that the next walk does not sort', () => {
  const cluster = clusterOf(8);
  const entries = ['a', 'b', 'c', 'd', 'e'].map((name, i) => entryOf(name, [i]));
  const group = groupOf('drf', entries);
  updateOrder(group, cluster, seededRandom(1));
  for (const [at, allocation, order] of [
    [0, 9, 'bcdea'],
    [4, 0, 'ebcda'],
    [2, 4, 'ebdca'],
    [2, 4, 'ebdca'],
  ] as const) {
    const entry = entries[at] as Entry;
    entry.allocation[0] = allocation;
    reposition(group, entry, cluster);
    assert.equal(group.isStale, false);
    assert.equal(namesOf(group).join(''), order);
  }
});

test('a group has room for any number of siblings, and takes no more than twice of it', () => {
  const group = groupOf('drf', []);
  for (let i = 0; i < 40; i++) insert(group, entryOf(`e${i}`, [i]));
  updateOrder(group, clusterOf(40), seededRandom(1));
  assert.deepEqual(
    namesOf(group),
    Array.from({ length: 40 }, (_, i) => `e${i}`),
  );
  assert.deepEqual([group.order.length, group.shares.length], [64, 64]);
});

test('shares are computed when a sibling or the cluster changes, not for each walk', () => {
  let computed = 0;
  const counting = (name: string): Entry => {
    const allocation = [1];
    const entry = entryOf(name, allocation);
    return Object.defineProperty(entry, 'allocation', {
      get() {
        computed++;
        return allocation;
      },
    });
  };
  const cluster = clusterOf(8);
  const group = groupOf('drf', [counting('a')]);
  const computedIn = (action: () => void): number => {
    computed = 0;
    action();
    return computed;
  };
  const walk = (): void => updateOrder(group, cluster, seededRandom(1));
  assert.equal(computedIn(walk), 0, 'a single sibling has no order');
  insert(group, counting('b'));
  assert.equal(computedIn(walk), 2);
  assert.equal(computedIn(walk), 0);
  assert.equal(
    computedIn(() => reposition(group, group.entries[0] as Entry, cluster)),
    1,
  );
  cluster.version++;
  assert.equal(
    computedIn(() => reposition(group, group.entries[0] as Entry, cluster)),
    0,
    'the next walk computes all',
  );
  assert.equal(computedIn(walk), 2);
});

test('SORT-GROUP-2: a change of an entry does not change the order that was drawn', () => {
  const entries = ['a', 'b', 'c', 'd'].map((name) => entryOf(name, [0]));
  const group = groupOf('random', entries);
  const cluster = clusterOf(8);
  updateOrder(group, cluster, seededRandom(1));
  const drawn = namesOf(group);
  for (const entry of entries) {
    entry.allocation[0] = 8;
    reposition(group, entry, cluster);
    assert.deepEqual(namesOf(group), drawn);
    assert.equal(isBefore(group, entry, entry), false);
    entry.allocation[0] = 0;
  }
});

test('a change of an entry in no group changes no order', () => {
  const group = groupOf('drf', [entryOf('a', [1]), entryOf('b', [2])]);
  const cluster = clusterOf(8);
  updateOrder(group, cluster, seededRandom(1));
  reposition(group, entryOf('c', [0]), cluster);
  assert.deepEqual([namesOf(group), group.isStale], [['a', 'b'], false]);
});

/** How often each entry comes first, in percent of the walks. */
function firstShares(entries: readonly Entry[], walks = 4000): number[] {
  const group = groupOf('random', entries);
  const random = seededRandom(3);
  const counts = new Map(entries.map((entry) => [entry, 0]));
  for (let i = 0; i < walks; i++) {
    updateOrder(group, clusterOf(1), random);
    const order = orderOf(group);
    assert.equal(new Set(order).size, entries.length, 'each sibling comes once');
    const [first] = order;
    if (first !== undefined) counts.set(first, (counts.get(first) ?? 0) + 1);
  }
  return entries.map((entry) => Math.round(((counts.get(entry) ?? 0) / walks) * 100));
}

test('SORT-GROUP-2: a sibling comes first with a probability in proportion to its weight', () => {
  for (const weights of [
    [1, 1, 1, 1],
    [1, 3],
    [5, 1, 2],
    [2, 2, 4, 8],
  ]) {
    const all = weights.reduce((sum, weight) => sum + weight, 0);
    const shares = firstShares(weights.map((weight, i) => entryOf(`e${i}`, [], weight)));
    shares.forEach((share, i) => {
      const wanted = ((weights[i] as number) / all) * 100;
      assert(Math.abs(share - wanted) <= 3, `${weights}: ${shares}`);
    });
  }
});

test('SORT-GROUP-2: the second sibling is drawn by weight too', () => {
  const entries = [entryOf('a', [], 6), entryOf('b', [], 1), entryOf('c', [], 3)];
  const group = groupOf('random', entries);
  const random = seededRandom(4);
  let [second, all] = [0, 0];
  for (let i = 0; i < 6000; i++) {
    updateOrder(group, clusterOf(1), random);
    const [first, next] = namesOf(group);
    if (first !== 'a') continue;
    all++;
    if (next === 'c') second++;
    assert.equal(isBefore(group, entries[0] as Entry, entries[1] as Entry), true);
    assert.equal(isBefore(group, entries[1] as Entry, entries[2] as Entry), next === 'b');
  }
  assert(Math.abs(second / all - 0.75) < 0.04, `${second} of ${all}`);
});
