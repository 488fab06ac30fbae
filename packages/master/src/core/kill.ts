// Kills a task, for the KILL call of a framework and for an operator.
import { idOf } from '@meseta/base';
import type { SchedulerCallKill } from '@meseta/wire';
import { type Context, count, info, send, warn } from './context.js';
import { agentOf } from './offers.js';
import type { Framework } from './state.js';
import { reconcileTask } from './task-reconcile.js';

/**
 * KILL of a task that is not in `tasks` is answered, and counted, like a reconciliation of it; at once, because a queue of such
 * kills would have no limit.
 */
export function kill(ctx: Context, framework: Framework, { task_id, agent_id, kill_policy }: SchedulerCallKill): void {
  count(ctx, 'master/messages_kill_task');
  const task = framework.tasks.get(idOf(task_id));
  if (task === undefined) {
    count(ctx, 'master/messages_reconcile_tasks');
    return reconcileTask(ctx, framework, agent_id === undefined ? { task_id } : { task_id, agent_id });
  }
  if (agent_id !== undefined && agent_id.value !== task.agent_id.value) {
    return warn(ctx, `dropping KILL of task ${task_id.value}: it runs on agent ${task.agent_id.value}`);
  }
  const agent = agentOf(ctx, task.agent_id);
  if (agent === undefined) return;
  const ids = agent.killedTasks.get(framework.id) ?? new Set();
  agent.killedTasks.set(framework.id, ids.add(idOf(task_id)));
  if (!agent.connected) {
    return info(ctx, `task ${task_id.value} is killed when agent ${agent.id} re-registers`);
  }
  send(ctx, agent.pid, {
    name: 'KillTaskMessage',
    body: { framework_id: framework.wireId, task_id, ...(kill_policy === undefined ? {} : { kill_policy }) },
  });
}
