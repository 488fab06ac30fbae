import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import {
  addReadyWork,
  addWork,
  completeBatch,
  createCommitQueue,
  doReadyWork,
  proposeChange,
  settleCommits,
  takeBatch,
} from './commit-queue.js';

const setup = () => {
  const queue = createCommitQueue<string, string>();
  const done = (): readonly string[] => {
    const list: string[] = [];
    doReadyWork(queue, (work) => list.push(work));
    return list;
  };
  return { queue, done };
};

test('COMMIT-QUEUE-2: work waits for every change of its batch, also for those proposed after it', () => {
  const { queue, done } = setup();
  addWork(queue, 'work');
  proposeChange(queue, 'change');
  assert.equal(settleCommits(queue), false);
  assert.deepEqual(takeBatch(queue, 1), ['change']);
  assert.deepEqual(done(), []);
  assert.deepEqual(completeBatch(queue), ['change']);
  assert.deepEqual(done(), ['work']);
  assert.deepEqual(done(), []);
});

test('COMMIT-QUEUE-2: work without a change waits for the batches that are with the store', () => {
  const { queue, done } = setup();
  proposeChange(queue, 'change');
  takeBatch(queue, 2);
  addWork(queue, 'later');
  assert.equal(settleCommits(queue), false);
  completeBatch(queue);
  assert.equal(settleCommits(queue), true);
  assert.deepEqual(done(), ['later']);
});

test('COMMIT-QUEUE-2: work that waits for no change is ready in its step, with the work that it adds', () => {
  const { queue } = setup();
  const list: string[] = [];
  addReadyWork(queue, 'first');
  proposeChange(queue, 'change');
  doReadyWork(queue, (work) => {
    list.push(work);
    if (work === 'first') addReadyWork(queue, 'second');
  });
  assert.deepEqual(list, ['first', 'second']);
});

test('at most the given number of batches is with the store; changes proposed meanwhile are the next batch', () => {
  const { queue } = setup();
  assert.equal(takeBatch(queue, 1), undefined);
  proposeChange(queue, 'a');
  assert.deepEqual(takeBatch(queue, 1), ['a']);
  proposeChange(queue, 'b');
  assert.equal(takeBatch(queue, 1), undefined);
  proposeChange(queue, 'c');
  assert.deepEqual(takeBatch(queue, 2), ['b', 'c']);
  assert.deepEqual([completeBatch(queue), completeBatch(queue), completeBatch(queue)], [['a'], ['b', 'c'], undefined]);
});

test('COMMIT-QUEUE-1, COMMIT-QUEUE-2: work is done in order, and never before a change proposed before it is durable', () => {
  const anyAction = fc.constantFrom('change', 'work', 'settle', 'take', 'complete', 'do');
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 3 }), fc.array(anyAction, { maxLength: 80 }), (mostInFlight, actions) => {
      const queue = createCommitQueue<number, { readonly order: number; readonly after: number }>();
      let proposed = 0;
      let durable = 0;
      let added = 0;
      let last = -1;
      for (const action of actions) {
        if (action === 'change') proposeChange(queue, proposed++);
        else if (action === 'work') addWork(queue, { order: added++, after: proposed });
        else if (action === 'settle') settleCommits(queue);
        else if (action === 'take') takeBatch(queue, mostInFlight);
        else if (action === 'complete') {
          for (const change of completeBatch(queue) ?? []) assert.equal(change, durable++);
        } else {
          doReadyWork(queue, ({ order, after }) => {
            assert.ok(after <= durable);
            assert.equal(order, ++last);
          });
        }
        assert.ok(queue.inFlight.length <= mostInFlight);
      }
    }),
  );
});
