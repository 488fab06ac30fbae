// Statuses of tasks that the agent runs itself: their container, health and check.
import type { ContainerId, TaskId } from '@meseta/base';
import type { ContainerStatus, NetworkInfo, TaskStatus } from '@meseta/wire';
import { isTerminal } from '@meseta/wire/task-states';
import { checkStatus } from './checks.js';
import type { Context } from './context.js';
import { ipOf } from './environment.js';
import type { ContainerRecord } from './io.js';
import { type TaskRun, taskOfRun } from './runs.js';
import { type FrameworkRecord, isPartitionAware } from './state.js';
import { enqueueStatusUpdate, type StatusFields, statusOf } from './status-updates.js';

/**
 * Enqueues a status of a task that runs here, with its container, health and check. A status of SOURCE_AGENT is that of a
 * task whose container never started, and has none of them.
 */
export function report(ctx: Context, framework: FrameworkRecord, run: TaskRun, fields: StatusFields): void {
  const record = taskOfRun(framework, run);
  if (record === undefined || isTerminal(record.task.state)) return;
  const taskId = record.info.task_id.value as TaskId;
  const executor_id = { value: run.kind === 'podTask' ? run.executorId : run.info.executor_id.value };
  const enqueue = (status: TaskStatus): void =>
    enqueueStatusUpdate(ctx, framework, taskId, drained(ctx, framework, run.kill !== undefined, status));
  if (fields.source === 'SOURCE_AGENT') return enqueue(statusOf(ctx, taskId, { executor_id, ...fields }));
  const last = record.task.statuses?.at(-1);
  const { check } = record.info;
  const healthy = fields.healthy ?? last?.healthy;
  const checked = fields.check_status ?? last?.check_status ?? (check && checkStatus(check, undefined));
  const status = statusOf(ctx, taskId, {
    source: 'SOURCE_EXECUTOR',
    executor_id,
    container_status: containerStatus(ctx, run, last?.container_status?.network_infos),
    ...fields,
    ...(healthy === undefined ? {} : { healthy }),
    ...(checked === undefined ? {} : { check_status: checked }),
  });
  enqueue(status);
}

/** The status of a task that a drain ended has the drain's reason, and TASK_GONE_BY_OPERATOR if the agent will be gone. */
export function drained(ctx: Context, framework: FrameworkRecord, killed: boolean, status: TaskStatus): TaskStatus {
  const { drain } = ctx.state;
  if (drain === undefined || !killed) return status;
  if (status.state !== 'TASK_KILLED' && status.state !== 'TASK_KILLING') return status;
  const gone = status.state === 'TASK_KILLED' && drain.config.mark_gone === true && isPartitionAware(framework.info);
  return { ...status, state: gone ? 'TASK_GONE_BY_OPERATOR' : status.state, reason: 'REASON_AGENT_DRAINING' };
}

/**
 * As in Mesos, a container without a network namespace has the agent's address. Others keep the addresses of their first
 * status.
 */
export const containerStatus = (
  ctx: Context,
  { containerId, pid, parent, networks }: ContainerRecord & { readonly parent?: ContainerId },
  networkInfos: readonly NetworkInfo[] | undefined = undefined,
): ContainerStatus => ({
  network_infos: networks ?? networkInfos ?? [{ ip_addresses: [{ ip_address: ipOf(ctx.state.options) }] }],
  ...(pid === undefined || pid === 0 ? {} : { executor_pid: pid }),
  container_id: { value: containerId, ...(parent === undefined ? {} : { parent: { value: parent } }) },
});
