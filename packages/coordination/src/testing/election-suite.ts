// The rules of every election (types.ts).
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Coordination, Leader, Term } from '../types.js';
import type { SharedSite, Site, Skip } from './compliance.js';

const infoOf = (name: string): Uint8Array => Buffer.from(name);
const nameOf = (leader: Leader | undefined): string | undefined => leader && Buffer.from(leader.info).toString();

/** Resolves once the observer reports the leader `name` (undefined: none). */
export const untilLeader = (coordination: Coordination, name: string | undefined): Promise<void> =>
  new Promise((resolve) => {
    const unwatch = coordination.watch((leader) => {
      if (nameOf(leader) !== name) return;
      queueMicrotask(() => unwatch());
      resolve();
    });
  });

const isOver = (term: Term): boolean => term.validUntilMonoMs() <= performance.now();

export function testElection(kind: string, newSite: () => Promise<Site>, skip: Skip = false): void {
  describe(`election ${kind}`, { skip, timeout: 120_000 }, () => {
    test('the only candidate is elected, and its observer reports its description', async () => {
      const site = await newSite();
      const one = await site.open();
      const term = await one.contend(infoOf('one'));
      await untilLeader(one, 'one');
      assert.ok(term.validUntilMonoMs() > performance.now());
      await one.close();
    });

    test('TERM-1: epochs grow with each term, also of another process', async () => {
      const site = await newSite();
      const epochs: number[] = [];
      for (const name of ['one', 'two', 'three']) {
        const process = await site.open();
        for (const _ of [1, 2]) {
          const term = await process.contend(infoOf(name));
          epochs.push(term.epoch);
          await term.resign();
          await term.lost;
        }
        await process.close();
      }
      assert.ok(
        epochs.every((epoch, n) => n === 0 || epoch > (epochs[n - 1] as number)),
        epochs.join(),
      );
    });

    test('TERM-3: a term is lost by resigning, and the observer reports that no one leads', async () => {
      const site = await newSite();
      const one = await site.open();
      const term = await one.contend(infoOf('one'));
      await untilLeader(one, 'one');
      await term.resign();
      assert.equal(typeof (await term.lost), 'string');
      await untilLeader(one, undefined);
      await one.close();
    });

    test('TERM-3: a term is lost when its process closes its coordination', async () => {
      const site = await newSite();
      const one = await site.open();
      const term = await one.contend(infoOf('one'));
      await one.close();
      assert.equal(typeof (await term.lost), 'string');
    });

    test('an observer is called at once with the current leader, and no more after it has ended the calls', async () => {
      const site = await newSite();
      const one = await site.open();
      const term = await one.contend(infoOf('one'));
      await untilLeader(one, 'one');
      const reported: (string | undefined)[] = [];
      one.watch((leader) => reported.push(nameOf(leader)))();
      await term.resign();
      await untilLeader(one, undefined);
      assert.deepEqual(reported, ['one']);
      await one.close();
    });
  });
}

/** The rules of an election among several processes. */
export function testSharedElection(kind: string, newSite: () => Promise<SharedSite>, skip: Skip = false): void {
  describe(`election ${kind}, of several processes`, { skip, timeout: 120_000 }, () => {
    test('the oldest candidate leads, the others and observers learn which; each leads after the ones before it', async () => {
      const site = await newSite();
      const observer = await site.open();
      const processes = [await site.open(), await site.open(), await site.open()] as const;
      const first = await processes[0].contend(infoOf('p0'));
      const elected: string[] = [];
      const terms = [1, 2].map(async (n) => {
        await new Promise((resolve) => setTimeout(resolve, n * 300));
        const term = await (processes[n] as Coordination).contend(infoOf(`p${n}`));
        elected.push(`p${n}`);
        return term;
      });
      await Promise.all([observer, ...processes].map((process) => untilLeader(process, 'p0')));
      await new Promise((resolve) => setTimeout(resolve, 1500));
      assert.deepEqual(elected, []);
      await processes[0].close();
      const second = (await terms[0]) as Term;
      assert.deepEqual(elected, ['p1']);
      assert.ok(second.epoch > first.epoch);
      await untilLeader(observer, 'p1');
      await second.resign();
      const third = (await terms[1]) as Term;
      assert.ok(third.epoch > second.epoch);
      await untilLeader(observer, 'p2');
      await Promise.all([observer, processes[1], processes[2]].map((process) => process.close()));
    });

    test('TERM-2: before another process leads, a leader that is out of contact knows that its term is over', async () => {
      const site = await newSite();
      const [one, two] = [await site.open(), await site.open()];
      const term = await one.contend(infoOf('one'));
      const next = two.contend(infoOf('two'));
      await untilLeader(two, 'one');
      site.setCut(one, true);
      const successor = await next;
      assert.ok(isOver(term), 'the old leader still takes its term for valid');
      await term.lost;
      assert.ok(!isOver(successor));
      site.setCut(one, false);
      await untilLeader(one, 'two');
      await Promise.all([one.close(), two.close()]);
    });

    test('a connection that is cut for less than the term allows changes nothing', async () => {
      const site = await newSite();
      const one = await site.open();
      const term = await one.contend(infoOf('one'));
      let reason: string | undefined;
      void term.lost.then((lost) => {
        reason = lost;
      });
      for (let n = 0; n < 3; n++) {
        site.setCut(one, true);
        await new Promise((resolve) => setTimeout(resolve, 300));
        site.setCut(one, false);
        await new Promise((resolve) => setTimeout(resolve, 700));
      }
      assert.deepEqual([reason, isOver(term)], [undefined, false]);
      await one.close();
    });

    test('TERM-3: a term that the service has ended is lost; the candidate can contend again', async () => {
      const site = await newSite();
      const one = await site.open();
      const term = await one.contend(infoOf('one'));
      await site.expire(one);
      await term.lost;
      assert.ok(isOver(term));
      const again = await one.contend(infoOf('again'));
      assert.ok(again.epoch > term.epoch);
      await one.close();
    });
  });
  testLostContact(kind, newSite, skip);
}

function testLostContact(kind: string, newSite: () => Promise<SharedSite>, skip: Skip): void {
  describe(`election ${kind}, out of contact`, { skip, timeout: 120_000 }, () => {
    test('ZKCOORDINATION-2, ETCDCOORDINATION-2: a candidate whose connections are cut while it contends is one contender', async () => {
      const site = await newSite();
      const process = await site.open();
      const elected = process.contend(infoOf('one'));
      for (let n = 0; n < 5; n++) {
        site.setCut(process, true);
        await new Promise((resolve) => setTimeout(resolve, 40));
        site.setCut(process, false);
        await new Promise((resolve) => setTimeout(resolve, 40));
      }
      await elected;
      assert.equal(await site.countContenders(), 1);
      await process.close();
    });

    test('ZKCOORDINATION-3, ETCDCOORDINATION-3: an observer that is out of contact for the time of a term reports that it knows no leader', async () => {
      const site = await newSite();
      const [leader, observer] = [await site.open(), await site.open()];
      await leader.contend(infoOf('one'));
      await untilLeader(observer, 'one');
      const cutAtMs = performance.now();
      site.setCut(observer, true);
      await untilLeader(observer, undefined);
      assert.ok(performance.now() - cutAtMs < 2 * site.termMs);
      site.setCut(observer, false);
      await untilLeader(observer, 'one');
      await Promise.all([leader.close(), observer.close()]);
    });
  });
}
