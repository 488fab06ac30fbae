// The re-registration of a registered agent, whose connection broke or whose process was restarted.
// Tasks that only the master knows are sent to the agent, which reports them as dropped. Tasks and executors that only the
// agent knows are killed, because their framework has been sent TASK_LOST for them (Mesos lets them run on unnoticed).

import { type ExecutorId, type FrameworkId, idOf, type Pid, type TaskId } from '@meseta/base';
import { cancelTimer } from '@meseta/base/core/timers';
import { equals, merge, toPostRefinement } from '@meseta/resources';
import type { AgentInfo, FrameworkInfo, ReconcileTasksMessage, ReregisterAgentMessage, TaskStatus } from '@meseta/wire';
import { isTerminal, taskStateFor } from '@meseta/wire/task-states';
import { type Context, info as logInfo, send, timestampOf } from '../context.js';
import { pidForAgents } from '../frameworks/records.js';
import { link, unlink } from '../links.js';
import { rescindOffersOf } from '../offers.js';
import { hasPendingOperations } from '../operation-records.js';
import { type Agent, isPartitionAware } from '../state.js';
import { removeExecutor } from '../tasks.js';
import { sendDrain } from './drain.js';
import { startPings } from './ping.js';
import {
  capabilitiesOf,
  capabilitySet,
  changeAgent,
  connectionOf,
  normalizeAgentInfo,
  shareInfo,
  totalOf,
} from './records.js';

export function agentReconnected(ctx: Context, before: Agent, pid: Pid, message: ReregisterAgentMessage): void {
  const repeated = isRepeated(before, pid, message);
  const agent = applyReregistration(ctx, before, pid, message, repeated);
  cancelTimer(ctx, { kind: 'reregister', agentId: agent.id });
  if (!repeated) removeMissingExecutors(ctx, agent, message);
  logInfo(ctx, `agent ${agent.id} registered again at ${pid} (${agent.info.hostname})`);
  const reconciliations = reconciliationsFor(ctx, agent, message);
  send(ctx, pid, {
    name: 'AgentReregisteredMessage',
    body: {
      agent_id: agent.wireId,
      ...(reconciliations.length === 0 ? {} : { reconciliations }),
      connection: connectionOf(ctx),
    },
  });
  sendDrain(ctx, agent);
  sendFrameworks(ctx, agent, message.frameworks ?? []);
  killUnknownTasks(ctx, agent, message);
  shutDownUnknownExecutors(ctx, agent, message);
  repeatKills(ctx, agent, message);
  startPings(ctx, agent);
}

/** Repeats kills, which may have been lost with the connection, without their kill policies. */
function repeatKills(ctx: Context, agent: Agent, message: ReregisterAgentMessage): void {
  for (const { framework_id, task_id, state } of message.tasks ?? []) {
    const killed = agent.killedTasks.get(idOf<FrameworkId>(framework_id))?.has(idOf<TaskId>(task_id)) === true;
    if (!killed || isTerminal(state)) continue;
    send(ctx, agent.pid, { name: 'KillTaskMessage', body: { framework_id, task_id } });
  }
}

/** Shuts down frameworks that have ended since the agent's last message, and sends the info and the pid of the others. */
export function sendFrameworks(ctx: Context, agent: Agent, frameworks: readonly FrameworkInfo[]): void {
  for (const { id } of frameworks) {
    if (id === undefined) continue;
    const framework = ctx.state.frameworks.get(idOf<FrameworkId>(id));
    if (framework === undefined) {
      send(ctx, agent.pid, { name: 'ShutdownFrameworkMessage', body: { framework_id: id } });
    } else {
      send(ctx, agent.pid, {
        name: 'UpdateFrameworkMessage',
        body: { framework_id: framework.wireId, pid: pidForAgents(framework), framework_info: framework.info },
      });
    }
  }
}

/** Kills tasks without checkpointing that the master marked lost when the connection broke, and that the agent still runs. */
function killUnknownTasks(ctx: Context, agent: Agent, message: ReregisterAgentMessage): void {
  for (const { framework_id, task_id, state } of message.tasks ?? []) {
    const framework = ctx.state.frameworks.get(idOf<FrameworkId>(framework_id));
    if (framework === undefined || framework.tasks.has(idOf<TaskId>(task_id)) || isTerminal(state)) continue;
    send(ctx, agent.pid, { name: 'KillTaskMessage', body: { framework_id, task_id } });
  }
}

/** Shuts down executors without checkpointing, whose resources the master released when the connection broke. */
function shutDownUnknownExecutors(ctx: Context, agent: Agent, message: ReregisterAgentMessage): void {
  for (const { framework_id, executor_id } of message.executor_infos ?? []) {
    if (framework_id === undefined || !ctx.state.frameworks.has(idOf<FrameworkId>(framework_id))) continue;
    const known = agent.executors.get(idOf<FrameworkId>(framework_id))?.has(idOf<ExecutorId>(executor_id)) === true;
    if (!known) send(ctx, agent.pid, { name: 'ShutdownExecutorMessage', body: { executor_id, framework_id } });
  }
}

