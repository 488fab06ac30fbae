import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type LinuxPlan, ok, type RecordFiles, SHARED_LINUX } from '@meseta/base';
import { createFiles } from '@meseta/platform/files';
import { createProcesses } from '@meseta/platform/processes';
import { planned } from '../testing/plans.js';
import type { SupervisorEvent } from './protocol.js';
import { createSupervisor } from './supervisor.js';

const records: RecordFiles = {
  names: () => [],
  read: () => undefined,
  create: () => ok(undefined),
  append: () => {},
  remove: () => {},
  pathOf: (name) => name,
};

async function startSupervisor() {
  const events: SupervisorEvent[] = [];
  const children = { start: () => assert.fail('it was started'), watch: () => {} };
  const ports = { files: createFiles(), processes: createProcesses(), children, records };
  return { events, supervisor: await createSupervisor(ports, (event) => events.push(event)) };
}

const { owner: _owner, rlimits, ...plan } = planned({});
const command = { ...plan, user: undefined, limits: rlimits };

test('SUPERVISOR-5: a command beside a container that does not run, or is unknown, is not started', async () => {
  const { events, supervisor } = await startSupervisor();
  supervisor.handle({ kind: 'run', id: 'r', containerId: 'removed', plan: command, timeoutMs: 1000 });
  const result = { kind: 'failed', message: 'the container does not run' };
  assert.deepEqual(events, [{ kind: 'ran', id: 'r', result }]);
});

test('SUPERVISOR-6: a container that shares a namespace or mount with a parent that does not run is not started', async () => {
  const source = { root: '/sandbox', names: ['data'] };
  const shared: readonly Partial<LinuxPlan>[] = [
    { shared: ['ipc'] },
    { mounts: [{ kind: 'bind', source, inParent: '/sandbox/data', target: '/x', isReadOnly: false }] },
  ];
  for (const changes of shared) {
    const { events, supervisor } = await startSupervisor();
    const linux: LinuxPlan = { ...SHARED_LINUX, namespaces: ['mount'], ...changes };
    supervisor.handle({ kind: 'launch', id: 'c', plan: { ...command, linux }, parent: 'removed' });
    assert.deepEqual(events, [{ kind: 'failed', id: 'c', message: 'its parent container does not run' }]);
  }
});
