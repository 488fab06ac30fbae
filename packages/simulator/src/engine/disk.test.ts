import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRandom } from '@meseta/base';
import { createDisk } from './disk.js';
import { createTimeline } from './timeline.js';

test('SIMULATED-DISK-1, SIMULATED-DISK-2: a crash keeps all answered batches and a prefix of the others', () => {
  const kept = new Set<number>();
  for (let seed = 1; seed <= 100; seed++) {
    const timeline = createTimeline();
    const disk = createDisk(timeline, seededRandom(seed), false);
    let answered = 0;
    for (let i = 0; i < 5; i++) {
      const record = { kind: 'resources', resources: [] } as const;
      disk.write([{ key: `k${i}`, record }], () => void answered++);
    }
    timeline.runUntil(seed % 8);
    const before = answered;
    disk.crash();
    timeline.runUntil(1_000);
    assert.equal(answered, before, 'a lost batch is not answered');
    const keys = disk.read().map(({ key }) => key);
    assert.deepEqual(keys, ['k0', 'k1', 'k2', 'k3', 'k4'].slice(0, keys.length));
    assert(keys.length >= before);
    kept.add(keys.length);
  }
  assert(kept.size >= 4, `kept ${[...kept].join(', ')}`);
});
