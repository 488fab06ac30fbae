import assert from 'node:assert/strict';
import test from 'node:test';
import { scalarSum } from './scalars.js';

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
