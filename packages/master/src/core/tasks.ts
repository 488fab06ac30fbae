// Tasks and executors in the master's books: added, changed, ended. Keeps MASTER-STATE-1 and the allocator's share of it.
import { type AgentId, assert, type ExecutorId, type FrameworkId, idOf, LIMITS, type TaskId } from '@meseta/base';
import { add, type Resources } from '@meseta/resources';
import type { ExecutorInfo, FrameworkInfo, StatusUpdate, Task, TaskInfo, TaskState, TaskStatus } from '@meseta/wire';
import { withoutSecrets } from '@meseta/wire/secrets';
import { isTerminal } from '@meseta/wire/task-states';
import { type Context, note } from './context.js';
import { countFrameworkTaskEnd, countTaskEnd } from './counters.js';
import { statusOf } from './events.js';
import { addToHistory } from './history.js';
import type { Agent, Framework } from './state.js';

export interface Placed {
  readonly framework: Framework;
  readonly agent: Agent;
  readonly executor: ExecutorInfo | undefined;
}

/** A launched task as the master remembers it: its command and data stay with its agent. */
export function taskOf({ state: { intern } }: Context, info: TaskInfo, { framework, agent, executor }: Placed): Task {
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

/** Replaces a live task's record; the counts follow its state. */
function replaceTask(ctx: Context, framework: Framework, before: Task, task: Task): void {
  framework.tasks.set(idOf<TaskId>(task.task_id), task);
  if (before.state === task.state) return;
  countState(ctx, before.state, -1);
  countState(ctx, task.state, 1);
}

/**
 * Takes an update into the task's record. Its resources come free as soon as the latest state that the agent knows is
 * terminal, even if the scheduler has yet to be shown earlier ones; a terminal state never changes again.
 * `isSent`: the scheduler was sent it and acknowledges it.
 */
export function applyUpdate(
  ctx: Context,
  framework: Framework,
  task: Task,
  update: StatusUpdate,
  isSent = false,
): Task {
  const sent = isSent ? { status_update_state: update.status.state, status_update_uuid: update.uuid } : undefined;
  const { after, status } = updated(ctx, framework, task, update, sent);
  const { state } = after;
  replaceTask(ctx, framework, task, after);
  if (state === 'TASK_UNREACHABLE') countTaskEnd(ctx, { ...status, state });
  if (!isTerminal(task.state) && isTerminal(state)) {
    releaseTask(ctx, framework, after);
    countTaskEnd(ctx, { ...status, state });
  }
  return after;
}

/** Keeps an ended task for views. */
export function addCompletedTask({ state }: Context, framework: Framework, task: Task): void {
  addToHistory(framework.completedTasks, task, state.options.maxCompletedTasksPerFramework);
}

/** Ends a task that is unreachable: what it held is free already, and its end is not counted a second time. */
export function endUnreachable(ctx: Context, framework: Framework, task: Task, update: StatusUpdate): void {
  addCompletedTask(ctx, framework, updated(ctx, framework, task, update, undefined).after);
  framework.unreachableTasks.delete(idOf<TaskId>(task.task_id));
}

/** The task's record with an update taken into it, noted where operators are told of it. */
function updated(
  ctx: Context,
  framework: Framework,
  task: Task,
  update: StatusUpdate,
  sent: Pick<Task, 'status_update_state' | 'status_update_uuid'> | undefined,
): { readonly after: Task; readonly status: TaskStatus } {
  const state = isTerminal(task.state) ? task.state : (update.latest_state ?? update.status.state);
  if (state !== task.state && isTerminal(state)) countFrameworkTaskEnd(framework, state);
  const status = remembered(ctx, task, update);
  const repeats = task.statuses?.at(-1)?.state === status.state;
  const earlier = latestStatuses((repeats ? task.statuses?.slice(0, -1) : task.statuses) ?? []);
  // Spreading the task here makes V8 (of Node 20) give every record a hidden class of its own: 0.3 KB a task.
  // A spread array has room for sixteen more.
  const after: Task = Object.assign({}, task, { state, statuses: earlier.concat(status), ...sent });
  // One for every state that the agent tells, whatever is known of later ones.
  if (!repeats || isCheckResult(status)) {
    note(ctx, { kind: 'taskUpdated', frameworkId: framework.id, taskId: task.task_id.value, state, status });
  }
  return { after, status };
}

/** A task may go from state to state and back for ever: what came before the limit's last ones is forgotten. */
export const latestStatuses = <Status>(statuses: readonly Status[]): readonly Status[] =>
  statuses.length < LIMITS.statuses.most ? statuses : statuses.slice(1 - LIMITS.statuses.most);

/** The status without the framework's own data. */
function remembered(ctx: Context, task: Task, update: StatusUpdate): TaskStatus {
  const status = statusOf(update);
  if (status.data === undefined) return shareParts(ctx, task, status);
  const { data: _, ...rest } = status;
  return shareParts(ctx, task, rest);
}

/** Shares with its task and with other statuses what a status has in common with them: it is the caller's own still. */
function shareParts({ state: { intern } }: Context, task: Task, status: Mutable<TaskStatus>): TaskStatus {
  status.task_id = task.task_id;
  if (status.agent_id?.value === task.agent_id.value) status.agent_id = task.agent_id;
  if (status.executor_id?.value === task.task_id.value) status.executor_id = task.task_id;
  if (status.container_status !== undefined) status.container_status = intern(status.container_status);
  return status;
}

type Mutable<T> = { -readonly [Field in keyof T]: T[Field] };

/** A task that its agent tells of, as the master remembers it. */
export function returnedTask(
  ctx: Context,
  sent: Task,
  { framework, agent }: Pick<Placed, 'framework' | 'agent'>,
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

function releaseTask(ctx: Context, framework: Framework, task: Task): void {
  recover(ctx, framework.id, idOf<AgentId>(task.agent_id), task.resources ?? []);
}

function recover(ctx: Context, frameworkId: FrameworkId, agentId: AgentId, resources: Resources): void {
  for (const [, ofRole] of byRole(resources)) {
    ctx.state.allocator.recoverResources(frameworkId, agentId, ofRole, ctx.now.monoMs, { allocated: true });
  }
}

export function byRole(resources: Resources): Map<string, Resources> {
  const roles = new Map<string, Resources>();
  for (const resource of resources) {
    const role = resource.allocation_info?.role ?? '*';
    roles.set(role, [...(roles.get(role) ?? []), resource]);
  }
  return roles;
}

/** Takes a task off the books: one that ended, or whose agent is lost; its resources are free already. */
export function removeTask(ctx: Context, framework: Framework, task: Task, to: 'completed' | 'unreachable'): void {
  const taskId = idOf<TaskId>(task.task_id);
  const agentId = idOf<AgentId>(task.agent_id);
  assert(isTerminal(task.state) || to === 'unreachable', `task ${taskId} ends before it is removed`);
  framework.tasks.delete(taskId);
  framework.acknowledged.delete(taskId);
  const agent = ctx.state.agents.registered.get(agentId);
  if (agent !== undefined) {
    deleteFrom(agent.tasks, framework.id, taskId);
    deleteFrom(agent.killedTasks, framework.id, taskId);
  }
  countState(ctx, task.state, -1);
  if (to === 'completed') addCompletedTask(ctx, framework, task);
  else keepUnreachable(ctx, framework, taskId, task);
}

function deleteFrom(ids: Map<FrameworkId, Set<TaskId>>, frameworkId: FrameworkId, taskId: TaskId): void {
  const ofFramework = ids.get(frameworkId);
  ofFramework?.delete(taskId);
  if (ofFramework?.size === 0) ids.delete(frameworkId);
}

function keepUnreachable(ctx: Context, framework: Framework, taskId: TaskId, task: Task): void {
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

/** False if it isn't known. */
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

/** What tasks that are not terminal and executors hold on an agent, by framework. */
export function usedOn(ctx: Context, agent: Agent): Map<FrameworkId, Resources> {
  const used = new Map<FrameworkId, Resources>();
  const take = (frameworkId: FrameworkId, resources: Resources | undefined): void => {
    if (resources === undefined) return;
    const before = used.get(frameworkId);
    used.set(frameworkId, before === undefined ? resources : add(before, resources));
  };
  for (const [frameworkId, taskIds] of agent.tasks) {
    const tasks = ctx.state.frameworks.get(frameworkId)?.tasks;
    for (const taskId of taskIds) {
      const task = tasks?.get(taskId);
      if (task !== undefined && !isTerminal(task.state)) take(frameworkId, task.resources);
    }
  }
  for (const [frameworkId, executors] of agent.executors) {
    for (const executor of executors.values()) take(frameworkId, executor.resources);
  }
  return used;
}

/** What a framework holds on all agents, by agent. */
export function usedBy(framework: Framework): Map<AgentId, Resources> {
  const used = new Map<AgentId, Resources>();
  const take = (agentId: AgentId, resources: Resources | undefined): void => {
    if (resources !== undefined) used.set(agentId, add(used.get(agentId) ?? [], resources));
  };
  for (const task of framework.tasks.values()) {
    if (!isTerminal(task.state)) take(idOf<AgentId>(task.agent_id), task.resources);
  }
  for (const [agentId, executors] of framework.executors) {
    for (const executor of executors.values()) take(agentId, executor.resources);
  }
  return used;
}

export const hasCapability = (info: FrameworkInfo, type: string): boolean =>
  (info.capabilities ?? []).some((capability) => capability.type === type);
