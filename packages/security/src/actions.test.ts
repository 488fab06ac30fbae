import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Action } from '@meseta/api';
import type { AuthorizationObject, Resource } from '@meseta/wire';
import { ACTION_RULES, OBJECT_FIELDS } from './actions.js';

const cpus = (more: Partial<Resource>): AuthorizationObject => ({
  resource: { name: 'cpus', type: 'SCALAR', ...more },
});

const info = { user: 'u', name: 'n' };

const task = { name: 't', task_id: { value: 't' }, agent_id: { value: 'a' } };

const shown = { ...task, framework_id: { value: 'f' }, state: 'TASK_RUNNING' as const };

const executor = { executor_id: { value: 'e' } };

const reserved = {
  reservations: [
    { role: 'outer', principal: 'p' },
    { role: 'inner', principal: 'q' },
  ],
};

const multi = { capabilities: [{ type: 'REVOCABLE_RESOURCES' as const }, { type: 'MULTI_ROLE' as const }] };

test('the values of an object that the ACLs of each action compare', () => {
  const value = 'v';
  const table: readonly (readonly [Action, AuthorizationObject, wanted: readonly (string | undefined)[]])[] = [
    ['RUN_TASK', {}, [undefined]],
    ['RUN_TASK', { value }, ['v']],
    ['RUN_TASK', { value, framework_info: info }, ['u']],
    ['RUN_TASK', { framework_info: info, task_info: { ...task, command: { user: 'c' } } }, ['c']],
    ['RUN_TASK', { framework_info: info, task_info: { ...task, command: {} } }, ['u']],
    ['RUN_TASK', { framework_info: info, task_info: task }, ['u']],
    ['RUN_TASK', { framework_info: info, task_info: { ...task, executor } }, ['u']],
    ['RUN_TASK', { task_info: { ...task, executor: { ...executor, command: { user: 'e' } } } }, ['e']],
    ['VIEW_TASK', { task: { ...shown, user: 't' }, framework_info: info }, ['t']],
    ['VIEW_TASK', { task: shown, framework_info: info }, ['u']],
    ['VIEW_TASK', { task_info: { ...task, command: { user: 'c' } } }, ['c']],
    ['VIEW_TASK', { value }, ['v']],
    ['VIEW_FRAMEWORK', { framework_info: info, value }, ['u']],
    ['VIEW_FRAMEWORK', { value }, ['v']],
    ['VIEW_EXECUTOR', { executor_info: { ...executor, command: { user: 'e' } }, framework_info: info }, ['e']],
    ['VIEW_EXECUTOR', { executor_info: executor, framework_info: info }, ['u']],
    ['VIEW_EXECUTOR', { value }, ['v']],
    ['ACCESS_SANDBOX', { value }, ['v']],
    ['VIEW_CONTAINER', { container_id: { value: 'c' } }, [undefined]],
    ['KILL_NESTED_CONTAINER', { container_id: { value: 'c' } }, ['c']],
    ['KILL_NESTED_CONTAINER', { container_id: { value: 'c' }, framework_info: info }, ['u']],
    ['KILL_NESTED_CONTAINER', {}, [undefined]],
    ['RESERVE_RESOURCES', { value }, ['v']],
    ['RESERVE_RESOURCES', cpus({}), ['*']],
    ['RESERVE_RESOURCES', cpus({ role: 'r' }), ['r']],
    ['RESERVE_RESOURCES', cpus({ role: 'r', ...reserved }), ['inner']],
    ['CREATE_VOLUME', cpus(reserved), ['inner']],
    ['UNRESERVE_RESOURCES', { value }, ['v']],
    ['UNRESERVE_RESOURCES', cpus({}), ['']],
    ['UNRESERVE_RESOURCES', cpus(reserved), ['q']],
    ['UNRESERVE_RESOURCES', cpus({ reservation: { principal: 'o' } }), ['o']],
    ['UNRESERVE_RESOURCES', cpus({ reservation: {} }), ['']],
    ['DESTROY_VOLUME', { value }, ['v']],
    ['DESTROY_VOLUME', cpus({}), ['']],
    ['DESTROY_VOLUME', cpus({ disk: {} }), ['']],
    ['DESTROY_VOLUME', cpus({ disk: { persistence: { id: 'i' } } }), ['']],
    ['DESTROY_VOLUME', cpus({ disk: { persistence: { id: 'i', principal: 'd' } } }), ['d']],
    ['TEARDOWN_FRAMEWORK', { value }, ['v']],
    ['TEARDOWN_FRAMEWORK', { framework_info: info }, ['']],
    ['TEARDOWN_FRAMEWORK', { framework_info: { ...info, principal: 'p' } }, ['p']],
    ['UPDATE_WEIGHT', { value }, ['v']],
    ['UPDATE_WEIGHT', { value, weight_info: { role: 'w', weight: 1 } }, ['w']],
    ['UPDATE_QUOTA', { value }, ['v']],
    ['UPDATE_QUOTA', { value, quota_info: { role: 'q' } }, ['q']],
    ['GET_QUOTA', { value }, ['v']],
    ['VIEW_ROLE', { value }, ['v']],
    ['REGISTER_FRAMEWORK', { value }, ['v']],
    ['REGISTER_FRAMEWORK', { framework_info: info }, ['*']],
    ['REGISTER_FRAMEWORK', { framework_info: { ...info, role: 'r', roles: ['a'] } }, ['r']],
    [
      'REGISTER_FRAMEWORK',
      { framework_info: { ...info, role: 'r', capabilities: [{ type: 'GPU_RESOURCES' }] } },
      ['r'],
    ],
    ['REGISTER_FRAMEWORK', { framework_info: { ...info, ...multi, role: 'r', roles: ['a', 'b'] } }, ['a', 'b']],
    ['REGISTER_FRAMEWORK', { framework_info: { ...info, ...multi } }, []],
  ];
  for (const [action, object, wanted] of table)
    assert.deepEqual(ACTION_RULES[action].values?.(object), wanted, `${action} ${JSON.stringify(object)}`);
});

test('every action has a list of ACLs, and every list an action', () => {
  const used = Object.values(ACTION_RULES).flatMap(({ list, child }) => (child === undefined ? [list] : [list, child]));
  assert.deepEqual([...new Set(used)].sort(), Object.keys(OBJECT_FIELDS).sort());
});
