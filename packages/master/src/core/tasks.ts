// The records of tasks and executors: added, updated, removed, with their resources in the allocator. Keeps MASTER-STATE-1.
import { type AgentId, assert, type ExecutorId, type FrameworkId, idOf, LIMITS, type TaskId } from '@meseta/base';
import { merge, type Resources } from '@meseta/resources';
import type { ExecutorInfo, Resource, StatusUpdate, Task, TaskInfo, TaskState, TaskStatus } from '@meseta/wire';
import { withoutSecrets } from '@meseta/wire/secrets';
import { isTerminal } from '@meseta/wire/task-states';
import { type Context, note } from './context.js';
import { countFrameworkTaskEnd, countTaskEnd } from './counters.js';
import { statusOf } from './events.js';
import { addToHistory } from './history.js';
import type { Agent, Framework } from './state.js';

export interface Placement {
  readonly framework: Framework;
  readonly agent: Agent;
  readonly executor: ExecutorInfo | undefined;
}

/** The record of a launched task, without its command and data: only the agent needs them. */
export function taskOf(
  { state: { intern } }: Context,
  info: TaskInfo,
  { framework, agent, executor }: Placement,
): Task {
  const user = info.command?.user ?? info.executor?.command?.user;
  return {
    name: info.name,
    task_id: info.task_id,
    framework_id: framework.wireId,
    ...(executor === undefined ? {} : { executor_id: executor.executor_id }),
    agent_id: agent.wireId,
    state: 'TASK_STAGING',
    resources: intern(info.resources ?? []),
    ...(info.labels === undefined ? {} : { labels: intern(info.labels) }),
    ...(info.discovery === undefined ? {} : { discovery: info.discovery }),
    ...(info.container === undefined ? {} : { container: intern(withoutSecrets(info.container)) }),
    ...(user === undefined ? {} : { user }),
    ...(info.health_check === undefined ? {} : { health_check: intern(withoutSecrets(info.health_check)) }),
    ...(info.kill_policy === undefined ? {} : { kill_policy: intern(info.kill_policy) }),
    ...(info.limits === undefined ? {} : { limits: intern(info.limits) }),
  };
}

export function addTask(ctx: Context, framework: Framework, agent: Agent, task: Task): void {
  const taskId = idOf<TaskId>(task.task_id);
  framework.tasks.set(taskId, task);
  const ids = agent.tasks.get(framework.id) ?? new Set();
  agent.tasks.set(framework.id, ids.add(taskId));
  countState(ctx, task.state, 1);
  if (isTerminal(task.state)) countFrameworkTaskEnd(framework, task.state);
  note(ctx, { kind: 'taskAdded', frameworkId: framework.id, taskId });
}

const countState = (ctx: Context, state: TaskState, by: number): void => {
  const { taskCounts } = ctx.state;
  taskCounts.set(state, (taskCounts.get(state) ?? 0) + by);
};

/** Replaces a live task's record and updates the counts by state. */
function replaceTask(ctx: Context, framework: Framework, before: Task, task: Task): void {
  framework.tasks.set(idOf<TaskId>(task.task_id), task);
  if (before.state === task.state) return;
  countState(ctx, before.state, -1);
  countState(ctx, task.state, 1);
}

/**
 * Applies an update to the task's record. The resources are released as soon as the agent's latest state is terminal, even
 * if the scheduler has not received the earlier states. A terminal state never changes again.
 * `isSent`: the update was sent to the scheduler, which will acknowledge it.
 */
export function applyUpdate(
  ctx: Context,
  framework: Framework,
  task: Task,
  update: StatusUpdate,
  isSent = false,
): Task {
  const sent = isSent ? { status_update_state: update.status.state, status_update_uuid: update.uuid } : undefined;
  const { after, status } = withUpdate(ctx, framework, task, update, sent);
  const { state } = after;
  replaceTask(ctx, framework, task, after);
  if (state === 'TASK_UNREACHABLE') countTaskEnd(ctx, { ...status, state });
  if (!isTerminal(task.state) && isTerminal(state)) {
    releaseTaskResources(ctx, framework, after);
    countTaskEnd(ctx, { ...status, state });
  }
  return after;
}

/** Keeps a completed task for views. */
export function addCompletedTask({ state }: Context, framework: Framework, task: Task): void {
  const { completedTasks, acknowledgedOfCompleted } = framework;
  addToHistory(completedTasks, task, state.options.maxCompletedTasksPerFramework);
  // Both are in the order in which the tasks were completed.
  for (const oldest of acknowledgedOfCompleted.keys()) {
    if (completedTasks.has(oldest)) return;
    acknowledgedOfCompleted.delete(oldest);
  }
}

