// The containerizer with isolators, a launcher and real processes. The launcher's own rules are in launchers/posix.
import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { test } from 'node:test';
import type { ContainerId } from '@meseta/base';
import { until } from '@meseta/platform/testing/until';
import type { Resource } from '@meseta/wire';
import { alive, events, forgetEvents, next, nextEvent, root, spec, start, untilFile } from './testing/launcher.js';

const disk = (value: number): Resource => ({ name: 'disk', type: 'SCALAR', scalar: { value } });
const fill = 'head -c 3000000 /dev/zero >big; echo >full; sleep 600';

test('LIFECYCLE-2: a container over its disk resources is destroyed, and nothing of it stays when it is removed', async () => {
  const containers = await start();
  const it = spec('full', { value: fill }, { resources: [disk(1)] });
  containers.launch(it);
  const { pid } = await next('started', 'full');
  const ended = await next('exited', 'full');
  assert.deepEqual([ended.status, alive(pid)], [{ kind: 'signaled', signal: 9 }, false]);
  assert.equal(ended.limitation?.reason, 'REASON_CONTAINER_LIMITATION_DISK');
  assert.deepEqual(ended.limitation?.resources, [disk(1)]);
  containers.remove(it.containerId);
  const left = (): readonly string[] => [
    ...readdirSync(`${root}/run/records`),
    ...readdirSync(`${root}/run/containers`).filter((name) => name.includes('full')),
  ];
  await until('its records are removed', () => left().length === 0);
});

test('LIFECYCLE-2: an agent that restarts goes on to watch its containers, and an update changes what they may use', async () => {
  const first = await start();
  const it = spec('full', { value: fill }, { resources: [disk(100)] });
  first.launch(it);
  await next('started', 'full');
  await untilFile(`${it.sandbox}/full`);
  await first.close();
  forgetEvents();
  const second = await start();
  assert.deepEqual(
    (await second.recover()).map(({ state }) => state),
    ['running'],
  );
  second.update(it.containerId, { resources: [disk(1)] });
  const ended = await next('exited', 'full');
  assert.equal(ended.limitation?.reason, 'REASON_CONTAINER_LIMITATION_DISK');
});

test('a container that is not launched leaves an end, its empty output, and no record once it is removed', async () => {
  const containers = await start();
  const it = spec('refused', { value: 'true' }, { container: { type: 'MESOS', hostname: 'x' } });
  containers.launch(it);
  while (events.length === 0) await nextEvent();
  assert.deepEqual(
    events.map((event) => [event.kind, event.containerId, event.kind === 'launchFailed' && event.message]),
    [['launchFailed', 'refused', 'container.hostname: needs the isolator network/cni']],
  );
  assert.ok(existsSync(`${it.sandbox}/stdout`));
  containers.remove(it.containerId);
  containers.remove('unknown' as ContainerId);
  await until('its record is removed', () => readdirSync(`${root}/run/records`).length === 0);
});
