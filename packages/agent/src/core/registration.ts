// The agent's registration with the leading master, and its renewal.
// Mesos: docs/high-availability.md.
//
// REGISTRATION-1: messages that do not come from the detected master change nothing; only pings of its process are answered.
// REGISTRATION-2: a new id is on disk before the agent sends anything under it; an id other than its own ends the process.
// REGISTRATION-3: attempts are separated by random pauses whose bound doubles up to a minute, and the first one is delayed
//     too, so that a thousand agents don't register at once. An agent with updates that wait for an acknowledgement makes the
//     first attempt at a newly detected master at once, because frameworks wait for these.
// REGISTRATION-4: the agent registers again when a ping says that it is disconnected, when pings stop, and when the
//     connection breaks.
// REGISTRATION-5: after a restart the agent registers when its executors have subscribed, at most
//     executor_reregistration_timeout later.
// REGISTRATION-6: all attempts over a connection have one new resource version. Launches and operations with an earlier one
//     were sent before, and are dropped.
// REGISTRATION-7: the end of an executor that an outstanding re-registration names is sent again after each answer, until the
//     agent registers again: the master may have dropped the first message as one of a disconnected agent. The first answer
//     may be that of an earlier attempt while the next one is on its way.
// REGISTRATION-8: a registered agent watches its connection to the master. The connection may have broken between request
//     and answer, so an accepted registration links again.
// REGISTRATION-9: an answer registers the agent only if the agent has sent an attempt since its connection broke. The answer to
//     an earlier attempt says nothing of what the master sent before and after it: an operation that the agent ignored in
//     between would stay in the master's total, as no new attempt with the agent's own would follow.
// REGISTRATION-10: a new agent that may have missed an earlier answer re-registers as soon as it has its id: the master may have
//     sent tasks since that answer, which the agent ignored, and only a re-registration says that it lacks them.

import {
  addressOfPid,
  backoffPauseMs,
  checkId,
  type ExecutorId,
  type FrameworkId,
  idOf,
  type Pid,
  type TaskId,
} from '@meseta/base';
import { cancelTimer, setTimer } from '@meseta/base/core/timers';
import { needsCheckpoint, toPreRefinement } from '@meseta/resources';
import type {
  AgentID,
  AgentInfo,
  AgentInfoCapability,
  AgentRegisteredMessage,
  AgentReregisteredMessage,
  ExecutorInfo,
  MasterAgentConnection,
  ReconcileTasksMessage,
  Resource,
  Task,
} from '@meseta/wire';
import { taskStateFor } from '@meseta/wire/task-states';
import { randomUuidBytes } from '@meseta/wire/uuid';
import { afterCommit, save } from './checkpoint.js';
import { type Context, log, send, sendToMaster } from './context.js';
import { AGENT_KEY } from './disk-layout.js';
import { resendOperations, updateAgent } from './operations.js';
import { type AgentState, agentIdOf, isPartitionAware, newFramework, PING_TIMEOUT_MS } from './state.js';
import { enqueueStatusUpdate, pauseAll, resumeAll, statusOf } from './status-updates.js';
import { checkAgentId } from './validation.js';

const LONGEST_BACKOFF_MS = 60_000;

/** The capabilities of an agent of Mesos 1.12. */
export const CAPABILITIES: readonly AgentInfoCapability[] = (
  [
    'MULTI_ROLE',
    'HIERARCHICAL_ROLE',
    'RESERVATION_REFINEMENT',
    'RESOURCE_PROVIDER',
    'RESIZE_VOLUME',
    'AGENT_OPERATION_FEEDBACK',
    'AGENT_DRAINING',
    'TASK_RESOURCE_LIMITS',
  ] as const
).map((type) => ({ type }));

export function handleMasterDetected(ctx: Context, master: Pid | undefined): void {
  const { state } = ctx;
  noteAttemptsInDoubt(ctx);
  state.registration = { ...state.registration, master, registered: false };
  pauseAll(ctx);
  cancelTimer(ctx, { kind: 'ping' });
  cancelTimer(ctx, { kind: 'register' });
  log(ctx, 'info', master === undefined ? 'there is no leading master' : `the leading master is ${master}`);
  startRegistrationIfRecovered(ctx);
}