/** Ends an unreachable task. Its resources were released and its end was counted when it became unreachable. */
export function endUnreachable(ctx: Context, framework: Framework, task: Task, update: StatusUpdate): void {
  addCompletedTask(ctx, framework, withUpdate(ctx, framework, task, update, undefined).after);
  framework.unreachableTasks.delete(idOf<TaskId>(task.task_id));
}

/** The task's record with an update applied; notes the change for operators' streams. */
function withUpdate(
  ctx: Context,
  framework: Framework,
  task: Task,
  update: StatusUpdate,
  sent: Pick<Task, 'status_update_state' | 'status_update_uuid'> | undefined,
): { readonly after: Task; readonly status: TaskStatus } {
  const state = isTerminal(task.state) ? task.state : (update.latest_state ?? update.status.state);
  if (state !== task.state && isTerminal(state)) countFrameworkTaskEnd(framework, state);
  const status = recordedStatus(ctx, task, update);
  const repeats = task.statuses?.at(-1)?.state === status.state;
  const earlier = latestStatuses((repeats ? task.statuses?.slice(0, -1) : task.statuses) ?? []);
  // Object.assign and concat save memory: with a spread, V8 (Node 20) gives every record its own hidden class (0.3 KB), and
  // an array capacity for sixteen more elements.
  const after: Task = Object.assign({}, task, { state, statuses: earlier.concat(status), ...sent });
  // One note for every reported state, even if a later state is known.
  if (!repeats || isCheckResult(status)) {
    note(ctx, { kind: 'taskUpdated', frameworkId: framework.id, taskId: task.task_id.value, state, status });
  }
  return { after, status };
}

/** Keeps the most recent statuses, because a task may change its state without end. */
export const latestStatuses = <Status>(statuses: readonly Status[]): readonly Status[] =>
  statuses.length < LIMITS.statuses.most ? statuses : statuses.slice(1 - LIMITS.statuses.most);

/** The status as it is recorded: without the framework's data. */
function recordedStatus(ctx: Context, task: Task, update: StatusUpdate): TaskStatus {
  const status = statusOf(update);
  if (status.data === undefined) return shareParts(ctx, task, status);
  const { data: _, ...rest } = status;
  return shareParts(ctx, task, rest);
}

/** Shares equal parts of a new status with its task and with other statuses; changes the status. */
function shareParts({ state: { intern } }: Context, task: Task, status: Mutable<TaskStatus>): TaskStatus {
  status.task_id = task.task_id;
  if (status.agent_id?.value === task.agent_id.value) status.agent_id = task.agent_id;
  if (status.executor_id?.value === task.task_id.value) status.executor_id = task.task_id;
  if (status.container_status !== undefined) status.container_status = intern(status.container_status);
  return status;
}

type Mutable<T> = { -readonly [Field in keyof T]: T[Field] };

/** The record of a task that an agent reports at its re-registration. */
export function returnedTask(
  ctx: Context,
  sent: Task,
  { framework, agent }: Pick<Placement, 'framework' | 'agent'>,
  resources: Resources,
): Task {
  const { intern } = ctx.state;
  const { statuses, labels, container, health_check } = sent;
  const task: Mutable<Task> = Object.assign({}, sent);
  task.framework_id = framework.wireId;
  task.agent_id = agent.wireId;
  task.resources = intern(resources);
  if (statuses !== undefined) task.statuses = statuses.map((it) => shareParts(ctx, task, Object.assign({}, it)));
  if (labels !== undefined) task.labels = intern(labels);
  if (container !== undefined) task.container = intern(withoutSecrets(container));
  if (health_check !== undefined) task.health_check = withoutSecrets(health_check);
  return task;
}

const isCheckResult = ({ reason }: TaskStatus): boolean =>
  reason === 'REASON_TASK_CHECK_STATUS_UPDATED' || reason === 'REASON_TASK_HEALTH_CHECK_STATUS_UPDATED';

function releaseTaskResources(ctx: Context, framework: Framework, task: Task): void {
  recover(ctx, framework.id, idOf<AgentId>(task.agent_id), task.resources ?? []);
}

function recover(ctx: Context, frameworkId: FrameworkId, agentId: AgentId, resources: Resources): void {
  for (const [, ofRole] of byRole(resources)) {
    ctx.state.allocator.recoverResources(frameworkId, agentId, ofRole, ctx.now.monoMs, { allocated: true });
  }
}

export function byRole(resources: Resources): ReadonlyMap<string, Resources> {
  const roles = new Map<string, Resource[]>();
  for (const resource of resources) {
    const role = resource.allocation_info?.role ?? '*';
    const list = roles.get(role);
    if (list === undefined) roles.set(role, [resource]);
    else list.push(resource);
  }
  return roles;
}

