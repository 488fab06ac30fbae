// The rules of the store on disk.
import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { test } from 'node:test';
import { err, isDeepEqual, ok, type Result } from '@meseta/base';
import fc from 'fast-check';
import { type Key, open, type RootDatabase } from 'lmdb';
import { type Formats, openEnvironment, sealedRecords } from './environment.js';
import { createLmdbStore } from './lmdb-store.js';
import type { LocalStore } from './local-store.js';
import { bytes, large, newDirectory, openStore, readOf } from './testing/stores.js';

const FORMATS: Formats = { oldest: 2, newest: 2 };

/** A store in an environment whose database has some properties replaced. */
async function alteredStore(
  directory: string,
  altered: Record<string, (target: RootDatabase<Buffer, Key>) => unknown>,
): Promise<LocalStore> {
  const environment = await openEnvironment(directory, FORMATS, assert.fail);
  assert.ok(environment.ok);
  const database = new Proxy(environment.value.database, {
    get(target, property) {
      const own = altered[String(property)];
      if (own !== undefined) return own(target);
      const value = Reflect.get(target, property, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  return createLmdbStore({ ...environment.value, database, records: sealedRecords(database) }, () => {});
}

/** A store whose transactions fail from the n-th on, as if its process had died. */
function failingStore(directory: string, transactions: number): Promise<LocalStore> {
  let left = transactions;
  return alteredStore(directory, {
    transaction: (target) => (run: () => unknown) => {
      left--;
      return left < 0 ? Promise.reject(new Error('the process died')) : target.transaction(run);
    },
  });
}

test('LMDBSTORE-1: no call resolves before its transaction is synced', async () => {
  let finishSync: () => void = () => {};
  const sync = new Promise<boolean>((resolve) => {
    finishSync = () => resolve(true);
  });
  let reportCommit: () => void = () => {};
  const committed = new Promise<void>((resolve) => {
    reportCommit = resolve;
  });
  const store = await alteredStore(newDirectory(), {
    flushed: (target) => target.flushed.then(reportCommit).then(() => sync),
  });
  let hasResolved = false;
  const noteResolved = (): void => {
    hasResolved = true;
  };
  const append = store.append(1, bytes('a')).then(noteResolved);
  const epoch = store.nextEpoch().then(noteResolved);
  await Promise.race([committed, append, epoch]);
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(hasResolved, false);
  finishSync();
  await Promise.all([append, epoch]);
  await store.close();
});

test('LMDBSTORE-3: after a crash at any transaction all resolved writes are there, and each snapshot whole or not at all', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.oneof({ weight: 3, arbitrary: fc.constant('append') }, { weight: 1, arbitrary: fc.constant('snapshot') }),
        { minLength: 1, maxLength: 12 },
      ),
      fc.nat(40),
      async (history, transactions) => {
        const directory = newDirectory();
        const store = await failingStore(directory, transactions);
        let answered: { snapshot: string | undefined; batches: string[] } = { snapshot: undefined, batches: [] };
        let unanswered: typeof answered | undefined;
        for (const [i, what] of history.entries()) {
          const content = what === 'append' ? `b${i}` : large(String.fromCharCode(97 + i));
          const after =
            what === 'append'
              ? { ...answered, batches: [...answered.batches, content] }
              : { snapshot: content, batches: [] };
          try {
            await (what === 'append' ? store.append(1, bytes(content)) : store.snapshot(1, bytes(content)));
          } catch {
            unanswered = after;
            break;
          }
          answered = after;
        }
        await store.close();
        const again = await openStore(directory);
        const found = await readOf(again, 2);
        // The write under way when it died may or may not have happened; nothing else may differ.
        assert.ok([answered, unanswered].some((each) => isDeepEqual(each, found)));
        // And what a crash has left doesn't show up in a later snapshot or batch.
        await again.snapshot(2, bytes('new'));
        await again.append(2, bytes('tail'));
        assert.deepEqual(await readOf(again, 2), { snapshot: 'new', batches: ['tail'] });
        await again.close();
        rmSync(directory, { recursive: true, force: true });
      },
    ),
    { numRuns: 25 },
  );
});

test('LMDBSTORE-4: after a failed write every later write fails', async () => {
  const store = await failingStore(newDirectory(), 1);
  assert.ok((await store.append(1, bytes('a'))).ok);
  await assert.rejects(store.append(1, bytes('b')), /died/);
  await assert.rejects(store.append(1, bytes('c')), /died/);
  await store.close();
});

test('STORE-2, LMDBSTORE-2: of two writers in one environment the one with the newer epoch fences the other', async () => {
  const environment = await openEnvironment(newDirectory(), FORMATS, assert.fail);
  assert.ok(environment.ok);
  const first = createLmdbStore(environment.value, () => {});
  const second = createLmdbStore(environment.value, () => {});
  const epoch = await first.nextEpoch();
  await first.append(epoch, bytes('a'));
  const newer = await second.nextEpoch();
  assert.equal((await first.append(epoch, bytes('b'))).ok, false);
  assert.deepEqual((await readOf(second, newer)).batches, ['a']);
  await second.close();
});

