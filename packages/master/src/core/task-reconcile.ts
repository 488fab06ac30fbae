// RECONCILE: answers a scheduler with the states of its tasks. Source: Mesos' documentation of reconciliation.
import { type AgentId, idOf, type TaskId } from '@meseta/base';
import type { SchedulerCallReconcile, SchedulerCallReconcileTask, Task, TaskState, TimeInfo } from '@meseta/wire';
import { taskStateFor } from '@meseta/wire/task-states';
import { type Context, count } from './context.js';
import { sendUpdate } from './events.js';
import { createMasterUpdate, type MasterUpdate, timeInfo } from './master-updates.js';
import { enqueueReconciliation } from './reconciliation-queue.js';
import { type Framework, isPartitionAware } from './state.js';

/** Reconciles the named tasks; without any, all tasks in `tasks`. */
export function reconcile(ctx: Context, framework: Framework, call: SchedulerCallReconcile): void {
  count(ctx, 'master/messages_reconcile_tasks');
  const named = call.tasks ?? [];
  enqueueReconciliation(
    ctx,
    framework,
    named.length > 0
      ? { kind: 'tasks', items: named, next: 0 }
      : { kind: 'allTasks', items: [...framework.tasks.keys()], next: 0 },
  );
}

/** One task of an implicit reconciliation; it may have been removed meanwhile. */
export function reconcileKnownTask(ctx: Context, framework: Framework, taskId: TaskId): void {
  const task = framework.tasks.get(taskId);
  if (task !== undefined) reportLatestStatus(ctx, framework, task);
}

/** The last state that was sent to the scheduler, not the latest known one. */
function reportLatestStatus(ctx: Context, framework: Framework, task: Task): void {
  const last = task.statuses?.at(-1);
  answer(ctx, framework, task, {
    state: task.status_update_state ?? task.state,
    reason: 'REASON_RECONCILIATION',
    message: 'Reconciliation: Latest task state',
    more: {
      ...(last?.healthy === undefined ? {} : { healthy: last.healthy }),
      ...(last?.container_status === undefined ? {} : { container_status: last.container_status }),
      ...(last?.check_status === undefined ? {} : { check_status: last.check_status }),
    },
  });
}

type NamedItem = Pick<Task, 'task_id' | 'executor_id'> & { readonly agent_id?: Task['agent_id'] | undefined };

function answer(ctx: Context, framework: Framework, task: NamedItem, update: MasterUpdate): void {
  sendUpdate(ctx, framework, createMasterUpdate(ctx, framework, task, update));
}

/** One named task. */
export function reconcileTask(ctx: Context, framework: Framework, item: SchedulerCallReconcileTask): void {
  const { agents } = ctx.state;
  const known = framework.tasks.get(idOf<TaskId>(item.task_id));
  if (known !== undefined) return reportLatestStatus(ctx, framework, known);
  const agentId = item.agent_id === undefined ? undefined : idOf<AgentId>(item.agent_id);
  // The agent may still re-register and report the task.
  if (agentId === undefined ? agents.recovered.size > 0 : agents.recovered.has(agentId)) return;
  const reportState = (state: TaskState, what: string, unreachable_time?: TimeInfo): void =>
    answer(ctx, framework, item, {
      state,
      reason: 'REASON_RECONCILIATION',
      message: `Reconciliation: ${what}`,
      ...(unreachable_time === undefined ? {} : { more: { unreachable_time } }),
    });
  if (agentId === undefined)
    return reportState(taskStateFor(isPartitionAware(framework), 'TASK_UNKNOWN'), 'Task is unknown');
  if (agents.registered.has(agentId))
    return reportState(taskStateFor(isPartitionAware(framework), 'TASK_GONE'), 'Task is unknown to the agent');
  const since = agents.unreachable.get(agentId)?.sinceMs;
  if (since !== undefined) {
    return reportState(
      taskStateFor(isPartitionAware(framework), 'TASK_UNREACHABLE'),
      'Task is unreachable',
      timeInfo(since),
    );
  }
  if (agents.gone.has(agentId))
    return reportState(taskStateFor(isPartitionAware(framework), 'TASK_GONE_BY_OPERATOR'), 'Task is gone');
  reportState(taskStateFor(isPartitionAware(framework), 'TASK_UNKNOWN'), 'Task is unknown');
}
