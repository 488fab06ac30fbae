// Events to a custom executor: on the stream that its SUBSCRIBE opened, or as libprocess messages to its v0 driver.
// Source: the messages of Mesos' executor driver.
import type { ExecutorEvent, LibprocessMessage } from '@meseta/wire';
import { type Context, send } from './context.js';
import type { ExecutorRecord } from './io.js';
import { agentIdOf, type FrameworkRecord } from './state.js';

export const isConnected = (ctx: Context, executor: ExecutorRecord): boolean =>
  executor.state === 'running' &&
  (executor.driver !== undefined || ctx.state.runs.get(executor.containerId)?.connection !== undefined);

/** Sends an event to an executor; false if the executor is not connected. */
export function sendToExecutor(
  ctx: Context,
  framework: FrameworkRecord,
  executor: ExecutorRecord,
  event: ExecutorEvent,
): boolean {
  const connection = ctx.state.runs.get(executor.containerId)?.connection;
  if (connection !== undefined) {
    ctx.effects.push({ kind: 'executorEvent', connection, event });
    return true;
  }
  if (executor.driver === undefined) return false;
  for (const message of driverMessages(ctx, framework, executor, event)) send(ctx, executor.driver, message);
  return true;
}

function driverMessages(
  { state }: Context,
  framework: FrameworkRecord,
  executor: ExecutorRecord,
  event: ExecutorEvent,
): readonly LibprocessMessage[] {
  const framework_id = { value: framework.id };
  const agent_id = { value: agentIdOf(state) ?? '' };
  const { launch, kill, message, acknowledged } = event;
  switch (event.type) {
    case 'SUBSCRIBED':
      return [
        {
          name: 'ExecutorRegisteredMessage',
          body: {
            executor_info: executor.info,
            framework_id,
            framework_info: framework.info,
            agent_id,
            agent_info: state.info,
          },
        },
      ];
    case 'LAUNCH':
    case 'LAUNCH_GROUP': {
      const tasks = launch === undefined ? (event.launch_group?.task_group.tasks ?? []) : [launch.task];
      const pid = framework.pid ?? '';
      return tasks.map((task) => ({
        name: 'RunTaskMessage',
        body: { framework_id, framework: framework.info, pid, task },
      }));
    }
    case 'KILL':
      return kill === undefined ? [] : [{ name: 'KillTaskMessage', body: { framework_id, ...kill } }];
    case 'ACKNOWLEDGED':
      if (acknowledged === undefined) return [];
      return [{ name: 'StatusUpdateAcknowledgementMessage', body: { agent_id, framework_id, ...acknowledged } }];
    case 'MESSAGE':
      if (message === undefined) return [];
      return [
        {
          name: 'FrameworkToExecutorMessage',
          body: { agent_id, framework_id, executor_id: executor.info.executor_id, data: message.data },
        },
      ];
    case 'SHUTDOWN':
      return [{ name: 'ShutdownExecutorMessage', body: { executor_id: executor.info.executor_id, framework_id } }];
    default:
      return [];
  }
}
