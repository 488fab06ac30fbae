import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createBundleTable, formatResources, type Resources } from '@meseta/resources';
import { createDimensions } from './dimensions.js';
import { CAN_REFINE, CAN_REVOKE, CAN_SHARE, createShapes, type Shape } from './shapes.js';
import { refinedMem, res, revocableCpus, sharedVolume } from './testing/cluster.js';

const shared = sharedVolume('a');

function setup(budget?: number) {
  const table = createBundleTable();
  const dimensions = createDimensions();
  const shapes = createShapes(table, dimensions, budget);
  const bundleOf = (list: string | Resources) => table.intern(typeof list === 'string' ? res(list) : list);
  return { dimensions, shapes, bundleOf, shapeOf: (list: string | Resources) => shapes.of(bundleOf(list)) };
}

const text = ({ bundle }: Shape): string => formatResources(bundle.resources);

test('a shape has the vectors of all scalars, of the countable ones and of those reserved to each role', () => {
  const { dimensions, shapeOf } = setup();
  const vectorOf = (amounts: Record<string, number>) => {
    const vector: number[] = [];
    for (const [name, amount] of Object.entries(amounts)) vector[dimensions.indexOf(name)] = amount;
    return Array.from(vector, (amount) => amount ?? 0);
  };
  const plain = shapeOf('cpus:1;mem:2;ports:[1-2]');
  assert.deepEqual(plain.scalars, vectorOf({ cpus: 1000, mem: 2000 }));
  assert.deepEqual([plain.isUnrestricted, plain.hasShared, plain.reserved], [true, false, undefined]);
  assert.equal(plain.countable, plain.scalars);
  assert.equal(plain.unshared, plain.bundle);
  const special = shapeOf([...res('cpus:1;cpus(a):2;mem(b):3'), revocableCpus, shared]);
  assert.deepEqual(special.scalars, vectorOf({ cpus: 7000, mem: 3000, disk: 10_000 }));
  assert.deepEqual(special.countable, vectorOf({ cpus: 1000 }));
  assert.deepEqual(
    [...(special.reserved ?? [])],
    [
      ['a', vectorOf({ cpus: 2000, mem: 0, disk: 10_000 })],
      ['b', vectorOf({ mem: 3000 })],
    ],
  );
  assert.deepEqual([special.isUnrestricted, special.hasShared], [false, true]);
  assert.ok(!formatResources(special.unshared.resources).includes('SHARED'));
  for (const list of [[revocableCpus], res('cpus(a):1')]) assert.equal(shapeOf(list).isUnrestricted, false);
  assert.equal(shapeOf([revocableCpus]).reserved, undefined);
});

test('a role sees what is not reserved to other roles, a framework what its capabilities allow', () => {
  const { shapes, shapeOf } = setup();
  const shape = shapeOf([...res('disk:1;cpus(a):2;cpus(b):3'), revocableCpus, shared, refinedMem]);
  const all = CAN_SHARE | CAN_REVOKE | CAN_REFINE;
  const own = 'cpus(reservations: [(STATIC,a)]):2';
  const volume = 'disk(reservations: [(DYNAMIC,a)])[v:p]<SHARED>:10';
  const stack = 'mem(reservations: [(STATIC,a),(DYNAMIC,a/b)]):7';
  const cases: [role: string, capabilities: number, seen: string[]][] = [
    ['c', all, ['disk:1', 'cpus{REV}:4']],
    ['b', 0, ['disk:1', 'cpus(reservations: [(STATIC,b)]):3']],
    ['a', all, ['disk:1', own, volume, 'cpus{REV}:4']],
    ['a', CAN_REVOKE, ['disk:1', own, 'cpus{REV}:4']],
    ['a/b', all, ['disk:1', own, volume, stack, 'cpus{REV}:4']],
    ['a/b', CAN_REFINE, ['disk:1', own, stack]],
    ['a/b', CAN_SHARE | 64, ['disk:1', own, volume]],
  ];
  for (const [role, capabilities, seen] of cases) {
    const view = shapes.viewOf(shape, role, capabilities);
    assert.deepEqual(text(view).split('; ').sort(), [...seen].sort(), `${role} ${capabilities}`);
    assert.equal(shapes.viewOf(shape, role, capabilities | 64), view, 'other capabilities make no difference');
  }
  const plain = shapeOf('cpus:1');
  assert.equal(shapes.viewOf(plain, 'a', 0), plain);
});

