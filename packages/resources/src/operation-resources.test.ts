import assert from 'node:assert/strict';
import test from 'node:test';
import type { OfferOperation } from '@meseta/wire';
import { mapOperationResources, resourcesOfOperation } from './operation-resources.js';
import { scalarOfName } from './testing.js';

const [a, b] = [scalarOfName('cpus', 1), scalarOfName('mem', 2)];

const operations: readonly (readonly [operation: OfferOperation, fields: readonly string[]])[] = [
  [{ type: 'RESERVE', reserve: { resources: [a, b] } }, ['reserve.resources']],
  [{ type: 'RESERVE', reserve: { resources: [a], source: [b] } }, ['reserve.source', 'reserve.resources']],
  [{ type: 'UNRESERVE', unreserve: { resources: [a] } }, ['unreserve.resources']],
  [{ type: 'CREATE', create: { volumes: [a] } }, ['create.volumes']],
  [{ type: 'DESTROY', destroy: { volumes: [a, b] } }, ['destroy.volumes']],
  [{ type: 'GROW_VOLUME', grow_volume: { volume: a, addition: b } }, ['grow_volume.volume', 'grow_volume.addition']],
  [{ type: 'SHRINK_VOLUME', shrink_volume: { volume: a, subtract: { value: 1 } } }, ['shrink_volume.volume']],
  [{ type: 'LAUNCH', launch: { task_infos: [] } }, []],
];

test('the mapper replaces the resources of every field and leaves the other fields as they are', () => {
  for (const [operation, fields] of operations) {
    const mapped = mapOperationResources(operation, (list) => list.map((resource) => ({ ...resource, name: 'x' })));
    assert.deepEqual(
      resourcesOfOperation(mapped).map(([field]) => field),
      fields,
      operation.type,
    );
    for (const [field, list] of resourcesOfOperation(mapped)) {
      assert.ok(list.length > 0 && list.every(({ name }) => name === 'x'), field);
    }
    assert.deepEqual(
      mapOperationResources(operation, (list) => list),
      operation,
    );
  }
});

test('a field of one resource stays as it is where the mapper returns nothing for it', () => {
  const operation = { type: 'GROW_VOLUME', grow_volume: { volume: a, addition: b } } as const;
  assert.deepEqual(
    mapOperationResources(operation, () => []),
    operation,
  );
});
