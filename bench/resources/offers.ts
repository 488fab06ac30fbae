// The cost of totals over 10,000 offers: resource by resource, and by bundles and their quantities. The baseline, in the same
// run, is the sum of as many numbers in a Map.
// Usage: npm run bench -- resources/offers
import { performance } from 'node:perf_hooks';
import {
  add,
  addQuantities,
  containsBundle,
  createBundleTable,
  noQuantities,
  quantitiesOf,
  type Resources,
} from '@meseta/resources';
import type { Resource } from '@meseta/wire';

const OFFERS = 10_000;
const SHAPES = 40;
const ROUNDS = 15;

const scalar = (name: string, value: number): Resource => ({ name, type: 'SCALAR', scalar: { value } });
const offers: Resources[] = Array.from({ length: OFFERS }, (_, i) => [
  scalar('cpus', 1 + (i % SHAPES) / 10),
  scalar('mem', 1024 + (i % SHAPES)),
  scalar('disk', 8192),
  { name: 'ports', type: 'RANGES', ranges: { range: [{ begin: 31000, end: 31999 }] } },
]);

const table = createBundleTable();
const bundles = offers.map((offer) => table.intern(offer));
const task = table.intern([scalar('cpus', 0.1), scalar('mem', 32)]);
const numbers = new Map(offers.map((_, i) => [i, i]));

/** Milliseconds of the median of some rounds, after one to warm up. */
function median(run: () => unknown): number {
  run();
  const times = Array.from({ length: ROUNDS }, () => {
    const start = performance.now();
    run();
    return performance.now() - start;
  }).sort((a, b) => a - b);
  return times[Math.floor(ROUNDS / 2)] as number;
}

const rows: readonly (readonly [string, () => unknown])[] = [
  ['baseline: 10,000 numbers of a Map', () => [...numbers.values()].reduce((sum, n) => sum + n, 0)],
  ['total, list by list', () => offers.reduce<Resources>((sum, offer) => add(sum, offer), [])],
  [
    'quantities, list by list',
    () => offers.reduce((sum, offer) => addQuantities(sum, quantitiesOf(offer)), noQuantities),
  ],
  ['quantities, by bundle', () => bundles.reduce((sum, bundle) => addQuantities(sum, bundle.quantities), noQuantities)],
  ['intern every offer', () => offers.map((offer) => table.intern(offer))],
  ['a task out of every bundle and back', () => bundles.map((b) => table.add(table.subtract(b, task), task))],
  ['does every bundle hold the task', () => bundles.filter((b) => containsBundle(b, task)).length],
  ['allocated to a role', () => bundles.map((b) => b.allocatedTo('web').resources.length)],
];

for (const [label, run] of rows) console.log(`${median(run).toFixed(2).padStart(9)} ms  ${label}`);