/** A store with counts of its transactions, and of transactions that ran at the same time. */
async function countedStore(directory: string) {
  const counts = { begun: 0, running: 0, atOnce: 0 };
  const store = await alteredStore(directory, {
    transaction: (target) => async (run: () => unknown) => {
      counts.begun++;
      counts.running++;
      counts.atOnce = Math.max(counts.atOnce, counts.running);
      const value = await target.transaction(run);
      await target.flushed;
      counts.running--;
      return value;
    },
  });
  return { store, counts };
}

test('LMDBSTORE-1: writes that wait together share transactions of at most 8 MiB, one at a time; a larger write has its own', async () => {
  const sizes: readonly (readonly [mib: readonly number[], transactions: number])[] = [
    [[1, 1, 1, 1], 1],
    [[3, 3, 3], 2],
    [[9], 1],
    [[9, 9], 2],
    [[4, 4, 1], 2],
  ];
  for (const [mib, transactions] of sizes) {
    const { store, counts } = await countedStore(newDirectory());
    await Promise.all(mib.map((n) => store.append(1, Buffer.alloc(n * 2 ** 20))));
    assert.deepEqual([mib, counts.begun, counts.atOnce], [mib, transactions, 1]);
    // Writes that arrive during a transaction wait for it.
    const first = store.append(1, bytes('a'));
    await Promise.resolve();
    await Promise.resolve();
    await Promise.all([first, store.append(1, bytes('b'))]);
    assert.equal(counts.atOnce, 1);
    await store.close();
  }
});

test('LMDBSTORE-3: a snapshot removes the batches that it covers and the parts of earlier snapshots', async () => {
  const environment = await openEnvironment(newDirectory(), FORMATS, assert.fail);
  assert.ok(environment.ok);
  const { database } = environment.value;
  const store = createLmdbStore(environment.value, () => {});
  const keys = (): readonly string[] => [...database.getKeys({})].map((key) => JSON.stringify(key)).sort();
  for (let n = 0; n < 2100; n++) void store.append(1, bytes(`b${n}`));
  await store.snapshot(1, bytes(large('a')));
  await store.append(1, bytes('after'));
  const parts = (generation: number, count: number): string[] =>
    Array.from({ length: count }, (_, n) => JSON.stringify(['part', generation, n]));
  const others = ['"current"', '"epoch"', '"format"'];
  assert.deepEqual(keys(), [...others, '["log",2101]', ...parts(1, 4)].sort());
  // Parts of a later snapshot, which a crash left, are removed too.
  await database.transaction(() => environment.value.records.put(['part', 3, 0], bytes('left')));
  await store.snapshot(1, bytes('b'));
  assert.deepEqual(keys(), [...others, ...parts(2, 1)].sort());
  await store.close();
});

test('LMDBSTORE-7: batches of one transaction share records of at most 1 MiB; a read or a snapshot between them begins another record', async () => {
  const environment = await openEnvironment(newDirectory(), FORMATS, assert.fail);
  assert.ok(environment.ok);
  const { database } = environment.value;
  const store = createLmdbStore(environment.value, () => {});
  const lastNumbers = (): readonly unknown[] =>
    [...database.getKeys({ start: ['log'], end: ['log', 1e9] })].map((key) => (key as [string, number])[1]);
  const appended = (sizes: readonly number[]) => sizes.map((size, n) => store.append(1, Buffer.alloc(size, n)));
  await Promise.all(appended([2 ** 19, 2 ** 19, 1, 0, 2 ** 21, 3]));
  assert.deepEqual(lastNumbers(), [2, 4, 5, 6]);
  const [contents] = await Promise.all([store.read(1), ...appended([1])]);
  assert.ok(contents.ok);
  assert.deepEqual(
    contents.value.batches.map((batch) => [batch.length, batch.at(-1)]),
    [2 ** 19, 2 ** 19, 1, 0, 2 ** 21, 3].map((size, n) => [size, size === 0 ? undefined : n]),
  );
  const before = appended([1, 1]);
  const between = store.read(1);
  const after = appended([1]);
  const taken = store.snapshot(1, bytes('whole'));
  const later = appended([4, 5]);
  await Promise.all([...before, between, ...after, taken, ...later]);
  const read = await between;
  assert.ok(read.ok && read.value.batches.length === 9);
  assert.deepEqual(lastNumbers(), [12]);
  assert.deepEqual((await readOf(store, 1)).batches, ['\0\0\0\0', '\u0001'.repeat(5)]);
  await store.close();
});

