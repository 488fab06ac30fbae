import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { summarize } from './summary.js';
import { anyList, scalarOfName } from './testing.js';
import { resourcesJson } from './v0-json.js';

test('resources are written as they are summarized, whatever is among them', () => {
  const scalars = fc
    .array(
      fc.record({ name: fc.constantFrom('cpus', 'mem', 'disk', 'gpus'), amount: fc.integer({ min: 1, max: 1e7 }) }),
    )
    .map((list) => list.map(({ name, amount }) => scalarOfName(name, amount / 1000)));
  fc.assert(
    fc.property(fc.oneof(scalars, anyList), (list) => {
      const totals = summarize(list);
      const written = JSON.parse(resourcesJson(list)) as Record<string, unknown>;
      assert.deepEqual(Object.entries(written), Object.entries(totals));
    }),
  );
});
