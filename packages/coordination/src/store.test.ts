// The rules of every store on one machine (local-store.ts), for each implementation.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { LocalStore } from './local-store.js';
import { createMemoryStore } from './memory-store.js';
import { bytes, large, newDirectory, openStore, readOf } from './testing/stores.js';

const makers: readonly (readonly [name: string, make: () => Promise<LocalStore>])[] = [
  ['memory', async () => createMemoryStore()],
  ['lmdb', () => openStore(newDirectory())],
];

for (const [name, make] of makers) {
  describe(`store ${name}`, () => {
    test('a new store is empty', async () => {
      const store = await make();
      assert.deepEqual(await readOf(store, 1), { snapshot: undefined, batches: [] });
      await store.close();
    });

    test('STORE-1, STORE-3: batches are read in the order of append, and the calls resolve in that order', async () => {
      const store = await make();
      const answered: number[] = [];
      await Promise.all(
        Array.from({ length: 500 }, (_, i) => store.append(1, bytes(`b${i}`)).then(() => answered.push(i))),
      );
      assert.deepEqual(
        answered,
        Array.from({ length: 500 }, (_, i) => i),
      );
      assert.deepEqual(
        (await readOf(store, 1)).batches,
        Array.from({ length: 500 }, (_, i) => `b${i}`),
      );
      await store.close();
    });

    test('STORE-3: a snapshot covers exactly the batches of earlier calls', async () => {
      const store = await make();
      for (const letter of ['x', 'y']) {
        const before = store.append(1, bytes(`${letter}1`));
        const taken = store.snapshot(1, bytes(large(letter)));
        const later = store.append(1, bytes(`${letter}2`));
        for (const answer of [before, taken, later]) assert.ok((await answer).ok);
        assert.deepEqual(await readOf(store, 1), { snapshot: large(letter), batches: [`${letter}2`] });
      }
      await store.close();
    });

    test('STORE-3: of two concurrent snapshots the later one is read', async () => {
      const store = await make();
      await Promise.all([
        store.snapshot(1, bytes(large('a'))),
        store.append(1, bytes('b')),
        store.snapshot(1, bytes('c')),
      ]);
      assert.deepEqual(await readOf(store, 1), { snapshot: 'c', batches: [] });
      await store.close();
    });

    test('STORE-3: an empty snapshot is not the same as none', async () => {
      const store = await make();
      await store.append(1, bytes('b'));
      await store.snapshot(1, bytes(''));
      assert.deepEqual(await readOf(store, 1), { snapshot: '', batches: [] });
      await store.close();
    });
  });

  describe(`store ${name}, fencing and ownership`, () => {
    test('STORE-2: an older epoch is refused and changes nothing', async () => {
      const store = await make();
      await store.append(3, bytes('kept'));
      assert.deepEqual(await store.append(2, bytes('lost')), {
        ok: false,
        error: { code: 'fenced', epoch: 2, newest: 3 },
      });
      assert.equal((await store.snapshot(2, bytes('lost'))).ok, false);
      assert.equal((await store.read(2)).ok, false);
      await store.read(5);
      assert.deepEqual(await store.append(4, bytes('lost')), {
        ok: false,
        error: { code: 'fenced', epoch: 4, newest: 5 },
      });
      assert.equal(await store.nextEpoch(), 6);
      assert.equal((await store.append(5, bytes('lost'))).ok, false);
      assert.deepEqual(await readOf(store, 6), { snapshot: undefined, batches: ['kept'] });
      await store.close();
    });

    test('the caller may change the bytes after a call', async () => {
      const store = await make();
      const batch = Buffer.from('first');
      const answer = store.append(1, batch);
      batch.fill(0);
      await answer;
      const snapshot = Buffer.from('whole');
      const taken = store.snapshot(1, snapshot);
      const next = store.append(1, bytes('after'));
      snapshot.fill(0);
      await Promise.all([taken, next]);
      assert.deepEqual(await readOf(store, 1), { snapshot: 'whole', batches: ['after'] });
      await store.close();
    });

    test('a closed store refuses writes', async () => {
      const store = await make();
      await store.close();
      await assert.rejects(store.append(1, bytes('x')), /closed|fail/i);
    });
  });
}

test('STORE-1: resolved writes are there when an LMDB store is opened again, and its epochs continue', async () => {
  const directory = newDirectory();
  const first = await openStore(directory);
  const epoch = await first.nextEpoch();
  await first.append(epoch, bytes('a'));
  await first.snapshot(epoch, bytes(large('s')));
  await first.append(epoch, bytes('b'));
  await first.close();
  const second = await openStore(directory);
  assert.equal(await second.nextEpoch(), epoch + 1);
  assert.deepEqual(await readOf(second, epoch + 1), { snapshot: large('s'), batches: ['b'] });
  await second.append(epoch + 1, bytes('c'));
  assert.deepEqual((await readOf(second, epoch + 1)).batches, ['b', 'c']);
  await second.close();
});
