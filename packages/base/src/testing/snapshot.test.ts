import assert from 'node:assert/strict';
import test from 'node:test';
import { snapshotOf } from './snapshot.js';

const nothing = () => false;

test('a snapshot is equal, shares nothing with the original, and keeps what is shared within it', () => {
  const shared = { n: 1 };
  const state = {
    map: new Map([['a', shared]]),
    set: new Set([shared]),
    list: [shared, undefined],
    bytes: Uint8Array.of(1, 2),
  };
  const copy = snapshotOf(state, nothing);
  assert.deepEqual(copy, state);
  const [first] = copy.list;
  assert.ok(first !== shared && copy.map.get('a') === first && first !== undefined && copy.set.has(first));
  state.map.set('b', shared);
  state.bytes[0] = 9;
  assert.deepEqual([copy.map.size, copy.bytes[0]], [1, 1]);
});

test('functions and instances of classes are refused with their path, unless they are given', () => {
  const options = { authorize: () => true };
  const state = { options, list: [1, new Error('an instance')] };
  assert.throws(() => snapshotOf(state, nothing), /state\.options\.authorize: expected plain data, got a function/);
  assert.throws(() => snapshotOf(state, (value) => value === options), /state\.list\[1\]: expected plain data/);
  assert.equal(snapshotOf({ options }, (value) => value === options).options, options);
});
