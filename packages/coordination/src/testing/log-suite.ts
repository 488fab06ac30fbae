// The rules of every fenced log (types.ts).
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ok } from '@meseta/base';
import type { Coordination, FencedLog, Term } from '../types.js';
import type { SharedSite, Site, Skip } from './compliance.js';
import { bytes, large, texts } from './stores.js';

/** A candidate looks at the log so often. */
export const FOLLOW_PAUSE_MS = 2000;

interface Opened {
  readonly coordination: Coordination;
  readonly term: Term;
  readonly log: FencedLog;
}

async function openLog(site: Site): Promise<Opened> {
  const coordination = await site.open();
  const term = await coordination.contend(bytes('me'));
  return { coordination, term, log: coordination.openLog(term) };
}

const contentsOf = async (log: FencedLog) => {
  const read = await log.read();
  assert.ok(read.ok, JSON.stringify(read));
  return texts(read.value);
};

export function testLog(kind: string, newSite: () => Promise<Site>, skip: Skip = false): void {
  const withLog = async (use: (opened: Opened, site: Site) => Promise<void>): Promise<void> => {
    const site = await newSite();
    const opened = await openLog(site);
    await use(opened, site);
    await opened.coordination.close();
  };

  describe(`log ${kind}`, { skip, timeout: 120_000 }, () => {
    test('a new log is empty', () =>
      withLog(async ({ log }) => {
        assert.deepEqual(await contentsOf(log), { snapshot: undefined, batches: [] });
      }));

    test('FENCEDLOG-1: batches are read in the order of append, and the calls resolve in that order', () =>
      withLog(async ({ log }) => {
        const numbers = Array.from({ length: 300 }, (_, n) => n);
        const resolved: number[] = [];
        const appended = await Promise.all(
          numbers.map(async (n) => {
            const result = await log.append(bytes(`b${n}`));
            resolved.push(n);
            return result.ok;
          }),
        );
        assert.ok(appended.every(Boolean));
        assert.deepEqual(resolved, numbers);
        assert.deepEqual(
          (await contentsOf(log)).batches,
          numbers.map((n) => `b${n}`),
        );
      }));

    test('FENCEDLOG-1: batches of every size are read as they were appended: empty, and larger than a record of the service', () =>
      withLog(async ({ log }) => {
        const batches = ['', 'x', large('l'), '', large('m'), 'y'];
        for (const batch of batches) assert.ok((await log.append(bytes(batch))).ok);
        assert.deepEqual((await contentsOf(log)).batches, batches);
      }));

    test('FENCEDLOG-3: a snapshot covers exactly the batches of earlier calls; an empty one is not the same as none', () =>
      withLog(async ({ log }) => {
        for (const letter of ['x', 'y']) {
          const before = log.append(bytes(`${letter}1`));
          const taken = log.snapshot(bytes(large(letter)));
          const later = log.append(bytes(`${letter}2`));
          for (const result of [before, taken, later]) assert.ok((await result).ok);
          assert.deepEqual(await contentsOf(log), { snapshot: large(letter), batches: [`${letter}2`] });
        }
        await log.snapshot(bytes(''));
        assert.deepEqual(await contentsOf(log), { snapshot: '', batches: [] });
      }));

    test('FENCEDLOG-3: of two concurrent snapshots the later one is read', () =>
      withLog(async ({ log }) => {
        await Promise.all([log.snapshot(bytes(large('a'))), log.append(bytes('b')), log.snapshot(bytes('c'))]);
        assert.deepEqual(await contentsOf(log), { snapshot: 'c', batches: [] });
      }));

    test('the caller may change the bytes after a call', () =>
      withLog(async ({ log }) => {
        const batch = Buffer.from('first');
        const snapshot = Buffer.from('whole');
        const appended = log.append(batch);
        batch.fill(0);
        const taken = log.snapshot(snapshot);
        snapshot.fill(0);
        await Promise.all([appended, taken]);
        assert.deepEqual(await contentsOf(log), { snapshot: 'whole', batches: [] });
      }));
  });
  testTerms(kind, newSite, skip);
}

