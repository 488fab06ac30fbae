import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { formatScalar, fromThousandths, scalarSum, toThousandths } from './scalars.js';

test('scalars of one name are summed as whole thousandths, others are left out', () => {
  const resources = [
    { name: 'cpus', type: 'SCALAR' as const, scalar: { value: 0.1 } },
    { name: 'mem', type: 'SCALAR' as const, scalar: { value: 64 } },
    { name: 'cpus', type: 'SCALAR' as const, scalar: { value: 0.2 } },
    { name: 'ports', type: 'RANGES' as const, ranges: { range: [{ begin: 1, end: 9 }] } },
  ];
  assert.deepEqual(
    ['cpus', 'mem', 'ports', 'disk'].map((name) => scalarSum(resources, name)),
    [0.3, 64, 0, 0],
  );
  assert.equal(scalarSum(undefined, 'cpus'), 0);
});

test('scalars are rounded to the thousandth, halves away from zero', () => {
  const table: readonly (readonly [number, number])[] = [
    [1.0005, 1001],
    [-1.0005, -1001],
    [0.1 + 0.2, 300],
    [4, 4000],
  ];
  for (const [value, amount] of table) assert.equal(toThousandths(value), amount, String(value));
  assert.equal(formatScalar(0.30000000000000004), '0.3');
  fc.assert(fc.property(fc.integer(), (amount) => toThousandths(fromThousandths(amount)) === amount));
});
