import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ContainerId } from '@meseta/base';
import type { LinuxInfo } from '@meseta/wire';
import { planContext, spec } from '../testing/plans.js';
import type { OuterContainer } from '../types.js';
import type { Isolator } from './isolator.js';
import { createNamespacesIpc } from './namespaces-ipc.js';
import { createNamespacesPid } from './namespaces-pid.js';

const parent: OuterContainer = { containerId: 'p' as ContainerId, sandbox: '/p', volumes: [] };
const podOf = (linux: LinuxInfo): OuterContainer => ({
  ...parent,
  pod: { taskId: 't', container: { type: 'MESOS', linux_info: linux }, resources: [] },
});

/** The namespaces of a container, or why it is refused. */
function namespacesOf(isolator: Isolator, linux: LinuxInfo, outer?: OuterContainer): string {
  const container = { type: 'MESOS' as const, linux_info: linux };
  const patch = isolator.plan?.({ ...spec, container, outer }, planContext.host);
  if (patch === undefined) return 'nothing';
  if (!patch.ok) return patch.error;
  const { namespaces = [], shared = [] } = patch.value.linux ?? {};
  return [...namespaces, ...shared.map((name) => `${name} of its parent`)].join();
}

test('a container has its own pid namespace; it shares that of the agent if it asks for it and may', () => {
  const pid = createNamespacesPid({ mayNotShareAgents: false });
  const shares = { share_pid_namespace: true };
  assert.equal(namespacesOf(pid, {}), 'mount,pid');
  assert.equal(namespacesOf(pid, { share_pid_namespace: false }, parent), 'mount,pid');
  assert.equal(namespacesOf(pid, shares), '');
  assert.equal(namespacesOf(pid, shares, podOf(shares)), '');
  for (const outer of [parent, podOf({})]) {
    assert.equal(namespacesOf(pid, shares, outer), 'mount,pid of its parent');
  }
  const forbidding = createNamespacesPid({ mayNotShareAgents: true });
  assert.match(namespacesOf(forbidding, shares), /--disallow_sharing_agent_pid_namespace forbids it$/);
  assert.match(namespacesOf(forbidding, {}, podOf(shares)), /^executor\.container\.linux_info\.share_pid_namespace: /);
  assert.equal(namespacesOf(forbidding, shares, parent), 'mount,pid of its parent');
});

test('a container has its own IPC namespace; a size of /dev/shm needs one of its own', () => {
  const ipc = createNamespacesIpc({ mayNotShareAgents: false, defaultShmBytes: undefined });
  const shares = { ipc_mode: 'SHARE_PARENT' as const };
  assert.equal(namespacesOf(ipc, {}), 'mount,ipc');
  assert.equal(namespacesOf(ipc, { ipc_mode: 'PRIVATE', shm_size: 1 }), 'mount,ipc');
  assert.equal(namespacesOf(ipc, shares), '');
  for (const outer of [parent, podOf({})]) assert.equal(namespacesOf(ipc, shares, outer), 'mount,ipc of its parent');
  assert.equal(namespacesOf(ipc, shares, podOf(shares)), '');
  for (const linux of [{ shm_size: 1 }, { ...shares, shm_size: 1 }]) {
    assert.match(namespacesOf(ipc, linux), /^container\.linux_info\.shm_size: expected with ipc_mode PRIVATE only$/);
  }
  const forbidding = createNamespacesIpc({ mayNotShareAgents: true, defaultShmBytes: undefined });
  assert.match(namespacesOf(forbidding, shares), /--disallow_sharing_agent_ipc_namespace forbids SHARE_PARENT$/);
  assert.match(namespacesOf(forbidding, {}, podOf(shares)), /^executor\.container\.linux_info\.ipc_mode: /);
});