function testTerms(kind: string, newSite: () => Promise<Site>, skip: Skip): void {
  describe(`log ${kind}, of successive terms`, { skip, timeout: 120_000 }, () => {
    test('FENCEDLOG-1, FENCEDLOG-3: the next process reads what the one before has written, and continues it', async () => {
      const site = await newSite();
      const one = await openLog(site);
      for (const text of ['a', 'b']) assert.deepEqual(await one.log.append(bytes(text)), ok(undefined));
      assert.deepEqual(await one.log.snapshot(bytes(large('s'))), ok(undefined));
      assert.deepEqual(await one.log.append(bytes('c')), ok(undefined));
      await one.coordination.close();
      const two = await openLog(site);
      assert.deepEqual(await contentsOf(two.log), { snapshot: large('s'), batches: ['c'] });
      assert.deepEqual(await two.log.append(bytes('d')), ok(undefined));
      await two.coordination.close();
      const three = await openLog(site);
      assert.deepEqual(await contentsOf(three.log), { snapshot: large('s'), batches: ['c', 'd'] });
      await three.coordination.close();
    });

    test('FENCEDLOG-2, FENCEDLOG-4: once a newer term has begun, the log of an older one reads and writes nothing', async () => {
      const site = await newSite();
      const one = await openLog(site);
      await one.log.append(bytes('kept'));
      await one.term.resign();
      const two = site.isSole
        ? { coordination: one.coordination, term: await one.coordination.contend(bytes('again')) }
        : await openLog(site);
      const log = two.coordination.openLog(two.term);
      for (const late of [
        one.log.append(bytes('late')),
        one.log.snapshot(bytes('late')),
        one.log.append(bytes('later')),
      ]) {
        const result = await late;
        assert.ok(!result.ok, 'a write of an older term was made');
        assert.equal(result.error.code, 'fenced');
      }
      assert.deepEqual(await contentsOf(log), { snapshot: undefined, batches: ['kept'] });
      assert.ok((await log.append(bytes('new'))).ok);
      assert.deepEqual((await contentsOf(log)).batches, ['kept', 'new']);
      await two.coordination.close();
      if (!site.isSole) await one.coordination.close();
    });
  });
}

/** The rules of a log that several processes reach. */
export function testSharedLog(kind: string, newSite: () => Promise<SharedSite>, skip: Skip = false): void {
  describe(`log ${kind}, over a network`, { skip, timeout: 120_000 }, () => {
    test('FENCEDLOG-2: a process whose term the service ended cannot write any more', async () => {
      const site = await newSite();
      const one = await openLog(site);
      await one.log.append(bytes('kept'));
      await site.expire(one.coordination);
      await one.term.lost;
      assert.equal((await one.log.append(bytes('late'))).ok, false);
      const two = await openLog(site);
      assert.deepEqual((await contentsOf(two.log)).batches, ['kept']);
      await Promise.all([one.coordination.close(), two.coordination.close()]);
    });

    test('a candidate that has followed the log reads it as any other: also what was written last, and after a snapshot', async () => {
      const site = await newSite();
      const [one, waiting] = [await openLog(site), await site.open()];
      const elected = waiting.contend(bytes('waiting'));
      for (const text of ['a', large('b'), 'c']) assert.ok((await one.log.append(bytes(text))).ok);
      await new Promise((resolve) => setTimeout(resolve, 2 * FOLLOW_PAUSE_MS));
      await one.log.snapshot(bytes(large('s')));
      await one.log.append(bytes('d'));
      await new Promise((resolve) => setTimeout(resolve, 2 * FOLLOW_PAUSE_MS));
      await one.log.append(bytes('e'));
      await one.term.resign();
      const log = waiting.openLog(await elected);
      assert.deepEqual(await contentsOf(log), { snapshot: large('s'), batches: ['d', 'e'] });
      await log.append(bytes('f'));
      assert.deepEqual((await contentsOf(log)).batches, ['d', 'e', 'f']);
      await Promise.all([one.coordination.close(), waiting.close()]);
    });

    test('a write while the connection is cut is made once or fails; it is never made twice, and none before it is lost', async () => {
      const site = await newSite();
      const one = await openLog(site);
      await one.log.append(bytes('before'));
      site.setCut(one.coordination, true);
      const appended = one.log.append(bytes('during'));
      await new Promise((resolve) => setTimeout(resolve, 200));
      site.setCut(one.coordination, false);
      const result = await appended;
      if (!result.ok) assert.notEqual(result.error.code, 'fenced');
      await one.coordination.close();
      const two = await openLog(site);
      const { batches } = await contentsOf(two.log);
      assert.ok(batches.join() === 'before,during' || (!result.ok && batches.join() === 'before'), batches.join());
      await two.coordination.close();
    });
  });
}
