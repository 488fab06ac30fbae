import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createBundleTable } from '@meseta/resources';
import { addReference, createReferences, releaseReference } from './references.js';
import { res } from './testing/cluster.js';

test('a bundle has one number until its last use is released, and the number is reused then', () => {
  const table = createBundleTable();
  const [a, b, c] = ['cpus:1', 'cpus:2', 'cpus:3'].map((text) => table.intern(res(text))) as [never, never, never];
  const references = createReferences();
  assert.deepEqual(
    [a, b, a].map((bundle) => addReference(references, bundle)),
    [0, 1, 0],
  );
  assert.equal(releaseReference(references, 0), false);
  assert.equal(references.bundles[0], a);
  assert.equal(releaseReference(references, 0), true);
  assert.deepEqual(references.bundles, [undefined, b]);
  assert.deepEqual(
    [b, c, a].map((bundle) => addReference(references, bundle)),
    [1, 0, 2],
  );
  assert.deepEqual(references.bundles, [c, b, a]);
});
