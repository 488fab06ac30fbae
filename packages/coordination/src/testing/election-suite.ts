// The rules of every election (types.ts).
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Coordination, Leader } from '../types.js';
import type { Site, Skip } from './compliance.js';

const infoOf = (name: string): Uint8Array => Buffer.from(name);
const nameOf = (leader: Leader | undefined): string | undefined => leader && Buffer.from(leader.info).toString();

/** Resolves once the observer reports the leader `name` (undefined: none). */
const untilLeader = (coordination: Coordination, name: string | undefined): Promise<void> =>
  new Promise((resolve) => {
    const unwatch = coordination.watch((leader) => {
      if (nameOf(leader) !== name) return;
      queueMicrotask(() => unwatch());
      resolve();
    });
  });

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
