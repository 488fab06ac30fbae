import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '@meseta/base';
import fc from 'fast-check';
import { type CacheEntry, createFetcherCache } from './cache.js';

const LIMIT_BYTES = 100;

/** What fetches do: use or add a key and set its size, and release the entry that is in use longest. */
const steps = fc.array(
  fc.record({ key: fc.constantFrom('a', 'b', 'c', 'd'), sizeBytes: fc.nat(120), releases: fc.boolean() }),
  { maxLength: 60 },
);

test('FETCHER-CACHE-1, FETCHER-CACHE-2: entries never exceed the limit, and none in use is evicted', () => {
  fc.assert(
    fc.property(steps, (wanted) => {
      const cache = createFetcherCache(LIMIT_BYTES);
      const inUse: CacheEntry[] = [];
      for (const { key, sizeBytes, releases } of wanted) {
        const released = releases ? inUse.shift() : undefined;
        if (released !== undefined) cache.release(released);
        const entry = cache.use(key) ?? cache.add(key, `/cache/${key}`);
        inUse.push(entry);
        const evicted = cache.resize(entry, sizeBytes) ?? [];
        assert.deepEqual(
          inUse.filter(({ path }) => evicted.includes(path)),
          [],
        );
        assert.ok(cache.usedBytes <= LIMIT_BYTES);
        const sizes = new Map(inUse.map((it) => [it.key, it.sizeBytes]));
        assert.ok([...sizes.values()].reduce((a, b) => a + b, 0) <= cache.usedBytes);
      }
    }),
  );
});

test('FETCHER-CACHE-2: the least recently used entry is evicted first', () => {
  const cache = createFetcherCache(LIMIT_BYTES);
  const [a, b] = [cache.add('a', '/a'), cache.add('b', '/b')];
  for (const entry of [a, b]) {
    cache.resize(entry, 40);
    cache.release(entry);
  }
  const again = cache.use('a');
  assert.ok(again);
  cache.release(again);
  assert.deepEqual(cache.resize(cache.add('c', '/c'), 50), ['/b']);
});

test('FETCHER-CACHE-4: the number of entries is limited too, whatever their sizes', () => {
  const cache = createFetcherCache(LIMIT_BYTES);
  const evicted: string[] = [];
  const { most } = LIMITS.fetcherCacheFiles;
  for (let number = 0; number < most + 3; number++) {
    const entry = cache.add(`${number}`, `/${number}`);
    evicted.push(...(cache.resize(entry, 0) ?? ['refused']));
    if (number !== 1) cache.release(entry);
  }
  assert.deepEqual(evicted, ['/0', '/2', '/3']);
});

test('FETCHER-CACHE-4: without an entry that can be evicted a new one is refused', () => {
  const cache = createFetcherCache(LIMIT_BYTES);
  const sizes = Array.from({ length: LIMITS.fetcherCacheFiles.most + 1 }, (_, number) =>
    cache.resize(cache.add(`${number}`, `/${number}`), 0),
  );
  assert.deepEqual(sizes.slice(-2), [[], undefined]);
});

test('FETCHER-CACHE-3: a key has one entry until that is dropped', () => {
  const cache = createFetcherCache(LIMIT_BYTES);
  const entry = cache.add('a', '/a');
  assert.equal(cache.use('a'), entry);
  cache.drop(entry);
  assert.equal(cache.use('a'), undefined);
  assert.equal(cache.usedBytes, 0);
});
