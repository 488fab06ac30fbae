// The re-registration of an agent: with a new master, after it was unreachable, or on a new connection.
// The registry is written only if the agent's info has changed.

import { type AgentId, type ExecutorId, type FrameworkId, idOf, type Pid, type TaskId } from '@meseta/base';
import { allocate, toPostRefinement } from '@meseta/resources';
import type {
  AgentInfo,
  ArchiveFramework,
  ExecutorInfo,
  FrameworkInfo,
  ReregisterAgentMessage,
  Resource,
  Task,
} from '@meseta/wire';
import { isTerminal } from '@meseta/wire/task-states';
import { machineKeyOf } from '../../registry/state.js';
import { type Context, count, frameworkText, info as logInfo, note, send, warn } from '../context.js';
import { sendUpdate } from '../events.js';
import { newFramework } from '../frameworks/records.js';
import type { MasterEffect } from '../io.js';
import { createMasterUpdate } from '../master-updates.js';
import { adoptOperations } from '../operation-records.js';
import { afterCommit, propose } from '../registrar.js';
import type { Agent, Framework } from '../state.js';
import { addCompletedTask, addExecutor, addTask, returnedTask } from '../tasks.js';
import { admit } from './admission.js';
import { sendDrain } from './drain.js';
import { startPings } from './ping.js';
import { agentReconnected, sendFrameworks } from './reconnect.js';
import {
  addToAllocator,
  agentIdOf,
  connectionOf,
  encodeForRegistry,
  indexAgent,
  newAgent,
  normalizeAgentInfo,
  requestReregistration,
  sendShutdown,
} from './records.js';
import { REPLACED, requestRemoval, shutDownIfMachineIsDown } from './remove.js';
import { cancelUnreachable } from './unreachable.js';

export function reregisterAgent(
  ctx: Context,
  from: Pid,
  message: ReregisterAgentMessage,
  principal: string | undefined,
): void {
  const { agents, registrar } = ctx.state;
  count(ctx, 'master/messages_reregister_slave');
  const id = agentIdOf(message.agent);
  if (id === undefined) return warn(ctx, `ignoring the re-registration of an agent at ${from}: agent.id is missing`);
  // The agent repeats its message until it is answered, which happens when the registry is written.
  if (agents.reregistering.has(id) || agents.reregisteringByPid.has(from)) return;
  if (!admit(ctx, from, message, principal).ok) return;
  const transition = agents.transitions.get(id);
  if (transition !== undefined) return warn(ctx, `ignoring the re-registration of agent ${id}: ${transition}`);
  const info = normalizeAgentInfo(message.agent, id);
  if (!isSameMachine(ctx, id, from, info)) return;
  // The pid's earlier agent has ended: it ran there before, or it is this agent, with an id from a late first registration.
  const other = agents.byPid.get(from);
  if (other !== undefined && other !== id) requestRemoval(ctx, other, REPLACED);
  agents.reregistering.set(id, { pid: from, message });
  agents.reregisteringByPid.set(from, id);
  if (agents.removed.has(id) && !agents.registered.has(id)) warn(ctx, `agent ${id} re-registers after its removal`);
  const work = { kind: 'agentReadmitted', agentId: id } as const;
  const registryInfo = encodeForRegistry(info);
  const known = registrar.projected.agents.get(id)?.info;
  if (known === registryInfo) return afterCommit(ctx, work);
  const operation =
    known === undefined
      ? ({ kind: 'markAgentReachable', agentId: id, info: registryInfo } as const)
      : ({ kind: 'updateAgent', agentId: id, info: registryInfo } as const);
  const proposed = propose(ctx, operation, work);
  if (proposed.ok) return;
  agents.reregistering.delete(id);
  agents.reregisteringByPid.delete(from);
}

/** An agent that claims the id of an agent on another machine is shut down. */
function isSameMachine(ctx: Context, id: AgentId, from: Pid, info: AgentInfo): boolean {
  const registered = ctx.state.agents.registered.get(id);
  if (registered === undefined || machineKeyOf(registered) === machineKeyOf({ info, pid: from })) return true;
  sendShutdown(ctx, from, `Agent ${id} is registered with another address or hostname`);
  return false;
}