/** REGISTRATION-10. */
function noteAttemptsInDoubt({ state }: Context): void {
  if (agentIdOf(state) !== undefined || !state.registration.hasReported) return;
  state.registration = { ...state.registration, mayHaveMissedAnswer: true };
}

/** REGISTRATION-5: registers once no executor is waited for, so that the registration lists all that run. */
export function startRegistrationIfRecovered(ctx: Context): void {
  const { awaited, options, registration } = ctx.state;
  if (awaited.size > 0 || registration.master === undefined || options.recover !== 'reconnect') return;
  if (!registration.registered) startRegistration(ctx, hasUnacknowledged(ctx.state));
}

/** Whether updates of tasks or operations, or ends of executors, wait to be received by a master or a framework. */
const hasUnacknowledged = ({ frameworks, operations, unconfirmedExits }: AgentState): boolean =>
  operations.size > 0 ||
  unconfirmedExits.length > 0 ||
  [...frameworks.values()].some(({ streams }) => [...streams.values()].some(({ updates }) => updates.length > 0));

/** Starts to register with the leading master, after a random pause unless `isAtOnce` (REGISTRATION-3). */
function startRegistration(ctx: Context, isAtOnce = false): void {
  const { state } = ctx;
  pauseAll(ctx);
  cancelTimer(ctx, { kind: 'ping' });
  state.registration = {
    ...state.registration,
    registered: false,
    attempts: 0,
    hasReported: false,
  };
  const pause = pauseMs(state);
  setTimer(ctx, { kind: 'register' }, isAtOnce ? 0 : pause);
}

/** REGISTRATION-3. */
function pauseMs({ options, registration, random }: AgentState): number {
  const limits = { firstMs: options.registrationBackoffMs, longestMs: LONGEST_BACKOFF_MS };
  return backoffPauseMs(limits, registration.attempts, random);
}

export function sendRegistration(ctx: Context): void {
  const { state } = ctx;
  const { master, registered, attempts } = state.registration;
  if (master === undefined || registered || state.leaving !== undefined) return;
  ctx.effects.push({ kind: 'link', to: master });
  if (agentIdOf(state) === undefined) register(ctx);
  else reregister(ctx);
  state.registration = { ...state.registration, attempts: attempts + 1, hasReported: true };
  setTimer(ctx, { kind: 'register' }, pauseMs(state));
}

/** A new agent has no reservations and volumes of its own: those of an earlier one are deleted at its start. */
function register(ctx: Context): void {
  const { state } = ctx;
  sendToMaster(ctx, {
    name: 'RegisterAgentMessage',
    body: {
      agent: agentForMaster(state.info),
      version: state.options.version,
      agent_capabilities: CAPABILITIES,
      resource_version_uuid: { value: state.resourceVersion },
    },
  });
}

function reregister(ctx: Context): void {
  const { state } = ctx;
  if (!state.registration.hasReported) {
    state.resourceVersion = randomUuidBytes(state.random);
    state.unconfirmedExits = [];
    state.reportedExecutors = new Set();
  }
  // A framework that is being shut down is not listed: a new master would wait for its updates.
  const frameworks = [...state.frameworks.values()].filter((framework) => framework.state === 'running');
  const tasks = frameworks.flatMap((framework) => [...framework.tasks.values()].map(({ task }) => taskForMaster(task)));
  const kept = state.total.filter(needsCheckpoint);
  const executors = frameworks.flatMap((framework) =>
    [...framework.executors.values()].filter(({ kind, state }) => kind !== 'command' && state !== 'ended'),
  );
  for (const { containerId } of executors) state.reportedExecutors.add(containerId);
  const completed = state.completedFrameworks.map((framework) => {
    const ended = framework.completed.flatMap((it) => it.tasks.map(({ task }) => taskForMaster(task)));
    return {
      framework_info: framework.info,
      ...(framework.pid === undefined ? {} : { pid: framework.pid }),
      ...(ended.length === 0 ? {} : { tasks: ended }),
    };
  });
  sendToMaster(ctx, {
    name: 'ReregisterAgentMessage',
    body: {
      agent: agentForMaster(state.info),
      ...(tasks.length === 0 ? {} : { tasks }),
      ...(executors.length === 0 ? {} : { executor_infos: executors.map(({ info }) => executorForMaster(info)) }),
      ...(completed.length === 0 ? {} : { completed_frameworks: completed }),
      version: state.options.version,
      ...(kept.length === 0 ? {} : { checkpointed_resources: preRefinement(kept) }),
      ...(frameworks.length === 0 ? {} : { frameworks: frameworks.map(({ info }) => info) }),
      agent_capabilities: CAPABILITIES,
      resource_version_uuid: { value: state.resourceVersion },
    },
  });
}

