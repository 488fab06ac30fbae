import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FrameworkId, OperationUuid } from '@meseta/base';
import type { FrameworkInfo, Operation } from '@meseta/wire';
import { newFramework } from '../core/state.js';
import { getOperations } from './v1.js';

const shown: FrameworkInfo = { user: 'a', name: 'shown' };
const hidden: FrameworkInfo = { user: 'b', name: 'hidden' };

function stateOf(owners: readonly (string | undefined)[]) {
  const known = { shown, hidden };
  return {
    frameworks: new Map(
      Object.entries(known).map(([id, info]) => [id as FrameworkId, newFramework(id as FrameworkId, info, undefined)]),
    ),
    operations: new Map(
      owners.map((owner, index) => {
        const operation: Operation = {
          info: { type: 'RESERVE' },
          latest_status: { state: 'OPERATION_FINISHED' },
          uuid: { value: `${index}` },
          ...(owner === undefined ? {} : { framework_id: { value: owner } }),
        };
        return [`${index}` as OperationUuid, { operation, update: undefined }];
      }),
    ),
  };
}

const ownersOf = (mayView: (info: FrameworkInfo) => boolean): readonly (string | undefined)[] =>
  (getOperations(stateOf([undefined, 'shown', 'hidden', 'unknown']), { framework: mayView }).operations ?? []).map(
    ({ framework_id }) => framework_id?.value,
  );

test('GET_OPERATIONS shows the operations of operators, and those of an unknown framework only to who may see every one', () => {
  assert.deepEqual(
    ownersOf(({ user }) => user === 'a'),
    [undefined, 'shown'],
  );
  assert.deepEqual(
    ownersOf(() => true),
    [undefined, 'shown', 'hidden', 'unknown'],
  );
});
