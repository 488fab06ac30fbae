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

test('a step of a master whose write was refused or not answered is a failure', () => {
  const { failures, observer } = observed();
  observer.registryFailed?.(1);
  observer.beforeMasterStep?.({ name: 'm', epoch: 2 } as MasterProcess, { kind: 'tick' });
  assert.deepEqual(failures, []);
  observer.beforeMasterStep?.({ name: 'm', epoch: 1 } as MasterProcess, { kind: 'tick' });
  assert.deepEqual(failures, ['a leader whose write failed ends']);
});

test('what a master does as the leader before a write of its term is a failure; a 503 is none', () => {
  const { failures, observer } = observed();
  const master = { name: 'm', epoch: 1 } as MasterProcess;
  const replyOf = (status: 200 | 503) => ({ kind: 'reply', request: 'r' as never, reply: { status } }) as const;
  observer.masterStepped?.(master, { kind: 'tick' }, [replyOf(503)]);
  assert.deepEqual(failures, []);
  observer.masterStepped?.(master, { kind: 'tick' }, [replyOf(200)]);
  assert.deepEqual(failures, ['a master leads only after the registry names it']);
  failures.length = 0;
  observer.registryWritten?.([], 1);
  observer.masterStepped?.(master, { kind: 'tick' }, [replyOf(200)]);
  assert.deepEqual(failures, []);
});
