// Consistency of the agent's state after a step and of the effects of that step with what is on disk. The world of the tests
// (`testing.ts`) checks both after every input, so that every test and every story is also a test of these rules.

import { assert, type ContainerId, type OperationUuid, type TaskId } from '@meseta/base';
import { isTerminal } from '@meseta/wire/task-states';
import { executorKey, frameworkKey, operationKey, sandboxKey, taskKey } from '../disk-layout.js';
import type { AgentEffect, CheckpointRecord } from '../io.js';
import { type AgentState, checkpoints, type FrameworkRecord, type Timer, tasksOf } from '../state.js';

/** AGENT-STATE-2, AGENT-STATE-3, and that timers and indexes name records that exist. */
export function checkState(state: AgentState): void {
  if (!state.started) return;
  for (const framework of state.frameworks.values()) checkFramework(state, framework);
  for (const timer of state.timers.byKey.values()) checkTimer(state, timer);
  checkRuns(state);
  const { awaited, operations, operationRetryMs, unsavedOperations, waitingForRuns, runs } = state;
  for (const id of awaited) assert(runs.has(id), `awaited executor ${id} has a container`);
  for (const id of waitingForRuns.keys()) assert(runs.has(id), `calls wait for container ${id}, which exists`);
  for (const uuid of [...operationRetryMs.keys(), ...unsavedOperations]) {
    assert(operations.has(uuid), `operation ${uuid} exists`);
  }
  checkNested(state);
  freezeRecords(state);
}

/** `nestedPaths` is the index of `nestedContainers`. */
function checkNested({ nestedContainers, nestedPaths }: AgentState): void {
  assert(nestedPaths.size === nestedContainers.size, 'each nested container is in the index once');
  for (const [path, { record }] of nestedContainers) {
    assert(nestedPaths.get(record.containerId) === path, `nested container ${path} is in the index`);
  }
}

function checkFramework(state: AgentState, framework: FrameworkRecord): void {
  const { id, executors, tasks, podTasks, streams } = framework;
  if (executors.size === 0 && streams.size === 0) {
    const lingers = [...state.timers.byKey.values()].some((it) => it.kind === 'framework' && it.frameworkId === id);
    assert(lingers && framework.state === 'running', `AGENT-STATE-2: nothing keeps framework ${id}`);
  }
  assert(
    state.completedFrameworks.every((it) => it.id !== id),
    `framework ${id} runs and is completed`,
  );
  for (const [executorId, executor] of executors) {
    const open = [...tasksOf(framework, executorId)].some(
      ({ info, task }) => !isTerminal(task.state) || streams.has(info.task_id.value as TaskId),
    );
    assert(executor.state !== 'ended' || open, `AGENT-STATE-3: nothing keeps executor ${executorId}`);
    if (executor.state !== 'ended' || framework.state !== 'running') continue;
    for (const { info, task } of tasksOf(framework, executorId)) {
      assert(isTerminal(task.state), `task ${info.task_id.value} has ended with its executor`);
    }
  }
  for (const [taskId, { executorId }] of tasks) {
    assert(executors.has(executorId), `AGENT-STATE-3: task ${taskId} has its executor`);
  }
  for (const [taskId, { executorId }] of podTasks) {
    assert(executors.has(executorId) && tasks.has(taskId), `pod task ${taskId} has its executor and its record`);
  }
  for (const [taskId, { updates, durableCount }] of streams) {
    assert(updates.length > 0 && durableCount <= updates.length, `the stream of task ${taskId}`);
  }
}

/** Containers of executors and tasks that have not ended are in `runs`, and no others. */
function checkRuns({ runs, frameworks }: AgentState): void {
  const alive = new Set<string>();
  for (const { executors, podTasks } of frameworks.values()) {
    for (const { state, containerId } of [...executors.values(), ...podTasks.values()]) {
      if (state !== 'ended') alive.add(containerId);
    }
  }
  for (const id of runs.keys()) assert(alive.has(id), `container ${id} has ended`);
  for (const id of alive) assert(runs.has(id as ContainerId), `container ${id} has not ended`);
}