test('STORE-2: a snapshot that is fenced at any of its steps ends there, and is valid only if it was before', async () => {
  for (const [fencedAt, stands] of [
    [1, undefined],
    [2, undefined],
    [6, undefined],
    [7, large('s')],
  ] as const) {
    const directory = newDirectory();
    let begun = 0;
    let fence = async (): Promise<unknown> => undefined;
    const store = await alteredStore(directory, {
      transaction: (target) => async (run: () => unknown) => {
        begun++;
        if (begun === fencedAt) await fence();
        return target.transaction(run);
      },
      flushed: (target) => target.flushed,
    });
    fence = async () => {
      const raw = open<Buffer, Key>({ path: directory, noSubdir: false, encoding: 'binary' });
      await raw.transaction(() => sealedRecords(raw).put(['epoch'], bytes('9')));
      await raw.flushed;
    };
    const made = await store.snapshot(1, bytes(large('s')));
    assert.deepEqual([fencedAt, made], [fencedAt, { ok: false, error: { code: 'fenced', epoch: 1, newest: 9 } }]);
    assert.deepEqual([fencedAt, begun], [fencedAt, fencedAt]);
    assert.equal((await readOf(store, 9)).snapshot, stands);
    await store.close();
  }
});

test('LMDBSTORE-4: after a failed write no other begins', async () => {
  let begun = 0;
  const store = await alteredStore(newDirectory(), {
    transaction: () => () => {
      begun++;
      return Promise.reject(new Error(`failure ${begun}`));
    },
  });
  for (let n = 0; n < 3; n++) await assert.rejects(store.append(1, bytes('x')), /^Error: failure 1$/);
  assert.equal(begun, 1);
  await store.close();
});

test('LMDBSTORE-5: close waits for a snapshot in progress', async () => {
  const directory = newDirectory();
  const store = await openStore(directory);
  const taken = store.snapshot(1, bytes(large('s')));
  await store.close();
  assert.deepEqual(await taken, { ok: true, value: undefined });
  const again = await openStore(directory);
  assert.equal((await readOf(again, 1)).snapshot, large('s'));
  await again.close();
});

test('LMDBSTORE-6: a missing batch or part of a snapshot is an error', async () => {
  for (const [key, says] of [
    [['log', 2], /batch 2 of the registry is missing/],
    [['part', 1, 1], /part 1 of the registry's snapshot is missing/],
  ] as const) {
    const environment = await openEnvironment(newDirectory(), FORMATS, assert.fail);
    assert.ok(environment.ok);
    const store = createLmdbStore(environment.value, () => {});
    if (key[0] === 'part') await store.snapshot(1, bytes(large('s')));
    for (const text of ['a', 'b', 'c']) await store.append(1, bytes(text));
    await environment.value.database.transaction(() => void environment.value.database.remove([...key]));
    await assert.rejects(store.read(1), says);
    await store.close();
  }
});

test('LMDBSTORE-8: a write without room is refused before it begins; onSpare is called at each change', async () => {
  const environment = await openEnvironment(newDirectory(), FORMATS, assert.fail);
  assert.ok(environment.ok);
  const reported: boolean[] = [];
  const asked: (readonly [places: number, bytes: number])[] = [];
  let hasSpare = true;
  let timer: (() => void) | undefined;
  let room: Result<void, string> = ok(undefined);
  const store = createLmdbStore(
    {
      ...environment.value,
      keepSpare: () => hasSpare,
      roomFor(places, size) {
        asked.push([places, size]);
        return room;
      },
    },
    (spare) => reported.push(spare),
    (delayMs, run) => {
      assert.deepEqual([delayMs, timer], [1000, undefined]);
      timer = run;
      return () => {
        timer = undefined;
      };
    },
  );
  const runTimer = (): void => {
    const run = timer;
    timer = undefined;
    run?.();
  };
  for (const spare of [true, false, true, true, false]) {
    hasSpare = spare;
    await store.append(1, bytes('x'));
    await store.append(1, bytes('x'));
    runTimer();
    // While there is no room, it is checked again without a write.
    assert.equal(timer === undefined, spare);
  }
  assert.deepEqual(reported, [false, true, false]);
  runTimer();
  hasSpare = true;
  runTimer();
  assert.deepEqual([reported, timer], [[false, true, false, true], undefined]);
  // A check that is due during a write is made after it.
  await store.append(1, bytes('x'));
  hasSpare = false;
  const written = store.append(1, bytes('x'));
  runTimer();
  assert.equal(reported.length, 4);
  await written;
  assert.deepEqual(reported.slice(4), [false]);
  asked.length = 0;
  await Promise.all([store.append(1, bytes('four')), store.append(1, bytes('sixsix'))]);
  assert.deepEqual(asked, [[4, 10 + 2 * 64]]);
  room = err('no space');
  await assert.rejects(store.append(1, bytes('lost')), /^Error: no space$/);
  room = ok(undefined);
  await assert.rejects(store.append(1, bytes('lost')), /no space/);
  assert.equal([...environment.value.records.entries({ start: ['log'], end: ['log', 1e9] })].length, 13);
  assert.ok(timer);
  await store.close();
  assert.equal(timer, undefined);
});
