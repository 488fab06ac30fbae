import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ContainerId, err } from '@meseta/base';
import { type Backend, type BackendName, composeBackends } from './composing.js';
import { spec } from './testing/plans.js';

/** A backend that records its calls. */
function createBackend(name: BackendName, calls: string[], recovered: readonly string[] = []): Backend {
  const record = (call: string) => (id: unknown) => void calls.push(`${name} ${call} ${id}`);
  return {
    name,
    async prepare({ containerId }) {
      record('prepare')(containerId);
      return err('no plan');
    },
    launch: record('launch'),
    send: async () => 'closed',
    signal: record('signal'),
    destroy: record('destroy'),
    remove: record('remove'),
    watch: ({ containerId }) => record('watch')(containerId),
    update: ({ containerId }) => record('update')(containerId),
    usage: async () => undefined,
    cleanUp: async (containerId) => record('cleanUp')(containerId),
    networksOf: () => undefined,
    probe: async () => ({ kind: 'timedOut' }),
    findLimitation: () => undefined,
    recover: async () => recovered.map((id) => ({ containerId: id as ContainerId, state: 'running', pid: 1 })),
    removeLeftovers: async (alive) => record('removeLeftovers')(alive.map(({ containerId }) => containerId).join()),
    close: async () => {},
  };
}

const { signal } = new AbortController();
const id = (text: string): ContainerId => text as ContainerId;
const docker = { type: 'DOCKER', docker: { image: 'i' } } as const;

test("COMPOSING-1: type DOCKER is the engine's, all else is not; each container stays with the one that prepared or recovered it", async () => {
  const calls: string[] = [];
  const backends = composeBackends(
    [createBackend('mesos', calls, ['m1']), createBackend('docker', calls, ['d1'])],
    ['docker', 'mesos'],
  );
  await backends.prepare({ ...spec, containerId: id('d2'), container: docker }, signal);
  await backends.prepare({ ...spec, containerId: id('m2') }, signal);
  await backends.recover();
  for (const each of ['m1', 'm2', 'd1', 'd2']) backends.signal(id(each), 15);
  await backends.removeLeftovers(['m1', 'd1'].map((each) => ({ ...spec, containerId: id(each) })));
  backends.remove(id('d2'));
  // Whoever prepared it before a crash, it is cleaned up.
  await backends.cleanUp(id('d2'));
  assert.deepEqual(calls, [
    'docker prepare d2',
    'mesos prepare m2',
    'mesos signal m1',
    'mesos signal m2',
    'docker signal d1',
    'docker signal d2',
    'mesos removeLeftovers m1',
    'docker removeLeftovers d1',
    'docker remove d2',
    'mesos cleanUp d2',
    'docker cleanUp d2',
  ]);
});

test('a container that no containerizer of the flag is for is refused by one that it names', async () => {
  const calls: string[] = [];
  const all = [createBackend('mesos', calls), createBackend('docker', calls)] as const;
  await composeBackends(all, ['docker']).prepare({ ...spec, containerId: id('c1') }, signal);
  await composeBackends([all[0]], ['mesos']).prepare({ ...spec, containerId: id('c2'), container: docker }, signal);
  assert.deepEqual(calls, ['docker prepare c1', 'mesos prepare c2']);
});