/** A timer is cancelled when its subject ends. */
function checkTimer(state: AgentState, timer: Timer): void {
  const { registration, frameworks, operations, awaited, runs } = state;
  const isValid = (): boolean => {
    switch (timer.kind) {
      case 'register':
        return !registration.registered && registration.master !== undefined;
      case 'ping':
        return registration.registered;
      case 'resend':
        return frameworks.get(timer.frameworkId)?.streams.has(timer.taskId) === true;
      case 'resendOperation':
        return operations.has(timer.uuid);
      case 'executorsBack':
        return awaited.size > 0;
      case 'framework':
      case 'disk':
      case 'oversubscription':
        return true;
      default: {
        const run = runs.get(timer.containerId);
        const framework = run && frameworks.get(run.frameworkId);
        const task = run?.taskId === undefined ? undefined : framework?.podTasks.get(run.taskId);
        const record = task ?? (run && framework?.executors.get(run.executorId));
        if (run === undefined || record === undefined) return false;
        if (timer.kind === 'kill') return record.kill !== undefined;
        if (timer.kind === 'executorHeartbeat') return run.connection !== undefined;
        return (
          record.kill === undefined && record.state === (timer.kind === 'registerExecutor' ? 'launching' : 'running')
        );
      }
    }
  };
  assert(isValid(), `a timer without its subject: ${JSON.stringify(timer)}`);
}

/** AGENT-STATE-1: a handler that changes a record instead of replacing it throws. */
function freezeRecords(state: AgentState): void {
  for (const framework of state.frameworks.values()) {
    Object.freeze(framework);
    for (const records of [framework.executors, framework.tasks, framework.podTasks, framework.streams]) {
      for (const record of records.values()) Object.freeze(record);
    }
  }
  for (const records of [state.runs, state.nestedContainers, state.operations, state.sandboxes]) {
    for (const record of records.values()) Object.freeze(record);
  }
  Object.freeze(state.registration);
}

type Disk = ReadonlyMap<string, CheckpointRecord>;

/** An optional field that is not set is absent from a message: codecs and comparisons depend on it. */
function checkMessage(value: unknown, path: string): void {
  if (typeof value !== 'object' || value === null) {
    assert(value !== undefined, `${path} is undefined, expected it to be absent`);
    return;
  }
  for (const [name, part] of Object.entries(value)) checkMessage(part, `${path}.${name}`);
}

/** AGENT-STATE-4, OPERATIONS-1, EXECUTORS-1, NESTED-1: what is sent and launched is on disk. */
export function checkEffect(state: AgentState, disk: Disk, effect: AgentEffect): void {
  if (effect.kind === 'launch') checkLaunchDurable(state, disk, effect);
  if (effect.kind === 'executorEvent') checkMessage(effect.event, 'event');
  if (effect.kind === 'callReply') checkMessage(effect.response ?? {}, 'response');
  if (effect.kind !== 'send') return;
  const { message } = effect;
  checkMessage(message.body, message.name);
  if (message.name === 'StatusUpdateMessage') {
    const { framework_id, status, uuid } = message.body.update;
    const framework = state.frameworks.get(framework_id.value as FrameworkRecord['id']);
    const taskId = status.task_id.value as TaskId;
    if (framework === undefined || !checkpoints(framework) || !framework.tasks.has(taskId)) return;
    const isOnDisk = [...disk.values()].some((it) => it.kind === 'waitingStatus' && it.status.uuid === uuid);
    assert(isOnDisk, `AGENT-STATE-4: ${status.state} of task ${taskId} is sent before it is on disk`);
  }
  if (message.name === 'UpdateOperationStatusMessage' && message.body.status.uuid !== undefined) {
    const uuid = message.body.operation_uuid?.value as OperationUuid;
    assert(disk.has(operationKey(uuid)), `OPERATIONS-1: the status of operation ${uuid} is sent before it is on disk`);
  }
}

function checkLaunchDurable(state: AgentState, disk: Disk, { spec }: Extract<AgentEffect, { kind: 'launch' }>): void {
  const run = state.runs.get(spec.containerId);
  if (run === undefined) {
    const isNested = [...disk.values()].some(
      (record) => record.kind === 'nestedContainer' && record.nestedContainer.containerId === spec.containerId,
    );
    assert(isNested, `NESTED-1: container ${spec.containerId} is launched before it is on disk`);
    return;
  }
  const { frameworkId, executorId, taskId } = run;
  const framework = state.frameworks.get(frameworkId);
  if (framework === undefined || !checkpoints(framework)) return;
  const tasks =
    taskId === undefined ? [...tasksOf(framework, executorId)].map(({ info }) => info.task_id.value) : [taskId];
  const keys = [
    frameworkKey(frameworkId),
    executorKey(frameworkId, executorId),
    sandboxKey(framework.executors.get(executorId)?.containerId ?? spec.containerId),
    ...tasks.map((id) => taskKey(frameworkId, id as TaskId)),
  ];
  for (const key of keys) assert(disk.has(key), `EXECUTORS-1: a container is launched before ${key} is on disk`);
}
