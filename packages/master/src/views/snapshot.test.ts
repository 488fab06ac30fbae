import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { OperationUuid } from '@meseta/base';
import type { Resource } from '@meseta/wire';
import type { OperationRecord } from '../core/state.js';
import { createWorld, task } from '../core/testing.js';
import { agentViews, snapshotOf, useOf, useOfAgent } from './snapshot.js';

test('the use of one agent is that in the views of all agents: tasks, executors, pending operations and offers', () => {
  const world = createWorld();
  const { id } = world.agent('cpus:4;mem:4096');
  const scheduler = world.subscribe({ roles: ['r'] });
  const offer = scheduler.offer();
  scheduler.launch(offer, task('t', offer));
  const { state } = world.master;
  const agent = [...state.agents.registered.values()].find((it) => it.id === id) ?? assert.fail('no agent');
  const consumed: readonly Resource[] = [{ name: 'disk', type: 'SCALAR', scalar: { value: 8 } }];
  for (const [uuid, speculative] of [
    ['pending', false],
    ['speculative', true],
  ] as const) {
    const record: Partial<OperationRecord> = { agentId: agent.id, consumed, speculative };
    state.operations.set(uuid as OperationUuid, record as OperationRecord);
    agent.operations.add(uuid as OperationUuid);
  }
  const views = agentViews(snapshotOf(state));
  let next = views.next();
  while (next.done !== true) next = views.next();
  const use = useOfAgent(state, agent);
  assert.deepEqual(use, useOf(next.value[0] ?? assert.fail('no view')));
  assert.equal(use.used.filter(({ name }) => name === 'disk').length, 1);
});
