import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRandom } from '@meseta/base';
import type { ContainerEvent } from '@meseta/containers/types';
import { createFakeContainerizer, type StepKind } from './containerizer.js';
import { createFakeContainers } from './containers.js';
import { containerSpec } from './testing.js';
import { createTimeline } from './timeline.js';

const STEPS: readonly StepKind[] = ['prepare', 'start', 'watch', 'report', 'cleanUp', 'remove'];

test('FAKE-CONTAINERIZER-1: a process that ends before a step carries out none after it, and the next one recovers', () => {
  const outcomes = new Set<string>();
  for (let seed = 1; seed <= 20; seed++) {
    for (const step of STEPS) {
      const timeline = createTimeline();
      const containers = createFakeContainers(timeline, seededRandom(seed), { started: () => {}, ended: () => {} });
      const containerizer = createFakeContainerizer(containers);
      const events: ContainerEvent['kind'][] = [];
      const spec = containerSpec('c', 'run 100 exit 3');
      const { containerId } = spec;
      const start = () =>
        containerizer.startProcess((event) => {
          events.push(event.kind);
          if (event.kind !== 'started') timeline.after(1, () => containerizer.input({ kind: 'remove', containerId }));
        });
      start();
      containerizer.beforeNext = { step, run: () => containerizer.endProcess() };
      containerizer.input({ kind: 'launch', spec });
      timeline.runUntil(2_000);
      const before = [...events];
      const [found] = start();
      timeline.runUntil(10_000);
      if (found?.state === 'ended') containerizer.input({ kind: 'remove', containerId });
      timeline.runUntil(11_000);
      outcomes.add(`${step}: ${before.join(' ')}, ${found?.state ?? 'nothing'}`);
      assert.equal(containerizer.records.size, 0, `${step}, seed ${seed}`);
      assert.equal(containers.all.size, 0, `${step}, seed ${seed}`);
    }
  }
  assert.deepEqual([...outcomes].sort(), [
    'cleanUp: started, ended',
    'prepare: , nothing',
    'remove: started exited, ended',
    'report: , ended',
    'start: , nothing',
    'watch: started, ended',
  ]);
});