test('views of a shape without reservations are the same for all roles', () => {
  const { shapes, shapeOf } = setup();
  const shape = shapeOf([...res('cpus:1'), revocableCpus]);
  assert.equal(shapes.viewOf(shape, 'a', 0), shapes.viewOf(shape, 'b', 0));
  assert.equal(shape.views.size, 1);
});

test('a shape keeps a limited number of views', () => {
  const { shapes, shapeOf } = setup();
  const shape = shapeOf('cpus:1;cpus(a):1');
  const sizes: number[] = [];
  for (let i = 0; i < 4098; i++) {
    shapes.viewOf(shape, `r${i}`, 0);
    sizes.push(shape.views.size);
  }
  assert.deepEqual(sizes.slice(4094), [4095, 4096, 1, 2]);
});

test('a cut keeps each resource within its allowed amount, and what is not countable whole', () => {
  const { dimensions, shapes, shapeOf } = setup();
  const shape = shapeOf([...res('zebras:9;cpus:4;mem:100;ports:[1-9];cpus(a):2'), revocableCpus]);
  const cut = (amounts: Record<string, number>): Shape => {
    const allowed = [...shape.countable];
    for (const [name, amount] of Object.entries(amounts)) allowed[dimensions.indexOf(name)] = amount;
    return shapes.cut(shape, allowed);
  };
  const rest = ['cpus(reservations: [(STATIC,a)]):2', 'cpus{REV}:4', 'ports:[1-9]'];
  for (const [allowed, kept] of [
    [{ cpus: 1500 }, ['cpus:1.5', 'mem:100', 'zebras:9']],
    [{ cpus: 4000, mem: 1000 }, ['cpus:4', 'mem:1', 'zebras:9']],
    [{ cpus: 0, zebras: 2000 }, ['mem:100', 'zebras:2']],
    [{ zebras: 1000, mem: 2000, cpus: 3000 }, ['cpus:3', 'mem:2', 'zebras:1']],
    [{}, ['cpus:4', 'mem:100', 'zebras:9']],
  ] as [Record<string, number>, string[]][]) {
    const result = cut(allowed);
    assert.deepEqual(text(result).split('; ').sort(), [...kept, ...rest].sort(), JSON.stringify(allowed));
    const { lastCut } = shape;
    assert.equal(cut(allowed), result);
    assert.equal(shape.lastCut, lastCut, 'an equal cut is not computed again');
  }
});

test('the last cut is used again only for equal allowed amounts of the same length', () => {
  const { shapes, shapeOf } = setup();
  const shape = shapeOf('cpus:4');
  const cut = shapes.cut(shape, [1000]);
  const allowed = [1000];
  assert.equal(shapes.cut(shape, allowed), cut);
  const again = shapes.cut(shape, [2000]);
  allowed[0] = 2000;
  assert.equal(shapes.cut(shape, allowed), again);
  allowed[0] = 3000;
  assert.equal(text(shapes.cut(shape, allowed)), 'cpus:3');
});

test('the shared resources of another bundle can be removed from a shape', () => {
  const { shapes, shapeOf, bundleOf } = setup();
  const shape = shapeOf([...res('cpus:4'), shared]);
  assert.equal(shapes.withoutShared(shape, bundleOf('cpus:4')), shape);
  assert.equal(text(shapes.withoutShared(shape, bundleOf([...res('cpus:4'), shared]))), 'cpus:4');
});

test('shapes are cached in two generations of the budget, until the cache is cleared', () => {
  const { shapes, shapeOf } = setup(8);
  const first = shapeOf('cpus:0.5');
  const fill = (from: number, count: number): void => {
    for (let i = from; i < from + count; i++) shapeOf([{ name: 'cpus', type: 'SCALAR', scalar: { value: i } }]);
  };
  fill(1, 7);
  assert.equal(shapeOf('cpus:0.5'), first);
  fill(20, 1);
  // In the older generation now; the lookup moves it to the younger one.
  assert.equal(shapeOf('cpus:0.5'), first);
  fill(30, 7);
  assert.equal(shapeOf('cpus:0.5'), first);
  fill(50, 16);
  assert.notEqual(shapeOf('cpus:0.5'), first);
  const latest = shapeOf('cpus:0.5');
  shapes.clear();
  assert.notEqual(shapeOf('cpus:0.5'), latest);
});
