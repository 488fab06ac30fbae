// VALIDATION-1 field by field: each id and path of a record of the checkpoint, of a task and of a call is checked, and the
// problem names it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AgentCall, ExecutorInfo, TaskInfo } from '@meseta/wire';
import type { CheckpointRecord, ConnectionId } from './io.js';
import { frameworkOf, launched, registeredWorld, runToRunning, taskOf } from './testing.js';
import { checkContainerCall, checkRecord, checkTask } from './validation.js';

/** A checkpoint with a record of each kind that has ids: a command task, a pod's task, a nested container in a nested one. */
function checkpointRecords(): ReadonlyMap<CheckpointRecord['kind'], CheckpointRecord> {
  const world = registeredWorld();
  const value = runToRunning(world, taskOf('t'));
  const executor: ExecutorInfo = { type: 'DEFAULT', executor_id: { value: 'pod' } };
  const body = { framework: frameworkOf(), executor, task_group: { tasks: [taskOf('p')] }, launch_executor: true };
  world.message({ name: 'RunTaskGroupMessage', body });
  const nest = (container_id: { value: string; parent: { value: string } }) => {
    const call: AgentCall = {
      type: 'LAUNCH_NESTED_CONTAINER',
      launch_nested_container: { container_id, command: { value: 'true' } },
    };
    const effects = world.input({ kind: 'containerCall', connection: 'c' as ConnectionId, call });
    world.input({ kind: 'containerEvent', event: { kind: 'started', containerId: launched(effects), pid: 5 } });
  };
  const outer = { value: 'outer', parent: { value } };
  nest(outer);
  nest({ value: 'inner', parent: outer });
  return new Map([...world.disk.values()].map((record) => [record.kind, record]));
}

/** The record with the part at a path such as `executor.info.id` replaced. */
function withPart<T>(record: T, path: string, part: unknown): T {
  const copy = structuredClone(record);
  const names = path.split('.');
  const last = names.pop() ?? '';
  let at = copy as Record<string, unknown>;
  for (const name of names) at = at[name] as Record<string, unknown>;
  at[last] = part;
  return copy;
}

const records = checkpointRecords();
const recordOf = (kind: CheckpointRecord['kind']): CheckpointRecord =>
  records.get(kind) ?? assert.fail(`the checkpoint has no record of the kind ${kind}`);

const IDS: readonly (readonly [kind: CheckpointRecord['kind'], path: string, field: string])[] = [
  ['agent', 'info.id.value', 'agent.id'],
  ['framework', 'info.id.value', 'framework.id'],
  ['executor', 'executor.frameworkId', 'executor.framework_id'],
  ['executor', 'executor.info.executor_id.value', 'executor.executor_id'],
  ['executor', 'executor.containerId', 'executor.container_id'],
  ['podTask', 'podTask.frameworkId', 'pod task.framework_id'],
  ['podTask', 'podTask.executorId', 'pod task.executor_id'],
  ['podTask', 'podTask.taskId', 'pod task.task_id'],
  ['podTask', 'podTask.containerId', 'pod task.container_id'],
  ['podTask', 'podTask.parent', 'pod task.parent'],
  ['nestedContainer', 'nestedContainer.containerId', 'nested container.container_id'],
  ['nestedContainer', 'nestedContainer.id.value', 'nested container.id'],
  ['nestedContainer', 'nestedContainer.id.parent.value', 'nested container.id'],
  ['task', 'frameworkId', 'task.framework_id'],
  ['task', 'record.info.task_id.value', 'task.task_id'],
  ['task', 'record.executorId', 'task.executor_id'],
  ['sandbox', 'containerId', 'sandbox.container_id'],
];

for (const [kind, path, field] of IDS) {
  test(`VALIDATION-1: a record of the checkpoint with a bad ${path} has the problem ${field}`, () => {
    assert.equal(checkRecord(recordOf(kind)), undefined);
    assert.equal(
      checkRecord(withPart(recordOf(kind), path, '..')),
      `${field}: expected an id other than "." and "..", got ".."`,
    );
  });
}

for (const [kind, field] of [
  ['agent', 'agent.id'],
  ['framework', 'framework.id'],
] as const) {
  test(`VALIDATION-1: a record of the kind ${kind} without an id has the problem ${field}`, () => {
    assert.equal(
      checkRecord(withPart(recordOf(kind), 'info.id', undefined)),
      `${field}: expected an id, got an empty string`,
    );
  });
}

