import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ok, type RecordFiles } from '@meseta/base';
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

test('SUPERVISOR-5: a command beside a container that does not run, or is unknown, is not started', async () => {
  const events: SupervisorEvent[] = [];
  const children = { start: () => assert.fail('it was started'), watch: () => {} };
  const ports = { files: createFiles(), processes: createProcesses(), children, records };
  const supervisor = await createSupervisor(ports, (event) => events.push(event));
  const { owner: _owner, rlimits, ...plan } = planned({});
  const command = { ...plan, user: undefined, limits: rlimits };
  supervisor.handle({ kind: 'run', id: 'r', containerId: 'removed', plan: command, timeoutMs: 1000 });
  const result = { kind: 'failed', message: 'the container does not run' };
  assert.deepEqual(events, [{ kind: 'ran', id: 'r', result }]);
});
