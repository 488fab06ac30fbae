import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ContainerId, seededRandom, uniform } from '@meseta/base';
import type { LauncherEvent } from '@meseta/containers/launchers/launcher';
import { createFakeContainers } from './containers.js';
import { containerSpec } from './testing.js';
import { createTimeline } from './timeline.js';

function startContainers(seed: number) {
  const timeline = createTimeline();
  const random = seededRandom(seed);
  const containers = createFakeContainers(timeline, random, { started: () => {}, ended: () => {} });
  return { timeline, random, containers };
}

test('FAKE-CONTAINERS-1: the agent is notified once of a container that ends, whatever ends it and however often', () => {
  const ends = new Set<string>();
  for (let seed = 1; seed <= 100; seed++) {
    const { timeline, random, containers } = startContainers(seed);
    const events = new Map<ContainerId, string[]>();
    containers.listener = ({ containerId, kind }: LauncherEvent) => void events.get(containerId)?.push(kind);
    for (const command of ['run 100', 'run 100 exit 3', 'run 100 stubborn', 'broken', 'sleeps']) {
      const spec = containerSpec(command, command);
      const id = spec.containerId;
      events.set(id, []);
      containers.launch(spec, seed % 10 === 0 ? 'No space left on device' : undefined);
      for (const end of [
        () => containers.signal(id, 15),
        () => containers.destroy(id),
        () => containers.all.get(id)?.state === 'running' && containers.exit(id, { kind: 'exited', code: 1 }),
      ]) {
        timeline.at(uniform(random) * 300, end);
      }
      timeline.at(1_000, () => containers.destroy(id));
    }
    timeline.runUntil(10_000);
    for (const [id, kinds] of events) {
      ends.add(kinds.join(', '));
      assert(['launchFailed', 'started, exited'].includes(kinds.join(', ')), `${id}, seed ${seed}: ${kinds}`);
    }
  }
  assert.equal(ends.size, 2, 'both ends were tried');
});

test('FAKE-CONTAINERS-2: the exit status can be recovered when the exit is reported, and later when no agent ran', () => {
  const { timeline, containers } = startContainers(1);
  const status = { kind: 'exited', code: 3 } as const;
  const reported = containerSpec('reported', 'run 100 exit 3').containerId;
  const recovered: unknown[] = [];
  containers.listener = ({ kind }) => void (kind === 'exited' && recovered.push(containers.recover()));
  containers.launch(containerSpec(reported, 'run 100 exit 3'));
  timeline.runUntil(5_000);
  assert.deepEqual(recovered, [[{ containerId: reported, state: 'ended', status }]]);
  containers.remove(reported);

  containers.listener = undefined;
  containers.launch(containerSpec('unreported', 'run 100 exit 3'));
  timeline.runUntil(10_000);
  assert.deepEqual(containers.recover(), [{ containerId: 'unreported', state: 'ended', status }]);
});