for (const [kind, path] of [
  ['executor', 'executor.sandbox'],
  ['podTask', 'podTask.sandbox'],
  ['nestedContainer', 'nestedContainer.sandbox'],
  ['sandbox', 'path'],
] as const) {
  test(`VALIDATION-1: a sandbox in ${path} is absolute and has no ".."`, () => {
    assert.equal(
      checkRecord(withPart(recordOf(kind), path, 'work/x')),
      'sandbox: expected an absolute path, got "work/x"',
    );
    assert.equal(
      checkRecord(withPart(recordOf(kind), path, '/work/../x')),
      'sandbox: expected a path without "..", got "/work/../x"',
    );
  });
}

const BAD_CPUS = { name: 'cpus', type: 'SCALAR', scalar: { value: -1 } } as const;

test('VALIDATION-1: resources in the checkpoint are valid', () => {
  assert.equal(checkRecord({ kind: 'resources', resources: taskOf('t').resources ?? [] }), undefined);
  assert.match(checkRecord({ kind: 'resources', resources: [BAD_CPUS] }) ?? '', /^resources/);
});

test('VALIDATION-1: a record without ids of directories has no problem', () => {
  const drain: CheckpointRecord = { kind: 'drain', config: {}, sinceWallMs: 0 };
  assert.equal(checkRecord(drain), undefined);
});

const executorOf = (id: string, resources = taskOf('t').resources ?? []): ExecutorInfo => ({
  executor_id: { value: id },
  resources,
});

const TASKS: readonly (readonly [field: string, task: TaskInfo, executor: ExecutorInfo | undefined])[] = [
  ['task.task_id', taskOf('..'), undefined],
  ['task.resources', taskOf('t', { resources: [BAD_CPUS] }), undefined],
  ['executor.executor_id', taskOf('t'), executorOf('..')],
  ['executor.resources', taskOf('t'), executorOf('e', [BAD_CPUS])],
];

for (const [field, task, executor] of TASKS) {
  test(`VALIDATION-1: the problem of a task with a bad ${field} names it`, () => {
    assert.equal(checkTask(taskOf('t'), executorOf('e')), undefined);
    assert.ok(checkTask(task, executor)?.startsWith(field), checkTask(task, executor));
  });
}

const id = { value: 'c', parent: { value: 'p' } };

const CALLS: readonly (readonly [title: string, call: AgentCall, problem: string | undefined])[] = [
  ['a call without an id', { type: 'WAIT_CONTAINER', wait_container: {} as never }, 'container_id: is missing'],
  ['a call without its part', { type: 'WAIT_CONTAINER' }, 'container_id: is missing'],
  [
    'an input whose first record is data',
    { type: 'ATTACH_CONTAINER_INPUT', attach_container_input: { type: 'PROCESS_IO', container_id: id } },
    'attach_container_input.type: expected CONTAINER_ID in the first record, got PROCESS_IO',
  ],
  [
    'an input whose first record has no type',
    { type: 'ATTACH_CONTAINER_INPUT', attach_container_input: { container_id: id } as never },
    'attach_container_input.type: expected CONTAINER_ID in the first record, got nothing',
  ],
  [
    'an input',
    { type: 'ATTACH_CONTAINER_INPUT', attach_container_input: { type: 'CONTAINER_ID', container_id: id } },
    undefined,
  ],
  [
    'a session with cgroups of its own',
    {
      type: 'LAUNCH_NESTED_CONTAINER_SESSION',
      launch_nested_container_session: {
        container_id: id,
        container: { type: 'MESOS', linux_info: { share_cgroups: false } },
      },
    },
    'container.linux_info.share_cgroups: must not be false for sessions',
  ],
  [
    'a session that shares its cgroups',
    {
      type: 'LAUNCH_NESTED_CONTAINER_SESSION',
      launch_nested_container_session: {
        container_id: id,
        container: { type: 'MESOS', linux_info: { share_cgroups: true } },
      },
    },
    undefined,
  ],
];

for (const [title, call, problem] of CALLS) {
  test(`VALIDATION-1: ${title} ${problem === undefined ? 'has no problem' : `has the problem "${problem}"`}`, () => {
    assert.equal(checkContainerCall(call), problem);
  });
}
