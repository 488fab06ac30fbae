import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addToHistory } from './history.js';

test('a history keeps its newest items up to the limit, oldest first; an item that is in it keeps its place', () => {
  const table: readonly (readonly [items: readonly string[], limit: number, kept: readonly string[]])[] = [
    [['a', 'b'], 2, ['a', 'b']],
    [['a', 'b', 'c'], 2, ['b', 'c']],
    [['a', 'b', 'a'], 2, ['a', 'b']],
    [['a', 'b', 'c'], 1, ['c']],
    [['a'], 0, []],
  ];
  for (const [items, limit, kept] of table) {
    const history = new Set<string>();
    for (const item of items) addToHistory(history, item, limit);
    assert.deepEqual([...history], kept);
  }
});

test('a lower limit drops every item beyond it', () => {
  const history = new Set(['a', 'b', 'c', 'd']);
  addToHistory(history, 'e', 2);
  assert.deepEqual([...history], ['d', 'e']);
});