export function agentReadmitted(ctx: Context, id: AgentId): void {
  const { agents } = ctx.state;
  const request = agents.reregistering.get(id);
  if (request === undefined) return;
  agents.reregistering.delete(id);
  agents.reregisteringByPid.delete(request.pid);
  // The agent was removed or marked as gone while the registry was written: it gets no AgentReregisteredMessage.
  if (agents.transitions.has(id)) return;
  // Another agent may have registered with this id meanwhile.
  if (!isSameMachine(ctx, id, request.pid, request.message.agent)) return;
  if (cancelUnreachable(ctx, id)) count(ctx, 'master/slave_unreachable_canceled');
  const agent = agents.registered.get(id);
  if (agent !== undefined) agentReconnected(ctx, agent, request.pid, request.message);
  else agentReturned(ctx, id, request.pid, request.message);
  count(ctx, 'master/slave_reregistrations');
}

/** As in Mesos, the re-registration time of a new record is later than its registration time: clients compare the two times. */
const CLOCK_STEP_MS = 0.001;

/** Re-registers an agent that is not registered with this master: it was recovered, unreachable, removed or unknown. */
function agentReturned(ctx: Context, id: AgentId, pid: Pid, message: ReregisterAgentMessage): void {
  const { state } = ctx;
  const wasUnreachable = state.agents.unreachable.get(id);
  const wasExpected = state.agents.recovered.has(id);
  const agent = { ...newAgent(ctx, id, pid, message), reregisteredAtMs: ctx.now.wallMs + CLOCK_STEP_MS };
  indexAgent(ctx, agent);
  for (const completed of message.completed_frameworks ?? []) addCompletedTasks(ctx, agent, completed);
  const firstEffect = ctx.effects.length;
  const recovered = recoverFrameworks(ctx, message.frameworks ?? []);
  for (const [frameworkId, taskIds] of wasUnreachable?.tasks ?? []) {
    const framework = state.frameworks.get(frameworkId);
    for (const taskId of taskIds) framework?.unreachableTasks.delete(taskId);
  }
  const returned = addReturnedTasks(ctx, agent, message.tasks ?? []);
  for (const executor of message.executor_infos ?? []) addReturnedExecutor(ctx, agent, executor);
  addToAllocator(ctx, agent);
  logInfo(ctx, `agent ${id} registered again at ${pid} (${agent.info.hostname}) with ${returned.length} tasks`);
  noteAgentAdded(ctx, id, recovered, firstEffect);
  sendDrain(ctx, agent);
  send(ctx, pid, {
    name: 'AgentReregisteredMessage',
    body: { agent_id: agent.wireId, connection: connectionOf(ctx) },
  });
  sendFrameworks(ctx, agent, message.frameworks ?? []);
  startPings(ctx, agent);
  shutDownIfMachineIsDown(ctx, agent);
  // The agent was unreachable, removed or pruned, so its frameworks were sent lost or unreachable states of its tasks.
  if (!wasExpected) sendReturnedUpdates(ctx, returned);
  if (wasUnreachable === undefined) return;
  // Duplicate of a re-registration accepted before the agent became unreachable. Operations sent since then may still
  // be applied.
  const { resourceVersion } = wasUnreachable;
  if (resourceVersion !== undefined && resourceVersion === agent.resourceVersion) requestReregistration(ctx, agent);
}

/**
 * Moves AGENT_ADDED behind the tasks of known frameworks and in front of the frameworks recovered from this agent and their
 * tasks: Mesos' order.
 */
function noteAgentAdded(
  ctx: Context,
  agentId: AgentId,
  recovered: ReadonlySet<FrameworkId>,
  firstEffect: number,
): void {
  const effects = ctx.effects.splice(firstEffect);
  const isAboutRecovered = (effect: MasterEffect): boolean =>
    effect.kind === 'note' && 'frameworkId' in effect.note && recovered.has(effect.note.frameworkId);
  const later = effects.filter(isAboutRecovered);
  for (const effect of effects) if (!isAboutRecovered(effect)) ctx.effects.push(effect);
  note(ctx, { kind: 'agentAdded', agentId });
  for (const effect of later) ctx.effects.push(effect);
}

/** Adds the frameworks that this master knows only from this agent. */
function recoverFrameworks(ctx: Context, infos: readonly FrameworkInfo[]): ReadonlySet<FrameworkId> {
  const { state } = ctx;
  const recovered = new Set<FrameworkId>();
  for (const info of infos) {
    if (info.id === undefined) continue;
    const id = idOf<FrameworkId>(info.id);
    if (state.frameworks.has(id) || state.completedFrameworks.has(id)) continue;
    const framework = newFramework({ ...info, id: { value: id } });
    state.frameworks.set(id, framework);
    state.allocator.addFramework(id, framework.info, new Map(), false);
    recovered.add(id);
    logInfo(ctx, `${frameworkText(id, info.name)} recovered from an agent`);
    note(ctx, { kind: 'frameworkAdded', frameworkId: id, framework });
  }
  adoptOperations(ctx, recovered);
  return recovered;
}