/** Removes a task that has ended or whose agent is unreachable. Its resources have been released. */
export function removeTask(ctx: Context, framework: Framework, task: Task, to: 'completed' | 'unreachable'): void {
  const taskId = idOf<TaskId>(task.task_id);
  const agentId = idOf<AgentId>(task.agent_id);
  assert(isTerminal(task.state) || to === 'unreachable', `task ${taskId} ends before it is removed`);
  const acknowledged = framework.acknowledged.get(taskId) ?? [];
  framework.tasks.delete(taskId);
  framework.acknowledged.delete(taskId);
  const agent = ctx.state.agents.registered.get(agentId);
  if (agent !== undefined) {
    deleteFrom(agent.tasks, framework.id, taskId);
    deleteFrom(agent.killedTasks, framework.id, taskId);
  }
  countState(ctx, task.state, -1);
  if (to === 'unreachable') return addUnreachableTask(ctx, framework, taskId, task);
  addCompletedTask(ctx, framework, task);
  const uuids = new Set(task.statuses?.map(({ uuid }) => uuid));
  const missing = acknowledged.filter((uuid) => !uuids.has(uuid));
  if (missing.length > 0 && framework.completedTasks.has(task)) framework.acknowledgedOfCompleted.set(task, missing);
}

function deleteFrom(ids: Map<FrameworkId, Set<TaskId>>, frameworkId: FrameworkId, taskId: TaskId): void {
  const ofFramework = ids.get(frameworkId);
  ofFramework?.delete(taskId);
  if (ofFramework?.size === 0) ids.delete(frameworkId);
}

function addUnreachableTask(ctx: Context, framework: Framework, taskId: TaskId, task: Task): void {
  framework.unreachableTasks.set(taskId, task);
  if (framework.unreachableTasks.size <= ctx.state.options.maxUnreachableTasksPerFramework) return;
  for (const oldest of framework.unreachableTasks.keys()) {
    framework.unreachableTasks.delete(oldest);
    return;
  }
}

export function addExecutor(framework: Framework, agent: Agent, executor: ExecutorInfo): void {
  const executorId = idOf<ExecutorId>(executor.executor_id);
  const onAgent = agent.executors.get(framework.id) ?? new Map();
  agent.executors.set(framework.id, onAgent.set(executorId, executor));
  const ofFramework = framework.executors.get(agent.id) ?? new Map();
  framework.executors.set(agent.id, ofFramework.set(executorId, executor));
}

/** Returns false if the executor is unknown. */
export function removeExecutor(ctx: Context, framework: Framework, agent: Agent, executorId: ExecutorId): boolean {
  const onAgent = agent.executors.get(framework.id);
  const executor = onAgent?.get(executorId);
  if (executor === undefined || onAgent === undefined) return false;
  onAgent.delete(executorId);
  if (onAgent.size === 0) agent.executors.delete(framework.id);
  const ofFramework = framework.executors.get(agent.id);
  ofFramework?.delete(executorId);
  if (ofFramework?.size === 0) framework.executors.delete(agent.id);
  recover(ctx, framework.id, agent.id, executor.resources ?? []);
  return true;
}

/** The lists of resources of live tasks and of executors on an agent. */
export function* usesOnAgent(
  ctx: Context,
  agent: Agent,
): Generator<{ readonly id: FrameworkId; readonly resources: Resources }> {
  for (const [id, taskIds] of agent.tasks) {
    const tasks = ctx.state.frameworks.get(id)?.tasks;
    for (const taskId of taskIds) {
      const task = tasks?.get(taskId);
      if (task?.resources !== undefined && !isTerminal(task.state)) yield { id, resources: task.resources };
    }
  }
  for (const [id, executors] of agent.executors) {
    for (const { resources } of executors.values()) if (resources !== undefined) yield { id, resources };
  }
}

/**
 * The resources of live tasks and of executors on an agent, by framework. The lists of a framework are merged at once: an agent
 * may have thousands of tasks with a range of ports each.
 */
export function usedOnAgent(ctx: Context, agent: Agent): Map<FrameworkId, Resources> {
  const lists = new Map<FrameworkId, Resources[]>();
  for (const { id, resources } of usesOnAgent(ctx, agent)) {
    const known = lists.get(id);
    if (known === undefined) lists.set(id, [resources]);
    else known.push(resources);
  }
  return new Map([...lists].map(([id, list]) => [id, list.length === 1 ? (list[0] as Resources) : merge(list.flat())]));
}
