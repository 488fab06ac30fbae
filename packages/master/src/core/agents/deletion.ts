// Deletes an agent or its tasks and executors, and reports that to the schedulers.

import type { AgentId, FrameworkId, TaskId } from '@meseta/base';
import { cancelTimer } from '@meseta/base/core/timers';
import type { Task } from '@meseta/wire';
import { isTerminal } from '@meseta/wire/task-states';
import type { Context } from '../context.js';
import { sendEvent, sendUpdate } from '../events.js';
import { unlink } from '../links.js';
import { createMasterUpdate, type MasterUpdate } from '../master-updates.js';
import { rescindInverseOffersOf, rescindOffersOf } from '../offers.js';
import { removeOperationsOf, reportLostOperations } from '../operation-records.js';
import type { Agent, Framework } from '../state.js';
import { applyUpdate, removeExecutor, removeTask } from '../tasks.js';

export interface Deletion {
  readonly updateFor: (framework: Framework, task: Task) => MasterUpdate;
  /** Where live tasks are moved to. */
  readonly moveTasksTo: 'completed' | 'unreachable';
  /** The state of its operations that is reported; undefined: they are removed without a report, as in Mesos. */
  readonly operationState: 'OPERATION_UNREACHABLE' | 'OPERATION_GONE_BY_OPERATOR' | undefined;
}

/**
 * Deletes a registered agent and returns the ids of its tasks. Schedulers get the events in Mesos' order: operations,
 * tasks, offers.
 */
export function deleteAgent(ctx: Context, agent: Agent, deletion: Deletion): Map<FrameworkId, Set<TaskId>> {
  const { state } = ctx;
  const tasks = new Map([...agent.tasks].map(([id, taskIds]) => [id, new Set(taskIds)]));
  const { operationState } = deletion;
  if (operationState !== undefined) reportLostOperations(ctx, agent, operationState);
  for (const [frameworkId, taskIds] of tasks) {
    const framework = state.frameworks.get(frameworkId);
    if (framework === undefined) continue;
    for (const taskId of taskIds) {
      const task = framework.tasks.get(taskId);
      if (task !== undefined) loseTask(ctx, framework, task, deletion);
    }
  }
  removeExecutors(ctx, agent);
  rescindOffersOf(ctx, agent);
  rescindInverseOffersOf(ctx, agent);
  const ends = { OPERATION_UNREACHABLE: 'unreachable', OPERATION_GONE_BY_OPERATOR: 'gone_by_operator' } as const;
  removeOperationsOf(ctx, agent, operationState && ends[operationState]);
  state.allocator.removeAgent(agent.id);
  for (const kind of ['ping', 'reregister', 'drained'] as const) cancelTimer(ctx, { kind, agentId: agent.id });
  state.agents.unansweredPings.delete(agent.id);
  state.removals.waiting.delete(agent.id);
  state.agents.registered.delete(agent.id);
  if (state.agents.byPid.get(agent.pid) === agent.id) {
    state.agents.byPid.delete(agent.pid);
    unlink(ctx, agent.pid);
  }
  return tasks;
}

export function loseTask(
  ctx: Context,
  framework: Framework,
  task: Task,
  { updateFor, moveTasksTo }: Pick<Deletion, 'updateFor' | 'moveTasksTo'>,
): void {
  const update = createMasterUpdate(ctx, framework, task, updateFor(framework, task));
  const after = applyUpdate(ctx, framework, task, update);
  removeTask(ctx, framework, after, isTerminal(task.state) ? 'completed' : moveTasksTo);
  sendUpdate(ctx, framework, update);
}

export function removeExecutors(ctx: Context, agent: Agent, which?: (framework: Framework) => boolean): void {
  for (const [frameworkId, executors] of [...agent.executors]) {
    const framework = ctx.state.frameworks.get(frameworkId);
    if (framework === undefined || which?.(framework) === false) continue;
    for (const executorId of [...executors.keys()]) removeExecutor(ctx, framework, agent, executorId);
  }
}

/** Sends FAILURE to every connected framework, whether it had tasks on the agent or not. */
export function sendFailure(ctx: Context, id: AgentId): void {
  const connected = [...ctx.state.frameworks.values()].filter((framework) => framework.connection !== undefined);
  if (connected.length > 0) sendEvent(ctx, connected, { type: 'FAILURE', failure: { agent_id: { value: id } } });
}