/**
 * Whether the message is a retry of a re-registration that was accepted. The agent sent it before it received any later
 * message, so what it reports is out of date.
 */
const isRepeated = (before: Agent, pid: Pid, { resource_version_uuid }: ReregisterAgentMessage): boolean =>
  before.connected &&
  !before.reregisteredWithOperationsInFlight &&
  before.pid === pid &&
  before.resourceVersion !== undefined &&
  before.resourceVersion === resource_version_uuid?.value;

function applyReregistration(
  ctx: Context,
  before: Agent,
  pid: Pid,
  message: ReregisterAgentMessage,
  repeated: boolean,
): Agent {
  const { state, now } = ctx;
  const info = shareInfo(ctx, normalizeAgentInfo(message.agent, before.id));
  if (before.pid !== pid) {
    state.agents.byPid.delete(before.pid);
    unlink(ctx, before.pid);
  }
  state.agents.byPid.set(pid, before.id);
  const agent = changeAgent(ctx, before, {
    info,
    pid,
    version: message.version ?? before.version,
    capabilities: capabilitySet(ctx, message.agent_capabilities ?? []),
    reregisteredAtMs: now.wallMs,
    connected: true,
    ...(repeated ? {} : reportedResources(ctx, before, info, message)),
  });
  link(ctx, pid);
  // Resources in offers may not exist on the agent, because an operation did not reach it.
  if (!equals(before.totalResources, agent.totalResources)) rescindOffersOf(ctx, agent);
  state.allocator.updateAgent(agent.id, {
    info,
    capabilities: capabilitiesOf(ctx, agent),
    total: agent.totalResources,
  });
  if (!before.connected && !agent.deactivated) state.allocator.activateAgent(agent.id);
  return agent;
}

/** The reported resources. The agent drops operations in flight that were based on an earlier resource version. */
function reportedResources(
  ctx: Context,
  before: Agent,
  info: AgentInfo,
  message: ReregisterAgentMessage,
): Partial<Agent> {
  const checkpointedResources = merge(toPostRefinement(message.checkpointed_resources ?? []));
  const resourceVersion = message.resource_version_uuid?.value;
  return {
    checkpointedResources,
    totalResources: totalOf(info, checkpointedResources, before.oversubscribedResources),
    resourceVersion,
    // Mesos' agents keep their version while their process runs, so they may still apply the operations, or have done so.
    reregisteredWithOperationsInFlight: resourceVersion === before.resourceVersion && hasPendingOperations(ctx, before),
  };
}

function removeMissingExecutors(ctx: Context, agent: Agent, message: ReregisterAgentMessage): void {
  const alive = new Set<string>();
  for (const { framework_id, executor_id } of message.executor_infos ?? []) {
    alive.add(`${framework_id?.value} ${executor_id.value}`);
  }
  for (const [frameworkId, executors] of [...agent.executors]) {
    const framework = ctx.state.frameworks.get(frameworkId);
    if (framework === undefined) continue;
    for (const executorId of [...executors.keys()]) {
      if (!alive.has(`${frameworkId} ${executorId}`)) removeExecutor(ctx, framework, agent, executorId);
    }
  }
}

function reconciliationsFor(ctx: Context, agent: Agent, message: ReregisterAgentMessage): ReconcileTasksMessage[] {
  const known = new Map<FrameworkId, Set<TaskId>>();
  for (const task of message.tasks ?? []) {
    const frameworkId = idOf<FrameworkId>(task.framework_id);
    const ids = known.get(frameworkId) ?? new Set();
    known.set(frameworkId, ids.add(idOf<TaskId>(task.task_id)));
  }
  const messages: ReconcileTasksMessage[] = [];
  for (const [frameworkId, taskIds] of agent.tasks) {
    const framework = ctx.state.frameworks.get(frameworkId);
    const missing = [...taskIds].filter((id) => known.get(frameworkId)?.has(id) !== true);
    if (framework === undefined || missing.length === 0) continue;
    const statuses = missing.map(
      (id): TaskStatus => ({
        task_id: { value: id },
        state: taskStateFor(isPartitionAware(framework), 'TASK_DROPPED'),
        message: 'Reconciliation: Task is unknown to the agent',
        agent_id: agent.wireId,
        timestamp: timestampOf(ctx),
        source: 'SOURCE_MASTER',
        reason: 'REASON_RECONCILIATION',
      }),
    );
    messages.push({ framework_id: framework.wireId, statuses, framework: framework.info });
  }
  return messages;
}
