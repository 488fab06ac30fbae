import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ExecutorInfo, Resource, TaskInfo } from '@meseta/wire';
import type { Agent } from '../state.js';
import { executorForAgent, resourceVersionsOf, taskForAgent } from './for-agent.js';

const agentWith = (fields: Partial<Agent>): Agent =>
  ({ capabilities: new Set(), resourceProviders: new Map(), resourceVersion: undefined, ...fields }) as Agent;
const current = agentWith({ capabilities: new Set(['RESERVATION_REFINEMENT']) });
const old = agentWith({});

const cpus: Resource = { name: 'cpus', type: 'SCALAR', scalar: { value: 1 } };
const refined: Resource = { ...cpus, reservations: [{ type: 'DYNAMIC', role: 'web', principal: 'p' }] };
const unrefined: Resource = { ...cpus, role: 'web', reservation: { principal: 'p' } };
const inexpressible: Resource = {
  ...cpus,
  reservations: [
    { type: 'DYNAMIC', role: 'web' },
    { type: 'DYNAMIC', role: 'web/a' },
  ],
};
const executor = (...resources: Resource[]): ExecutorInfo => ({ executor_id: { value: 'e' }, resources });
const task = (more: Partial<TaskInfo>): TaskInfo => ({
  name: 't',
  task_id: { value: 't' },
  agent_id: { value: 'S' },
  ...more,
});

test('an agent with RESERVATION_REFINEMENT gets tasks and executors unchanged', () => {
  const sent = task({ resources: [refined], executor: executor(refined) });
  assert.equal(taskForAgent(current, sent), sent);
  assert.deepEqual(executorForAgent(current, executor(refined)), executor(refined));
});

test('an older agent gets resources in the pre-refinement format', () => {
  assert.deepEqual(
    taskForAgent(old, task({ resources: [refined], executor: executor(refined) })),
    task({ resources: [unrefined], executor: executor(unrefined) }),
  );
  assert.deepEqual(taskForAgent(old, task({})), task({ resources: [] }));
  assert.deepEqual(executorForAgent(old, executor(refined)), executor(unrefined));
  const without: ExecutorInfo = { executor_id: { value: 'e' } };
  assert.equal(executorForAgent(old, without), without);
});

test('resources that the pre-refinement format cannot express are not changed', () => {
  assert.deepEqual(executorForAgent(old, executor(inexpressible)), executor(inexpressible));
});

test('a launch has the resource versions of the agent and of its providers, or no such field', () => {
  const provider = { info: { type: 't', name: 'n' }, total: [], resourceVersion: 'P' };
  const resourceProviders = new Map([['rp', provider]]);
  assert.deepEqual(resourceVersionsOf(old), {});
  assert.deepEqual(resourceVersionsOf(agentWith({ resourceVersion: 'A' })), {
    resource_version_uuids: [{ uuid: { value: 'A' } }],
  });
  assert.deepEqual(resourceVersionsOf(agentWith({ resourceVersion: 'A', resourceProviders })), {
    resource_version_uuids: [{ uuid: { value: 'A' } }, { resource_provider_id: { value: 'rp' }, uuid: { value: 'P' } }],
  });
});
