import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AgentEffect } from '@meseta/agent/core/io';
import type { SchedulerEvent, TaskStatus } from '@meseta/wire';
import type { AgentNode } from '../nodes/agent.js';
import type { SchedulerClient } from '../nodes/scheduler.js';
import type { Cluster } from '../run/cluster.js';
import { createRecordKeeper } from './records.js';
import { updates } from './updates.js';

const agent = { name: 'agent-0', core: { state: { frameworks: new Map() } } } as unknown as AgentNode;
const client = { name: 'scheduler-0' } as SchedulerClient;

const dropped = (uuid: string, reason: TaskStatus['reason']): TaskStatus => ({
  task_id: { value: 't' },
  state: 'TASK_DROPPED',
  source: 'SOURCE_AGENT',
  reason,
  uuid,
});

/** The failures after an agent sent two updates of a task, of which the framework received the second only. */
function failuresAfterLossOf(first: TaskStatus): readonly string[] {
  const failures: string[] = [];
  const world = { fail: (invariant: string) => void failures.push(invariant) };
  const { observer } = updates.create({ world } as unknown as Cluster, () => {}, createRecordKeeper());
  const second = dropped('second', 'REASON_RECONCILIATION');
  for (const status of [first, second]) {
    const update = { framework_id: { value: 'f' }, status, timestamp: 0, uuid: status.uuid };
    const effect = { kind: 'send', message: { name: 'StatusUpdateMessage', body: { update } } };
    observer.agentStepped?.(agent, { kind: 'persisted' }, [effect as unknown as AgentEffect]);
  }
  observer.schedulerReceived?.(client, { type: 'UPDATE', update: { status: second } } as SchedulerEvent);
  return failures;
}

test('an update that a framework receives before an earlier one is a failure', () => {
  assert.deepEqual(failuresAfterLossOf(dropped('first', 'REASON_INVALID_OFFERS')), ['updates are delivered in order']);
});

test('an agent may drop its refusal of a task whose framework it shuts down', () => {
  assert.deepEqual(failuresAfterLossOf(dropped('first', 'REASON_FRAMEWORK_REMOVED')), []);
});