/** Adds tasks of a known framework that ended on the agent under an earlier master. */
function addCompletedTasks(ctx: Context, agent: Agent, { framework_info, tasks = [] }: ArchiveFramework): void {
  const id = framework_info.id?.value as FrameworkId | undefined;
  const framework = id === undefined ? undefined : ctx.state.frameworks.get(id);
  if (framework === undefined || tasks.length === 0) return;
  const known = new Set<string>();
  for (const { task_id } of framework.completedTasks.values()) known.add(task_id.value);
  for (const task of tasks) {
    if (known.has(task.task_id.value) || !isTerminal(task.state)) continue;
    const resources = toPostRefinement(task.resources ?? []);
    addCompletedTask(ctx, framework, returnedTask(ctx, task, { framework, agent }, resources));
  }
}

interface Returned {
  readonly framework: Framework;
  readonly task: Task;
}

function addReturnedTasks(ctx: Context, agent: Agent, tasks: readonly Task[]): Returned[] {
  const { state } = ctx;
  const returned: Returned[] = [];
  // Tasks with equal resources share one list, which is converted once.
  const converted = new Map<readonly Resource[], readonly Resource[]>();
  const convertOnce = (sent: readonly Resource[]): readonly Resource[] => {
    const shared = state.intern(sent);
    const list = converted.get(shared) ?? toPostRefinement(shared);
    converted.set(shared, list);
    return list;
  };
  for (const sent of tasks) {
    const framework = state.frameworks.get(idOf<FrameworkId>(sent.framework_id));
    if (framework === undefined) continue;
    const known = framework.tasks.get(idOf<TaskId>(sent.task_id));
    if (known !== undefined) {
      warn(ctx, `task ${sent.task_id.value} of ${framework.id} is on agent ${known.agent_id.value} and on ${agent.id}`);
      continue;
    }
    const task = returnedTask(
      ctx,
      sent,
      { framework, agent },
      allocatedOf(framework, convertOnce(sent.resources ?? [])),
    );
    framework.unreachableTasks.delete(idOf<TaskId>(sent.task_id));
    addTask(ctx, framework, agent, task);
    returned.push({ framework, task });
  }
  removeReturnedFromCompleted(returned);
  return returned;
}

/** Tasks that were completed when their agent was removed are live again. */
function removeReturnedFromCompleted(returned: readonly Returned[]): void {
  const idsIn = new Map<Framework['completedTasks'], Set<string>>();
  for (const { framework, task } of returned) {
    const ids = idsIn.get(framework.completedTasks) ?? new Set();
    idsIn.set(framework.completedTasks, ids.add(task.task_id.value));
  }
  for (const [completed, ids] of idsIn) {
    for (const ended of completed.values()) if (ids.has(ended.task_id.value)) completed.delete(ended);
  }
}

/** Agents without MULTI_ROLE send no allocation role: it is the framework's only role. */
function allocatedOf(framework: Framework, list: readonly Resource[]): readonly Resource[] {
  const role = framework.roles[0];
  const lacks = list.some((resource) => resource.allocation_info?.role === undefined);
  return lacks && role !== undefined ? allocate(list, role) : list;
}

function addReturnedExecutor(ctx: Context, agent: Agent, sent: ExecutorInfo): void {
  const id = sent.framework_id === undefined ? undefined : idOf<FrameworkId>(sent.framework_id);
  const framework = id === undefined ? undefined : ctx.state.frameworks.get(id);
  if (framework === undefined) return;
  if (agent.executors.get(framework.id)?.has(idOf<ExecutorId>(sent.executor_id)) === true) return;
  addExecutor(framework, agent, { ...sent, resources: allocatedOf(framework, toPostRefinement(sent.resources ?? [])) });
}

/** Sends the current states, which correct earlier lost and unreachable states. */
function sendReturnedUpdates(ctx: Context, returned: readonly Returned[]): void {
  for (const { framework, task } of returned) {
    const last = task.statuses?.at(-1);
    const update = createMasterUpdate(ctx, framework, task, {
      state: task.state,
      reason: 'REASON_AGENT_REREGISTERED',
      message: 'Agent is back',
      more: {
        ...(last?.healthy === undefined ? {} : { healthy: last.healthy }),
        ...(last?.container_status === undefined ? {} : { container_status: last.container_status }),
        ...(last?.check_status === undefined ? {} : { check_status: last.check_status }),
      },
    });
    sendUpdate(ctx, framework, update);
  }
}
