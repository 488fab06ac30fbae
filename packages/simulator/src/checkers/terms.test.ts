import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Pid } from '@meseta/base';
import type { AgentNode } from '../nodes/agent.js';
import type { MasterProcess } from '../nodes/master.js';
import type { Cluster } from '../run/cluster.js';
import { createRecordKeeper } from './records.js';
import { terms } from './terms.js';

function observed() {
  const failures: string[] = [];
  const world = { fail: (invariant: string) => void failures.push(invariant) };
  const { observer } = terms.create({ world } as unknown as Cluster, () => {}, createRecordKeeper());
  return { failures, observer };
}

test('a write of an older term than that of the newest master is a failure', () => {
  const { failures, observer } = observed();
  for (const epoch of [1, 2]) observer.masterStarted?.({ name: 'm', epoch } as MasterProcess);
  observer.registryWritten?.([], 2);
  assert.deepEqual(failures, []);
  observer.registryWritten?.([], 1);
  assert.deepEqual(failures, ['the registry is written in one term']);
});

test('a launch of a master that the agent does not follow is a failure if it has an effect', () => {
  const { failures, observer } = observed();
  const agent = { core: {} } as AgentNode;
  const [old, next] = ['master@a:1', 'master@b:1'] as Pid[];
  const message = { name: 'RunTaskMessage' } as never;
  const launched = [{ kind: 'checkpoint', changes: [] }] as const;
  observer.agentStepped?.(agent, { kind: 'masterDetected', master: old }, []);
  observer.agentStepped?.(agent, { kind: 'message', from: old as Pid, message }, launched);
  observer.agentStepped?.(agent, { kind: 'masterDetected', master: next }, []);
  observer.agentStepped?.(agent, { kind: 'message', from: old as Pid, message }, []);
  assert.deepEqual(failures, []);
  observer.agentStepped?.(agent, { kind: 'message', from: old as Pid, message }, launched);
  assert.deepEqual(failures, ['an agent launches only for the master that it follows']);
});
