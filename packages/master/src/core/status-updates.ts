// Forwards status updates from agents to schedulers, and acknowledgements back.
// An agent resends an update until it is acknowledged, so an update for a disconnected framework may be dropped.
//
// UPDATES-1: an acknowledged update of a task in `tasks` or in the history is not sent to the scheduler again. If the agent
//     resends it because it lost the acknowledgement (it ended before reading or checkpointing it), the master acknowledges.
// UPDATES-2: an update of a task that this master knows only on other agents is dropped. An update of an unknown task is
//     forwarded, because the master keeps only the most recent completed tasks.
import { type AgentId, type FrameworkId, idOf, type Pid, type TaskId } from '@meseta/base';
import type { SchedulerCallAcknowledge, StatusUpdateMessage } from '@meseta/wire';
import { isTerminal } from '@meseta/wire/task-states';
import { isUuid } from '@meseta/wire/uuid';
import { completeDrainIfEmpty } from './agents/drain.js';
import { type Context, count, info, send, warn } from './context.js';
import { sendUpdate } from './events.js';
import { agentOf } from './offers.js';
import type { Agent, Framework } from './state.js';
import { applyUpdate, removeTask } from './tasks.js';

/** Forwards an agent's update, then applies it to the task's record. */
export function statusUpdate(ctx: Context, from: Pid, { update, pid }: StatusUpdateMessage): void {
  const { state } = ctx;
  count(ctx, 'master/messages_status_update');
  const agentId = update.agent_id === undefined ? undefined : idOf<AgentId>(update.agent_id);
  const what = `${update.status.state} of task ${update.status.task_id.value} of framework ${update.framework_id.value}`;
  const ignore = (why: string): void => {
    warn(ctx, `ignoring ${what} from ${from}: ${why}`);
    count(ctx, 'master/invalid_status_updates');
  };
  if (agentId === undefined) return ignore('it names no agent');
  const agent = state.agents.registered.get(agentId);
  if (agent === undefined) {
    return ignore(`agent ${agentId} ${state.agents.removed.has(agentId) ? 'was removed' : 'is unknown'}`);
  }
  if (agent.pid !== from) return ignore(`agent ${agentId} is at ${agent.pid}`);
  if (!isUuid(update.uuid ?? '')) return ignore('it has no uuid');
  const framework = state.frameworks.get(idOf<FrameworkId>(update.framework_id));
  if (framework === undefined) return ignore('the framework is unknown');
  const taskId = idOf<TaskId>(update.status.task_id);
  if (update.uuid !== undefined && wasAcknowledged(framework, taskId, update.uuid)) {
    info(ctx, `${what} was acknowledged before: agent ${agentId} gets the acknowledgement again`);
    count(ctx, framework.tasks.has(taskId) ? 'master/valid_status_updates' : 'master/invalid_status_updates');
    return sendAcknowledgement(ctx, framework, agent, { task_id: update.status.task_id, uuid: update.uuid });
  }
  if (isOnlyOnOtherAgents(framework, taskId, agentId)) return ignore('the task is on another agent');
  const isSent = sendUpdate(ctx, framework, update, (pid ?? from) as Pid);
  if (!isSent) {
    info(ctx, `${what} waits at its agent: the framework is not connected`);
  }
  const task = framework.tasks.get(taskId);
  if (task === undefined) return ignore('the task is unknown');
  applyUpdate(ctx, framework, task, update, isSent);
  count(ctx, isSent ? 'master/valid_status_updates' : 'master/invalid_status_updates');
}

/** UPDATES-2. The ids of completed tasks may be reused, so the history matters only if it has no such task on this agent. */
function isOnlyOnOtherAgents(framework: Framework, taskId: TaskId, agentId: AgentId): boolean {
  const known = framework.tasks.get(taskId) ?? framework.unreachableTasks.get(taskId);
  if (known !== undefined) return known.agent_id.value !== agentId;
  let others = 0;
  for (const { task_id, agent_id } of framework.completedTasks.values()) {
    if (task_id.value !== taskId) continue;
    if (agent_id.value === agentId) return false;
    others++;
  }
  return others > 0;
}

/** How many acknowledgements are kept per task: as many as its agent may lose with one checkpoint. */
const ACKNOWLEDGEMENTS_KEPT = 32;

/**
 * UPDATES-1. The statuses of a live task are not looked at: an agent that re-registers also lists statuses that are queued behind
 * the one that it sends.
 */
function wasAcknowledged(framework: Framework, taskId: TaskId, uuid: string): boolean {
  if (framework.acknowledged.get(taskId)?.includes(uuid) === true) return true;
  if (framework.tasks.has(taskId)) return false;
  for (const task of framework.completedTasks.values()) {
    const { task_id, statuses = [] } = task;
    // A last status without a uuid is one of the master, for a task whose agent was removed.
    if (task_id.value !== taskId || statuses.at(-1)?.uuid === undefined) continue;
    if (statuses.some((status) => status.uuid === uuid)) return true;
    if (framework.acknowledgedOfCompleted.get(task)?.includes(uuid) === true) return true;
  }
  return false;
}

/** The scheduler acknowledges an update. The task of a terminal update is removed from `tasks`. */
export function acknowledge(
  ctx: Context,
  framework: Framework,
  { agent_id, task_id, uuid }: SchedulerCallAcknowledge,
): void {
  count(ctx, 'master/messages_status_update_acknowledgement');
  const agent = agentOf(ctx, agent_id);
  if (agent === undefined || !agent.connected) {
    count(ctx, 'master/invalid_status_update_acknowledgements');
    return warn(ctx, `dropping an acknowledgement for agent ${agent_id.value}, which is not connected`);
  }
  const task = framework.tasks.get(idOf<TaskId>(task_id));
  if (task?.agent_id.value === agent.id && task.status_update_state === undefined) {
    count(ctx, 'master/invalid_status_update_acknowledgements');
    return warn(ctx, `dropping an acknowledgement of task ${task_id.value}: its scheduler was sent no update of it`);
  }
  const sent =
    task?.agent_id.value === agent.id && task.status_update_uuid === uuid ? task.status_update_state : undefined;
  if (task !== undefined && !wasAcknowledged(framework, idOf<TaskId>(task_id), uuid)) {
    const before = framework.acknowledged.get(idOf<TaskId>(task_id)) ?? [];
    framework.acknowledged.set(idOf<TaskId>(task_id), [...before.slice(1 - ACKNOWLEDGEMENTS_KEPT), uuid]);
  }
  if (task !== undefined && sent !== undefined && isTerminal(sent)) {
    removeTask(ctx, framework, task, 'completed');
    completeDrainIfEmpty(ctx, agent.id);
  }
  sendAcknowledgement(ctx, framework, agent, { task_id, uuid });
  count(ctx, 'master/valid_status_update_acknowledgements');
}

function sendAcknowledgement(
  ctx: Context,
  framework: Framework,
  agent: Agent,
  { task_id, uuid }: Pick<SchedulerCallAcknowledge, 'task_id' | 'uuid'>,
): void {
  send(ctx, agent.pid, {
    name: 'StatusUpdateAcknowledgementMessage',
    body: { agent_id: agent.wireId, framework_id: framework.wireId, task_id, uuid },
  });
}
