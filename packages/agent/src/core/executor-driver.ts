// Executors that use a v0 driver: they register and send updates by libprocess messages.
// Source: the messages of Mesos' executor driver; docs/agent-recovery.md.
//
// EXECUTOR-DRIVER-1: an executor has one driver until it ends: the first that registers for it. After a restart of the agent
//     only the driver from before may register again.
// EXECUTOR-DRIVER-2: no message of another process makes the agent shut down the driver of an executor.
import type { ExecutorId, FrameworkId, Pid, TaskId } from '@meseta/base';
import type { ExecutorID, FrameworkID, LibprocessMessage, StatusUpdate, TaskStatus } from '@meseta/wire';
import { type Context, log, send } from './context.js';
import {
  completeSubscription,
  executorUpdate,
  forwardToExecutor,
  forwardToFramework,
  type Unacknowledged,
} from './executor-calls.js';
import { isEnding } from './executors.js';
import type { ExecutorRecord } from './io.js';
import type { FrameworkRecord } from './state.js';

/** Handles a message of an executor's or a scheduler's driver; false if it is no such message. */
export function handleDriverMessage(ctx: Context, from: Pid, message: LibprocessMessage): boolean {
  switch (message.name) {
    case 'RegisterExecutorMessage': {
      const { framework_id, executor_id } = message.body;
      registerDriver(ctx, from, 'register', framework_id, executor_id, { taskIds: [], updates: [] });
      return true;
    }
    case 'ReregisterExecutorMessage': {
      const { framework_id, executor_id, tasks = [], updates = [] } = message.body;
      registerDriver(ctx, from, 'reregister', framework_id, executor_id, {
        taskIds: tasks.map(({ task_id }) => task_id.value as TaskId),
        updates: updates.map(statusOf),
      });
      return true;
    }
    case 'StatusUpdateMessage': {
      const { update } = message.body;
      const found = executorOfDriver(ctx, from, update.framework_id, update.executor_id);
      if (found === undefined) ctx.state.counters.invalidStatusUpdates++;
      else executorUpdate(ctx, found.framework, found.executor, statusOf(update));
      return true;
    }
    case 'ExecutorToFrameworkMessage': {
      const { framework_id, executor_id, data } = message.body;
      const found = executorOfDriver(ctx, from, framework_id, executor_id);
      if (found !== undefined) forwardToFramework(ctx, found.framework, found.executor, data);
      return true;
    }
    case 'FrameworkToExecutorMessage': {
      const framework = ctx.state.frameworks.get(message.body.framework_id.value as FrameworkId);
      // Schedulers that use a v0 driver send to the agent directly.
      if (framework?.pid !== from) return false;
      forwardToExecutor(ctx, message.body);
      return true;
    }
    default:
      return false;
  }
}

/** The status of an update, completed with the fields that a driver sets on the update. */
const statusOf = ({ status, timestamp, uuid }: StatusUpdate): TaskStatus => ({
  ...status,
  timestamp: status.timestamp ?? timestamp,
  source: status.source ?? 'SOURCE_EXECUTOR',
  uuid: uuid ?? status.uuid,
});

/** The executor whose driver has sent a message; undefined if the message names another one. */
function executorOfDriver(
  ctx: Context,
  from: Pid,
  frameworkId: FrameworkID,
  named: ExecutorID | undefined,
): { readonly framework: FrameworkRecord; readonly executor: ExecutorRecord } | undefined {
  const framework = ctx.state.frameworks.get(frameworkId.value as FrameworkId);
  if (framework === undefined) return undefined;
  const executor =
    named === undefined
      ? [...framework.executors.values()].find(({ driver }) => driver === from)
      : framework.executors.get(named.value as ExecutorId);
  return executor?.driver === from ? { framework, executor } : undefined;
}

/** EXECUTOR-DRIVER-1. */
function mayBeDriverOf(from: Pid, how: 'register' | 'reregister', executor: ExecutorRecord): boolean {
  // A driver may repeat its registration.
  if (executor.driver !== undefined) return executor.driver === from;
  return how === 'register' && executor.state !== 'running';
}

function isDriver({ state }: Context, pid: Pid): boolean {
  for (const { executors } of state.frameworks.values()) {
    for (const { driver } of executors.values()) if (driver === pid) return true;
  }
  return false;
}

function registerDriver(
  ctx: Context,
  from: Pid,
  how: 'register' | 'reregister',
  frameworkId: FrameworkID,
  executorId: ExecutorID,
  unacknowledged: Unacknowledged,
): void {
  const framework = ctx.state.frameworks.get(frameworkId.value as FrameworkId);
  const executor = framework?.executors.get(executorId.value as ExecutorId);
  const isExpected = executor?.kind === 'custom' && !isEnding(executor) && mayBeDriverOf(from, how, executor);
  if (framework === undefined || executor === undefined || !isExpected) {
    if (isDriver(ctx, from)) {
      log(
        ctx,
        'warning',
        `ignored the registration of ${from} as executor ${executorId.value}: it is the driver of another executor`,
      );
      return;
    }
    log(ctx, 'warning', `executor ${executorId.value} at ${from} is shut down: no such executor is expected`);
    send(ctx, from, {
      name: 'ShutdownExecutorMessage',
      body: { executor_id: executorId, framework_id: frameworkId },
    });
    return;
  }
  ctx.effects.push({ kind: 'link', to: from });
  completeSubscription(ctx, framework, { ...executor, driver: from }, unacknowledged);
}