/** The pre-refinement format, which every master reads, if it can represent the resources. */
const preRefinement = (resources: readonly Resource[]): readonly Resource[] => {
  const converted = toPreRefinement(resources);
  return converted.ok ? converted.value : resources;
};

const agentForMaster = (info: AgentInfo): AgentInfo => ({ ...info, resources: preRefinement(info.resources ?? []) });

const executorForMaster = (info: ExecutorInfo): ExecutorInfo =>
  info.resources === undefined ? info : { ...info, resources: preRefinement(info.resources) };

const taskForMaster = (task: Task): Task =>
  task.resources === undefined ? task : { ...task, resources: preRefinement(task.resources) };

export function handleRegistered(ctx: Context, message: AgentRegisteredMessage): void {
  const { state } = ctx;
  const known = agentIdOf(state);
  if (known !== undefined && known !== message.agent_id.value) {
    exitForWrongId(ctx, message.agent_id);
    return;
  }
  if (isLateResponse(ctx)) return;
  const problem = checkAgentId('agent_id', message.agent_id.value);
  if (problem !== undefined) {
    log(ctx, 'warning', `ignored a registration: ${problem}`);
    return;
  }
  acceptRegistration(ctx, message.connection);
  if (known === undefined) {
    state.info = withId(state.info, message.agent_id);
    log(ctx, 'info', `registered as agent ${message.agent_id.value}`);
    const { bootId, workDir } = state.options;
    save(ctx, AGENT_KEY, { kind: 'agent', info: state.info, bootId, workDir });
  }
  afterCommit(ctx, { kind: 'announceRegistered' });
}

export function handleReregistered(ctx: Context, message: AgentReregisteredMessage): void {
  if (agentIdOf(ctx.state) !== message.agent_id.value) {
    exitForWrongId(ctx, message.agent_id);
    return;
  }
  if (isLateResponse(ctx)) return;
  log(ctx, 'info', `registered again as agent ${message.agent_id.value}`);
  acceptRegistration(ctx, message.connection);
  afterCommit(ctx, { kind: 'announceRegistered' });
  for (const reconciliation of message.reconciliations ?? []) reconcile(ctx, reconciliation);
}

/** REGISTRATION-9. */
function isLateResponse(ctx: Context): boolean {
  if (ctx.state.registration.hasReported) return false;
  log(ctx, 'info', 'ignored an answer to a registration over an earlier connection');
  return true;
}

/** The description with the id; its fields are in the order of their numbers. */
function withId(info: AgentInfo, id: AgentID): AgentInfo {
  const { hostname, resources, attributes, checkpoint, port, domain } = info;
  return {
    hostname,
    ...(resources === undefined ? {} : { resources }),
    ...(attributes === undefined ? {} : { attributes }),
    id,
    ...(checkpoint === undefined ? {} : { checkpoint }),
    ...(port === undefined ? {} : { port }),
    ...(domain === undefined ? {} : { domain }),
  };
}

const exitForWrongId = (ctx: Context, id: AgentID): void => {
  const own = agentIdOf(ctx.state);
  const message = `the master gave the id ${id.value} to this agent, whose id is ${own}; move work_dir away to start as a new agent`;
  ctx.effects.push({ kind: 'exit', status: 1, message });
};

