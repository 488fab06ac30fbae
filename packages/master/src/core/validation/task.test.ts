import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AgentId, TaskId } from '@meseta/base';
import type { Resource, Task, TaskInfo } from '@meseta/wire';
import type { Agent, Framework } from '../state.js';
import { checkTask, type LaunchPlace } from './task.js';

const scalar = (name: string, value: number): Resource => ({
  name,
  type: 'SCALAR',
  scalar: { value },
  allocation_info: { role: 'web' },
});
const known = new Map([['known' as TaskId, {} as Task]]);
const framework = {
  id: 'F',
  tasks: known,
  unreachableTasks: new Map([['lost' as TaskId, {} as Task]]),
  executors: new Map(),
} as Partial<Framework> as Framework;
const agent = { id: 'S' as AgentId, capabilities: new Set(['TASK_RESOURCE_LIMITS']) } as Partial<Agent> as Agent;
const place: LaunchPlace = { framework, agent, offered: [scalar('cpus', 2), scalar('mem', 100)] };
const old: LaunchPlace = { ...place, agent: { ...agent, capabilities: new Set() } };

const task = (more: Partial<TaskInfo> = {}): TaskInfo => ({
  name: 't',
  task_id: { value: 't' },
  agent_id: { value: 'S' },
  resources: [scalar('cpus', 1), scalar('mem', 10)],
  command: { value: 'run' },
  ...more,
});
const executor = { executor_id: { value: 'e' }, framework_id: { value: 'F' }, command: { value: 'run' } };
const withExecutor = (more: object): TaskInfo => task({ command: undefined, executor: { ...executor, ...more } });

test('a task is valid or refused with the field at fault', () => {
  const table: readonly (readonly [task: TaskInfo, problem: string | undefined, place?: LaunchPlace])[] = [
    [task(), undefined],
    [task({ task_id: { value: '..' } }), 'task.task_id: expected an id other than "." and "..", got ".."'],
    [task({ task_id: { value: 'known' } }), "task.task_id: the framework has a task 'known' already"],
    [task({ task_id: { value: 'lost' } }), "task.task_id: the framework has a task 'lost' already"],
    [task({ agent_id: { value: 'X' } }), 'task.agent_id: expected S, the agent of the offer, got X'],
    [task({ kill_policy: { grace_period: { nanoseconds: 0 } } }), undefined],
    [
      task({ kill_policy: { grace_period: { nanoseconds: -1 } } }),
      'task.kill_policy.grace_period: expected a duration >= 0, got -1 ns',
    ],
    [
      task({ max_completion_time: { nanoseconds: -5 } }),
      'task.max_completion_time: expected a duration >= 0, got -5 ns',
    ],
    [task({ check: {} }), 'check.type: expected COMMAND, HTTP or TCP'],
    [task({ health_check: {} }), 'health_check.type: expected COMMAND, HTTP or TCP'],
    [task({ resources: [] }), 'task.resources: expected at least one resource'],
    [task({ resources: undefined }), 'task.resources: expected at least one resource'],
    [task({ resources: [scalar('cpus', -1)] }), 'task.resources[0].scalar.value: expected a number >= 0, got -1'],
    [
      task({ command: { environment: { variables: [{ name: 'A' }] } } }),
      "task.command.environment.variables[0].value: is missing for 'A'",
    ],
    [task({ container: { type: 'DOCKER' } }), 'task.container.docker: is missing for a container of type DOCKER'],
    [task({ command: undefined }), 'task: expected exactly one of command and executor'],
    [task({ executor }), 'task: expected exactly one of command and executor'],
    [withExecutor({}), undefined],
    [withExecutor({ type: 'DEFAULT', command: undefined }), 'executor.type: DEFAULT is for LAUNCH_GROUP'],
    [withExecutor({ resources: [{ ...scalar('cpus', 1), shared: {} }] }), 'executor.resources: must not be shared'],
    [withExecutor({ framework_id: { value: 'G' } }), 'executor.framework_id: expected F, got G'],
    [
      task({ container: { type: 'MESOS', linux_info: { share_cgroups: false } } }),
      'task.container.linux_info.share_cgroups: may be false in a task group only',
    ],
    [task({ container: { type: 'MESOS', linux_info: { share_cgroups: true } } }), undefined],
    [task({ resources: [scalar('cpus', 2.5)] }), 'task.resources: more than what is left of the offer'],
    [withExecutor({ resources: [scalar('cpus', 1.5)] }), 'task.resources: more than what is left of the offer'],
    [
      withExecutor({ resources: [{ ...scalar('cpus', 1), revocable: {} }] }),
      'task and executor: revocable and non-revocable cpus are mixed',
    ],
  ];
  for (const [info, problem, at = place] of table) assert.equal(checkTask(info, at), problem, JSON.stringify(info));
});

test('limits of a task need the capability, a request of the resource, and at least that value', () => {
  const limits = (more: Record<string, number>): TaskInfo =>
    task({ limits: Object.fromEntries(Object.entries(more).map(([name, value]) => [name, { value }])) });
  const table: readonly (readonly [task: TaskInfo, problem: string | undefined, place?: LaunchPlace])[] = [
    [limits({}), undefined, old],
    [limits({ cpus: 1 }), 'task.limits: the agent lacks the capability TASK_RESOURCE_LIMITS', old],
    [limits({ cpus: 1, mem: 10 }), undefined],
    [limits({ cpus: Number.POSITIVE_INFINITY, mem: 11 }), undefined],
    [limits({ disk: 1 }), "task.limits: only cpus and mem may be limited, got 'disk'"],
    [limits({ mem: 9 }), 'task.limits["mem"]: expected at least the request of 10, got 9'],
    [limits({ cpus: Number.NaN }), 'task.limits["cpus"]: expected at least the request of 1, got NaN'],
    [{ ...limits({ mem: 1 }), resources: [scalar('cpus', 1)] }, 'task.limits["mem"]: needs a request of mem'],
    [
      { ...limits({ cpus: 1.4 }), resources: [scalar('cpus', 1), scalar('cpus', 0.5)] },
      'task.limits["cpus"]: expected at least the request of 1.5, got 1.4',
    ],
  ];
  for (const [info, problem, at = place] of table)
    assert.equal(checkTask(info, at), problem, JSON.stringify(info.limits));
});

test('a port and an item of a set are used once by a task and its executor', () => {
  const ports = (...range: { begin: number; end: number }[]): Resource => ({
    name: 'ports',
    type: 'RANGES',
    ranges: { range },
    allocation_info: { role: 'web' },
  });
  const set = (name: string, ...item: string[]): Resource => ({
    name,
    type: 'SET',
    set: { item },
    allocation_info: { role: 'web' },
  });
  const at: LaunchPlace = { ...place, offered: [ports({ begin: 1, end: 100 }), set('a', 'x', 'y'), set('b', 'x')] };
  const using = (own: Resource[], executors: Resource[]): TaskInfo => ({
    ...withExecutor({ resources: executors }),
    resources: own,
  });
  assert.equal(checkTask(using([ports({ begin: 1, end: 5 })], [ports({ begin: 6, end: 9 })]), at), undefined);
  assert.equal(
    checkTask(using([ports({ begin: 8, end: 9 })], [ports({ begin: 1, end: 2 }, { begin: 9, end: 10 })]), at),
    'task and executor: the ports 9 are used twice',
  );
  assert.equal(checkTask(using([set('a', 'x')], [set('b', 'x'), set('a', 'y')]), at), undefined);
  assert.equal(checkTask(using([set('a', 'x')], [set('a', 'y', 'x')]), at), 'task and executor: the a x is used twice');
});
