// The election of a cluster with one master.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createMemoryStore } from './memory-store.js';
import { createSoleElection } from './sole-election.js';
import type { Leadership } from './types.js';

const bytes = (text: string): Uint8Array => Buffer.from(text);

test('the only candidate leads at once, with an epoch that increases at each start', async () => {
  const store = createMemoryStore();
  const epochs: number[] = [];
  for (let start = 0; start < 3; start++) {
    const election = createSoleElection(store);
    const seen: (Leadership | undefined)[] = [];
    const unwatch = election.watch((leadership) => seen.push(leadership));
    await election.contend(bytes('me'));
    await election.withdraw();
    unwatch();
    await election.contend(bytes('again'));
    assert.equal(seen.length, 3);
    assert.equal(seen[0], undefined);
    assert.ok(seen[1]?.isMine);
    assert.equal(Buffer.from(seen[1].leader).toString(), 'me');
    assert.equal(seen[2], undefined);
    epochs.push(seen[1].epoch);
    await election.close();
  }
  assert.ok(epochs.every((epoch, i) => i === 0 || epoch > (epochs[i - 1] as number)));
});

test('SOLE-ELECTION-1: a candidate that withdraws before it has its epoch does not lead', async () => {
  const election = createSoleElection(createMemoryStore());
  const seen: (Leadership | undefined)[] = [];
  election.watch((leadership) => seen.push(leadership));
  const contending = election.contend(bytes('me'));
  await election.withdraw();
  await contending;
  assert.deepEqual(seen, [undefined]);
});

test('SOLE-ELECTION-1: an epoch that arrives after a later call of contend, withdraw or close is not used', async () => {
  const answers: ((epoch: number) => void)[] = [];
  const election = createSoleElection({ nextEpoch: () => new Promise((resolve) => answers.push(resolve)) });
  const seen: string[] = [];
  election.watch((leadership) => seen.push(String(leadership?.epoch)));
  const first = election.contend(bytes('first'));
  await election.withdraw();
  const second = election.contend(bytes('second'));
  answers[0]?.(1);
  await first;
  assert.deepEqual(seen, ['undefined']);
  answers[1]?.(2);
  await second;
  assert.deepEqual(seen, ['undefined', '2']);
  const third = election.contend(bytes('third'));
  await election.close();
  answers[2]?.(3);
  await third;
  assert.deepEqual(seen, ['undefined', '2']);
  election.watch((leadership) => seen.push(String(leadership?.epoch)));
  assert.deepEqual(seen, ['undefined', '2', 'undefined']);
  const fourth = election.contend(bytes('fourth'));
  answers[3]?.(4);
  await fourth;
  assert.deepEqual(seen, ['undefined', '2', 'undefined', '4']);
});
