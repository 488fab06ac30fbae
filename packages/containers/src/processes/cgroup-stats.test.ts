import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { after, test } from 'node:test';
import { createFiles } from '@meseta/platform/files';
import { cgroupStats } from './cgroup-stats.js';

const root = mkdtempSync(`${tmpdir()}/meseta-cgroup-stats-`);
after(() => rmSync(root, { recursive: true, force: true }));

test('a container with very many processes does not keep the event loop from other work while they are read', async () => {
  const count = 20_000;
  writeFileSync(`${root}/cgroup.procs`, `${process.pid}\n`.repeat(count));
  let turns = 0;
  let isDone = false;
  const countTurn = (): void => {
    turns++;
    if (!isDone) setImmediate(countTurn);
  };
  setImmediate(countTurn);
  const found = await cgroupStats(createFiles(), root);
  isDone = true;
  assert.equal(found.length, count);
  assert.ok(turns >= 10, `${turns} turns of the event loop`);
});
