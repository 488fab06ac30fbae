// Executors that stand on a v0 driver: they register and report by libprocess messages, from a pid of their own.
// Source: the executor driver's messages of Mesos; docs/agent-recovery.md for the way back after a restart.
//
// EXECUTOR-DRIVER-1: an executor has one driver: the first that registers as it, until it ends. After a restart of the agent
//     it is the one that was known before.
// EXECUTOR-DRIVER-2: the driver of an executor is not told to end by what another one says in its name.
import type { ExecutorId, FrameworkId, Pid, TaskId } from '@meseta/base';
import type { ExecutorID, FrameworkID, LibprocessMessage, StatusUpdate, TaskStatus } from '@meseta/wire';
import { log, type Step, send } from './context.js';
import {
  executorUpdate,
  messageToExecutor,
  messageToFramework,
  subscribed,
  type Unacknowledged,
} from './executor-calls.js';
import type { ExecutorRecord } from './io.js';
import type { FrameworkRecord } from './state.js';

/** Takes a message that comes from an executor's or a scheduler's driver; false: it is none. */
export function driverMessage(step: Step, from: Pid, message: LibprocessMessage): boolean {
  switch (message.name) {
    case 'RegisterExecutorMessage': {
      const { framework_id, executor_id } = message.body;
      arrived(step, from, 'register', framework_id, executor_id, { taskIds: [], updates: [] });
      return true;
    }
    case 'ReregisterExecutorMessage': {
      const { framework_id, executor_id, tasks = [], updates = [] } = message.body;
      arrived(step, from, 'reregister', framework_id, executor_id, {
        taskIds: tasks.map(({ task_id }) => task_id.value as TaskId),
        updates: updates.map(statusOf),
      });
      return true;
    }
    case 'StatusUpdateMessage': {
      const { update } = message.body;
      const found = driverOf(step, from, update.framework_id);
      if (found === undefined) step.state.counters.invalidStatusUpdates++;
      else executorUpdate(step, found.framework, found.executor, statusOf(update));
      return true;
    }
    case 'ExecutorToFrameworkMessage': {
      const { framework_id, data } = message.body;
      const found = driverOf(step, from, framework_id);
      if (found !== undefined) messageToFramework(step, found.framework, found.executor, data);
      return true;
    }
    case 'FrameworkToExecutorMessage': {
      const framework = step.state.frameworks.get(message.body.framework_id.value as FrameworkId);
      // Schedulers on a v0 driver know where the agent is and don't take the way over the master.
      if (framework?.pid !== from) return false;
      messageToExecutor(step, message.body);
      return true;
    }
    default:
      return false;
  }
}

/** The update's status with what a driver says beside it. */
const statusOf = ({ status, timestamp, uuid }: StatusUpdate): TaskStatus => ({
  ...status,
  timestamp: status.timestamp ?? timestamp,
  source: status.source ?? 'SOURCE_EXECUTOR',
  uuid: uuid ?? status.uuid,
});

function driverOf(
  step: Step,
  from: Pid,
  frameworkId: FrameworkID,
): { readonly framework: FrameworkRecord; readonly executor: ExecutorRecord } | undefined {
  const framework = step.state.frameworks.get(frameworkId.value as FrameworkId);
  for (const executor of framework?.executors.values() ?? []) {
    if (framework !== undefined && executor.driver === from) return { framework, executor };
  }
  return undefined;
}

/** EXECUTOR-DRIVER-1. */
function isItsDriver(from: Pid, how: 'register' | 'reregister', executor: ExecutorRecord): boolean {
  // It may say twice what it has said.
  if (executor.driver !== undefined) return executor.driver === from;
  return how === 'register' && executor.state !== 'running';
}

function isDriver({ state }: Step, pid: Pid): boolean {
  for (const { executors } of state.frameworks.values()) {
    for (const { driver } of executors.values()) if (driver === pid) return true;
  }
  return false;
}

function arrived(
  step: Step,
  from: Pid,
  how: 'register' | 'reregister',
  frameworkId: FrameworkID,
  executorId: ExecutorID,
  unacknowledged: Unacknowledged,
): void {
  const framework = step.state.frameworks.get(frameworkId.value as FrameworkId);
  const executor = framework?.executors.get(executorId.value as ExecutorId);
  const welcome =
    framework?.state === 'running' &&
    executor?.kind === 'custom' &&
    executor.state !== 'ended' &&
    executor.kill === undefined &&
    step.state.leaving === undefined &&
    isItsDriver(from, how, executor);
  if (framework === undefined || executor === undefined || !welcome) {
    if (isDriver(step, from)) {
      log(
        step,
        'warning',
        `ignored the registration of ${from} as executor ${executorId.value}: it is another's driver`,
      );
      return;
    }
    log(step, 'warning', `executor ${executorId.value} at ${from} is shut down: it is not expected`);
    send(step, from, {
      name: 'ShutdownExecutorMessage',
      body: { executor_id: executorId, framework_id: frameworkId },
    });
    return;
  }
  step.effects.push({ kind: 'link', to: from });
  subscribed(step, framework, { ...executor, driver: from }, unacknowledged);
}