function acceptRegistration(ctx: Context, connection: MasterAgentConnection | undefined): void {
  const { state } = ctx;
  const { master } = state.registration;
  if (master !== undefined) ctx.effects.push({ kind: 'link', to: master });
  cancelTimer(ctx, { kind: 'register' });
  const seconds = connection?.total_ping_timeout_seconds;
  const pingTimeoutMs = seconds === undefined ? PING_TIMEOUT_MS : seconds * 1000;
  state.registration = { ...state.registration, registered: true, pingTimeoutMs };
  state.registeredWallMs = ctx.now.wallMs;
  setTimer(ctx, { kind: 'ping' }, pingTimeoutMs);
}

/** REGISTRATION-2: sends what waited for the registration. */
export function announceRegistered(ctx: Context): void {
  const { state } = ctx;
  if (!state.registration.registered) return;
  if (state.registration.mayHaveMissedAnswer) {
    log(ctx, 'info', 'registering again: tasks that were sent after an earlier answer may be lost');
    state.registration = { ...state.registration, mayHaveMissedAnswer: false };
    startRegistration(ctx);
    return;
  }
  updateAgent(ctx);
  resendExits(ctx);
  resumeAll(ctx);
  resendOperations(ctx);
}

/** REGISTRATION-7. An end is not repeated once a successor was launched, because the master would take it for that one's. */
function resendExits(ctx: Context): void {
  const { unconfirmedExits, frameworks } = ctx.state;
  for (const body of unconfirmedExits) {
    const executors = frameworks.get(idOf<FrameworkId>(body.framework_id))?.executors;
    const successor = executors?.get(idOf<ExecutorId>(body.executor_id));
    if (successor !== undefined && successor.state !== 'ended') continue;
    sendToMaster(ctx, { name: 'ExitedExecutorMessage', body });
  }
}

/** Reports the end of tasks that the master lists and this agent does not have. */
function reconcile(ctx: Context, message: ReconcileTasksMessage): void {
  const frameworkId = idOf<FrameworkId>(message.framework_id);
  const info = message.framework ?? ctx.state.frameworks.get(frameworkId)?.info;
  if (info === undefined || checkId('framework_id', frameworkId) !== undefined) return;
  for (const { task_id } of message.statuses ?? []) {
    const taskId = idOf<TaskId>(task_id);
    const known = ctx.state.frameworks.get(frameworkId);
    if (known?.tasks.has(taskId) || known?.streams.has(taskId)) continue;
    const framework = known ?? newFramework(frameworkId, info, undefined);
    ctx.state.frameworks.set(frameworkId, framework);
    enqueueStatusUpdate(
      ctx,
      framework,
      taskId,
      statusOf(ctx, taskId, {
        state: taskStateFor(isPartitionAware(info), 'TASK_DROPPED'),
        message: 'Reconciliation: task unknown to the agent',
        source: 'SOURCE_AGENT',
        reason: 'REASON_RECONCILIATION',
      }),
    );
  }
}

/** Whether the sender is in the master's process: pings come from other actors than the master's. */
export function isAtMaster({ registration: { master } }: AgentState, from: Pid): boolean {
  return master !== undefined && addressOfPid(from) === addressOfPid(master);
}

export function handlePing(ctx: Context, from: Pid, connected: boolean): void {
  send(ctx, from, { name: 'PongAgentMessage', body: {} });
  const { registration } = ctx.state;
  if (!registration.registered) return;
  setTimer(ctx, { kind: 'ping' }, registration.pingTimeoutMs);
  if (connected) return;
  log(ctx, 'warning', 'registering again: the master considers this agent disconnected');
  startRegistration(ctx);
}

export function handlePingTimeout(ctx: Context): void {
  log(ctx, 'warning', 'registering again: the pings of the master have stopped');
  startRegistration(ctx);
}

export function handlePeerLost(ctx: Context, address: string): void {
  const { master, registered } = ctx.state.registration;
  if (master === undefined || addressOfPid(master) !== address) return;
  if (!registered) {
    // The attempts over this connection may be lost.
    noteAttemptsInDoubt(ctx);
    ctx.state.registration = { ...ctx.state.registration, hasReported: false };
    return;
  }
  log(ctx, 'warning', `registering again: the connection to the master at ${address} broke`);
  startRegistration(ctx);
}

/** Deletes the agent's id, so that the next process registers as a new agent. */
export function deleteAgentRecord(ctx: Context): void {
  save(ctx, AGENT_KEY, undefined);
}
