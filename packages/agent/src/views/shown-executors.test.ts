import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ContainerId, ExecutorId, FrameworkId, TaskId } from '@meseta/base';
import type { TaskState } from '@meseta/wire';
import type { ExecutorRecord, TaskRecord } from '../core/io.js';
import { newFramework } from '../core/state.js';
import { frameworkOf, taskOf } from '../core/testing.js';
import { executorsOf, phaseOf } from './shown-executors.js';

const frameworkId = 'f-1' as FrameworkId;
const executorId = 'e' as ExecutorId;

const executor: ExecutorRecord = {
  frameworkId,
  info: { executor_id: { value: executorId } },
  containerId: 'c' as ContainerId,
  kind: 'custom',
  sandbox: '/s',
  state: 'running',
  pid: 1,
  startedWallMs: 1,
  kill: undefined,
};

const recordOf = (id: string, state: TaskState): TaskRecord => {
  const info = taskOf(id);
  const { name, task_id, agent_id } = info;
  return { info, executorId, task: { name, task_id, agent_id, framework_id: { value: frameworkId }, state } };
};

test("a completed task and a later one with its id are both among their executor's tasks, each in its own phase", () => {
  const framework = newFramework(frameworkId, frameworkOf(), undefined);
  framework.executors.set(executorId, executor);
  framework.executors.set('other' as ExecutorId, { ...executor, info: { executor_id: { value: 'other' } } });
  framework.retired.set(executorId, [recordOf('a', 'TASK_FINISHED')]);
  for (const record of [recordOf('a', 'TASK_RUNNING'), recordOf('b', 'TASK_FAILED')]) {
    framework.tasks.set(record.info.task_id.value as TaskId, record);
  }
  const [shown, other] = executorsOf(framework);
  assert.ok(shown && other);
  const phases = shown.tasks.map((record) => [record.info.task_id.value, phaseOf(shown, record)]);
  assert.deepEqual(phases, [
    ['a', 'launched'],
    ['b', 'terminated'],
    ['a', 'completed'],
  ]);
  assert.deepEqual(other.tasks, []);
});
