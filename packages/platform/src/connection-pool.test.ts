import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createConnectionPool } from './connection-pool.js';

test('the oldest connection of the address that has the most is closed next', () => {
  const pool = createConnectionPool<{ readonly ip: string; readonly id: number }>();
  const connections = ['a', 'b', 'b', 'c', 'b', 'c'].map((ip, id) => ({ ip, id }));
  for (const it of connections) pool.add(it);
  const closed: number[] = [];
  for (let next = pool.nextToClose(); next !== undefined; next = pool.nextToClose()) {
    closed.push(next.id);
    pool.delete(next);
    pool.delete(next);
  }
  assert.deepEqual(closed, [1, 3, 2, 0, 5, 4]);
  assert.equal(pool.size, 0);
});

test('CONNECTION-POOL-1: a flood from many addresses visits no other address when it replaces connections', (t) => {
  const pool = createConnectionPool<{ readonly ip: string }>();
  for (let i = 0; i < 20_000; i++) pool.add({ ip: `10.0.${i >> 8}.${i & 255}` });
  const iterators = [new Map().values(), new Set().values()].map((it) => Object.getPrototypeOf(it));
  const steps = iterators.map((prototype) => t.mock.method(prototype, 'next'));
  for (let i = 0; i < 1000; i++) {
    const oldest = pool.nextToClose();
    assert.equal(oldest?.ip, `10.0.${i >> 8}.${i & 255}`);
    pool.delete(oldest as { readonly ip: string });
    pool.add({ ip: `10.1.${i >> 8}.${i & 255}` });
  }
  const visited = steps.reduce((sum, { mock }) => sum + mock.callCount(), 0);
  assert.ok(visited <= 2000, `${visited} steps of iterators for 1000 connections`);
});
