import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createLists, jsonElements, type RunsByList } from './runs.js';

interface Item {
  readonly n: number;
}

const items = (from: number, count: number): Item[] => Array.from({ length: count }, (_, i) => ({ n: from + i }));

/** The bytes of a list, and the number of its records that were encoded for it. */
function render(list: readonly Item[], earlier: RunsByList | undefined) {
  const lists = createLists(earlier);
  let writes = 0;
  const pieces = [
    ...jsonElements(lists, 'items', list, ({ n }) => {
      writes++;
      return `"ä${n}"`;
    }),
  ];
  return { text: Buffer.concat(pieces).toString(), writes, written: lists.written };
}

const whole = (list: readonly Item[]): string => list.map(({ n }) => `"ä${n}"`).join(',');

/** Of a list: a part goes, others come in its place. */
const change = fc.record({
  at: fc.double({ min: 0, max: 1, noNaN: true }),
  removed: fc.nat(40),
  added: fc.nat(40),
});

test('RUNS-1: the bytes are the same as without reuse, whatever has changed', () => {
  fc.assert(
    fc.property(fc.nat(300), fc.array(change, { maxLength: 20 }), (length, changes) => {
      let list = items(0, length);
      let fresh = length;
      let { text, written } = render(list, undefined);
      assert.equal(text, whole(list));
      for (const { at, removed, added } of changes) {
        list = list.toSpliced(Math.floor(at * list.length), removed, ...items(fresh, added));
        fresh += added;
        ({ text, written } = render(list, written));
        assert.equal(text, whole(list));
      }
    }),
  );
});

test('RUNS-2: only runs with changed records are encoded again, also when the runs have moved', () => {
  const list = items(0, 10_000);
  const first = render(list, undefined);
  assert.equal(first.writes, 10_000);
  assert.equal(render(list, first.written).writes, 0);
  const moved = [...items(20_000, 3), ...list.slice(5, 5000), { n: 5000 }, ...list.slice(5001)];
  const { text, writes } = render(moved, first.written);
  assert.equal(text, whole(moved));
  assert.ok(writes < 150, `${writes} written`);
});

test('RUNS-2: many small changes leave no short runs', () => {
  let list = items(0, 2000);
  let { written } = render(list, undefined);
  for (let i = 0; i < 1000; i++) {
    list = list.toSpliced((i * 37) % list.length, 1);
    ({ written } = render(list, written));
  }
  const runs = [...(written.get('items')?.values() ?? [])];
  assert.equal(runs.length <= Math.ceil(list.length / 8), true, `${runs.length} runs of ${list.length} records`);
});

test('RUNS-3: only the runs of the last rendering are kept', () => {
  const first = render(items(0, 1000), undefined);
  const second = render(items(2000, 10), first.written);
  const kept = [...(second.written.get('items')?.values() ?? [])].flatMap((run) => run.items.length);
  assert.deepEqual(kept, [10]);
});

test('the runs of each list are kept separately', () => {
  const list = items(0, 20);
  const lists = createLists(undefined);
  const write = (mark: string) => (run: readonly Item[]) => Buffer.from(run.map(({ n }) => `${mark}${n}`).join(''));
  const first = [...lists.list('a', list, write('a'))];
  const other = [...createLists(lists.written).list('b', list, write('b'))];
  assert.notDeepEqual(Buffer.concat(first), Buffer.concat(other));
});
