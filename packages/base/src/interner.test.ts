import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createInterner } from './interner.js';

test('INTERNER-1: the interned record equals the given one, whatever was interned before', () => {
  fc.assert(
    fc.property(fc.array(fc.jsonValue(), { maxLength: 30 }), (values) => {
      const intern = createInterner();
      for (const value of [...values, ...values]) {
        const text = JSON.stringify(value);
        const answer = intern(value);
        assert.deepEqual(answer, value);
        assert.equal(JSON.stringify(answer), text);
      }
    }),
  );
});

test('equal records are interned as one, different records are not', () => {
  const intern = createInterner();
  const resources = (cpus: number) => [{ name: 'cpus', type: 'SCALAR', scalar: { value: cpus } }];
  const first = intern(resources(1));
  assert.equal(intern(resources(1)), first);
  assert.notEqual(intern(resources(2)), first);
  const apart = [
    [],
    {},
    { a: undefined },
    { a: 0 },
    { a: -0 },
    { a: '0' },
    { a: 0n },
    { b: 0 },
    { a: [0] },
    { a: 0, b: 0 },
    { b: 0, a: 0 },
  ];
  const kept = apart.map((record) => intern(record));
  for (const [at, record] of apart.entries()) assert.ok(Object.is(kept[at], record), `record ${at}`);
});

test('INTERNER-2: of 100,000 records at most one for each slot is kept', () => {
  const intern = createInterner();
  const kept = new Set<unknown>();
  for (let at = 0; at < 100_000; at++) intern({ at });
  for (let at = 0; at < 100_000; at++) {
    const record = { at };
    if (intern(record) !== record) kept.add(record);
  }
  assert.ok(kept.size <= 4096, `${kept.size}`);
});

test('INTERNER-3: a record of many values or much text is not kept', () => {
  const intern = createInterner();
  const list = (length: number) => Array.from({ length }, () => ({ a: 1 }));
  const isKept = (make: () => unknown): boolean => {
    const first = make();
    return intern(first) === first && intern(make()) === first;
  };
  assert.deepEqual(
    [
      () => ({ a: 'x'.repeat(10_000) }),
      () => ({ a: 'x'.repeat(20_000) }),
      () => ({ a: ['x'.repeat(10_000), 'y'.repeat(10_000)] }),
      () => ({ ['x'.repeat(20_000)]: 1 }),
      () => list(300),
      () => list(600),
    ].map(isKept),
    [true, false, false, false, true, false],
  );
});
