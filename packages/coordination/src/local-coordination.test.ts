// The compliance suites for coordination on one machine, and its own rules.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLocalCoordination } from './local-coordination.js';
import { createMemoryStore } from './memory-store.js';
import type { Site } from './testing/compliance.js';
import { testElection } from './testing/election-suite.js';
import { testLog } from './testing/log-suite.js';
import { bytes, newDirectory, openStore } from './testing/stores.js';

const newMemory = async (): Promise<Site> => {
  const store = createMemoryStore();
  // The store outlives its processes.
  const open = async () => createLocalCoordination({ ...store, close: async () => {} });
  return { isSole: true, open };
};
const newLmdb = async (): Promise<Site> => {
  const directory = newDirectory();
  return { isSole: true, open: async () => createLocalCoordination(await openStore(directory)) };
};
for (const [kind, newSite] of [
  ['memory', newMemory],
  ['LMDB', newLmdb],
] as const) {
  testElection(kind, newSite);
  testLog(kind, newSite);
}

test('LOCAL-COORDINATION-1: candidates lead one after the other, in the order of their calls', async () => {
  const coordination = createLocalCoordination(createMemoryStore());
  const elected: string[] = [];
  const [first, second, third] = ['a', 'b', 'c'].map(async (name) => {
    const term = await coordination.contend(bytes(name));
    elected.push(name);
    return term;
  });
  for (const term of [first, second, third]) {
    await (await term)?.resign();
    await new Promise(setImmediate);
  }
  assert.deepEqual(elected, ['a', 'b', 'c']);
});

test('LOCAL-COORDINATION-1: no one leads without a durable epoch', async () => {
  const failing = { ...createMemoryStore(), nextEpoch: () => Promise.reject(new Error('the disk is full')) };
  await assert.rejects(createLocalCoordination(failing).contend(bytes('me')), /disk is full/);
});

test('FENCEDLOG-4: a write that a store on disk could not make has an unknown outcome', async () => {
  const append = () => Promise.reject(new Error('the disk is full'));
  const coordination = createLocalCoordination({ ...createMemoryStore(), append });
  const log = coordination.openLog(await coordination.contend(bytes('me')));
  assert.deepEqual(await log.append(bytes('b')), {
    ok: false,
    error: { code: 'unknownOutcome', text: 'the disk is full' },
  });
});
