// Executors that stand on a v0 driver: they register and report by libprocess messages, from a pid of their own.
// Source: the executor driver's messages of Mesos; docs/agent-recovery.md for the way back after a restart.
//
// EXECUTOR-DRIVER-1: an executor has one driver: the first that registers as it, until it ends. After a restart of the agent
//     it is the one that was known before.
// EXECUTOR-DRIVER-2: the driver of an executor is not told to end by what another one says in its name.
import type { ExecutorId, FrameworkId, Pid, TaskId } from '@meseta/base';
import type { ExecutorID, FrameworkID, LibprocessMessage, StatusUpdate, TaskStatus } from '@meseta/wire';
import { type Context, log, send } from './context.js';
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
export function driverMessage(ctx: Context, from: Pid, message: LibprocessMessage): boolean {
  switch (message.name) {
    case 'RegisterExecutorMessage': {
      const { framework_id, executor_id } = message.body;
      arrived(ctx, from, 'register', framework_id, executor_id, { taskIds: [], updates: [] });
      return true;
    }
    case 'ReregisterExecutorMessage': {
      const { framework_id, executor_id, tasks = [], updates = [] } = message.body;
      arrived(ctx, from, 'reregister', framework_id, executor_id, {
        taskIds: tasks.map(({ task_id }) => task_id.value as TaskId),
        updates: updates.map(statusOf),
      });
      return true;
    }
    case 'StatusUpdateMessage': {
      const { update } = message.body;
      const found = driverOf(ctx, from, update.framework_id);
      if (found === undefined) ctx.state.counters.invalidStatusUpdates++;
      else executorUpdate(ctx, found.framework, found.executor, statusOf(update));
      return true;
    }
    case 'ExecutorToFrameworkMessage': {
      const { framework_id, data } = message.body;
      const found = driverOf(ctx, from, framework_id);
      if (found !== undefined) messageToFramework(ctx, found.framework, found.executor, data);
      return true;
    }
    case 'FrameworkToExecutorMessage': {
      const framework = ctx.state.frameworks.get(message.body.framework_id.value as FrameworkId);
      // Schedulers on a v0 driver know where the agent is and don't take the way over the master.
      if (framework?.pid !== from) return false;
      messageToExecutor(ctx, message.body);
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
  ctx: Context,
  from: Pid,
  frameworkId: FrameworkID,
): { readonly framework: FrameworkRecord; readonly executor: ExecutorRecord } | undefined {
  const framework = ctx.state.frameworks.get(frameworkId.value as FrameworkId);
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

function isDriver({ state }: Context, pid: Pid): boolean {
  for (const { executors } of state.frameworks.values()) {
    for (const { driver } of executors.values()) if (driver === pid) return true;
  }
  return false;
}

function arrived(
  ctx: Context,
  from: Pid,
  how: 'register' | 'reregister',
  frameworkId: FrameworkID,
  executorId: ExecutorID,
  unacknowledged: Unacknowledged,
): void {
  const framework = ctx.state.frameworks.get(frameworkId.value as FrameworkId);
  const executor = framework?.executors.get(executorId.value as ExecutorId);
  const welcome =
    framework?.state === 'running' &&
    executor?.kind === 'custom' &&
    executor.state !== 'ended' &&
    executor.kill === undefined &&
    ctx.state.leaving === undefined &&
    isItsDriver(from, how, executor);
  if (framework === undefined || executor === undefined || !welcome) {
    if (isDriver(ctx, from)) {
      log(
        ctx,
        'warning',
        `ignored the registration of ${from} as executor ${executorId.value}: it is another's driver`,
      );
      return;
    }
    log(ctx, 'warning', `executor ${executorId.value} at ${from} is shut down: it is not expected`);
    send(ctx, from, {
      name: 'ShutdownExecutorMessage',
      body: { executor_id: executorId, framework_id: frameworkId },
    });
    return;
  }
  ctx.effects.push({ kind: 'link', to: from });
  subscribed(ctx, framework, { ...executor, driver: from }, unacknowledged);
}
