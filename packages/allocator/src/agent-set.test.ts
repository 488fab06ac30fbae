import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type AgentSet, addAgentTo, createAgentSet, hasAgent, removeAgentFrom, visitAgents } from './agent-set.js';

const setOf = (members: readonly number[]): AgentSet => {
  const set = createAgentSet();
  for (const member of members) addAgentTo(set, member);
  return set;
};

function visited(set: AgentSet, start: number): number[] {
  const members: number[] = [];
  visitAgents(set, start, (index) => members.push(index) > 0);
  return members;
}

const ascending = (members: Iterable<number>): number[] => [...members].sort((a, b) => a - b);

test('an agent is in the set after it is added, once or twice, until it is removed', () => {
  const change = fc.record({ index: fc.nat(700), adds: fc.boolean() });
  fc.assert(
    fc.property(fc.array(change, { maxLength: 200 }), fc.nat(999), (changes, thousandths) => {
      const set = createAgentSet();
      const model = new Set<number>();
      for (const { index, adds } of changes) {
        if (adds) addAgentTo(set, index);
        else removeAgentFrom(set, index);
        if (adds) model.add(index);
        else model.delete(index);
        assert.equal(hasAgent(set, index), adds);
        assert.equal(set.size, model.size);
      }
      for (let index = 0; index <= 800; index++) assert.equal(hasAgent(set, index), model.has(index));
      assert.deepEqual(ascending(visited(set, thousandths / 1000)), ascending(model));
    }),
    { numRuns: 50 },
  );
});

test('removing an agent that is not in the set changes nothing', () => {
  const set = setOf([3, 40]);
  removeAgentFrom(set, 40);
  removeAgentFrom(set, 40);
  removeAgentFrom(set, 7000);
  assert.deepEqual([set.size, visited(set, 0)], [1, [3]]);
});

test('a set grows to twice the words that the agent needs, 8 at least', () => {
  const set = setOf([0]);
  assert.equal(set.words.length, 8);
  const { words } = set;
  addAgentTo(set, 255);
  assert.equal(set.words, words);
  addAgentTo(set, 256);
  assert.equal(set.words.length, 18);
  assert.deepEqual(visited(set, 0), [0, 255, 256]);
});

test('a visit begins at the word at the given fraction, and wraps around', () => {
  const set = setOf([1, 40, 70, 255]);
  assert.deepEqual(visited(set, 0), [1, 40, 70, 255]);
  assert.deepEqual(visited(set, 1 / 8), [40, 70, 255, 1]);
  assert.deepEqual(visited(set, 0.999), [255, 1, 40, 70]);
});

test('a visit ends when the callback returns false, and ignores agents added or removed during the visit', () => {
  const set = setOf([1, 40, 70]);
  const seen: number[] = [];
  visitAgents(set, 0, (index) => {
    seen.push(index);
    removeAgentFrom(set, 70);
    addAgentTo(set, 100);
    return index !== 70;
  });
  assert.deepEqual(seen, [1, 40, 70]);
  assert.deepEqual(visited(set, 0), [1, 40, 100]);
});
