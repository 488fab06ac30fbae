// How the agent joins a master and stays with it.
// Mesos: docs/high-availability.md.
//
// REGISTRATION-1: messages of anyone but the detected master change nothing, and only pings of its process are answered.
// REGISTRATION-2: a new id is on disk before the agent announces itself under it; another id than its own ends the
//     process.
// REGISTRATION-3: tries are spaced by random pauses whose bound doubles up to a minute, from a random start, so that a
//     thousand agents don't come at once.
// REGISTRATION-4: the agent registers anew when told that it is not connected, when pings stop, and when the connection
//     breaks.
// REGISTRATION-5: after a restart it waits for the executors that it had, at most executor_reregistration_timeout.
// REGISTRATION-6: a re-registration has a resource version of its own, the same for all tries over a connection.
//     Launches and operations that were sent on the strength of an earlier one are late, and dropped.
// REGISTRATION-7: the exit of an executor that a re-registration on its way still names is sent again on each answer, until
//     the agent registers anew: the master may have dropped the first message, as from an agent that was not back yet. The
//     first answer may be to an earlier try, with the next one still on its way.
// REGISTRATION-8: a registered agent watches its connection to the master. The one that it watched may have broken
//     between the request and its answer, so an accepted registration watches again.

import { addressOfPid, backoffPauseMs, checkId, type ExecutorId, type FrameworkId, idOf, type Pid } from '@meseta/base';
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
import { afterCommit, save } from './checkpoint.js';
import { type Context, log, send, sendToMaster } from './context.js';
import { AGENT_KEY } from './disk-layout.js';
import { resendOperations, updateAgent } from './operations.js';
import { type AgentState, agentIdOf, isPartitionAware, newFramework, PING_TIMEOUT_MS } from './state.js';
import { enqueueStatusUpdate, pauseAll, resumeAll, statusOf } from './status-updates.js';
import { uuidBytes } from './uuid.js';
import { checkAgentId } from './validation.js';

const LONGEST_BACKOFF_MS = 60_000;

/** What this agent understands of Mesos' protocol, as an agent of Mesos 1.12 announces it. */
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

export function masterDetected(ctx: Context, master: Pid | undefined): void {
  const { state } = ctx;
  state.registration = { ...state.registration, master, registered: false };
  pauseAll(ctx);
  cancelTimer(ctx, { kind: 'ping' });
  cancelTimer(ctx, { kind: 'register' });
  log(ctx, 'info', master === undefined ? 'no master leads' : `the leading master is ${master}`);
  joinIfRecovered(ctx);
}

/** REGISTRATION-5: the executors of before are back, or given up; so the master can rely on what it is told. */
export function joinIfRecovered(ctx: Context): void {
  const { awaited, config, registration } = ctx.state;
  if (awaited.size > 0 || registration.master === undefined || config.recover !== 'reconnect') return;
  if (!registration.registered) join(ctx);
}

/** Begins to register with the leading master, after a random pause (REGISTRATION-3). */
function join(ctx: Context): void {
  const { state } = ctx;
  pauseAll(ctx);
  cancelTimer(ctx, { kind: 'ping' });
  state.registration = { ...state.registration, registered: false, attempts: 0, told: false };
  setTimer(ctx, { kind: 'register' }, pauseMs(state));
}

/** REGISTRATION-3. */
function pauseMs({ config, registration, random }: AgentState): number {
  const limits = { firstMs: config.registrationBackoffMs, longestMs: LONGEST_BACKOFF_MS };
  return backoffPauseMs(limits, registration.attempts, random);
}

export function tryToRegister(ctx: Context): void {
  const { state } = ctx;
  const { master, registered, attempts } = state.registration;
  if (master === undefined || registered || state.leaving !== undefined) return;
  ctx.effects.push({ kind: 'link', to: master });
  if (agentIdOf(state) === undefined) register(ctx);
  else reregister(ctx);
  state.registration = { ...state.registration, attempts: attempts + 1, told: true };
  setTimer(ctx, { kind: 'register' }, pauseMs(state));
}

function register(ctx: Context): void {
  const { state } = ctx;
  const kept = state.total.filter(needsCheckpoint);
  sendToMaster(ctx, {
    name: 'RegisterAgentMessage',
    body: {
      agent: announced(state.info),
      version: state.config.version,
      ...(kept.length === 0 ? {} : { checkpointed_resources: preRefinement(kept) }),
      agent_capabilities: CAPABILITIES,
      resource_version_uuid: { value: state.resourceVersion },
    },
  });
}

function reregister(ctx: Context): void {
  const { state } = ctx;
  if (!state.registration.told) {
    state.resourceVersion = uuidBytes(state.random);
    state.exitsSinceReregistration = [];
    state.namedExecutors = new Set();
  }
  // Of one that is being shut down nothing is told any more: a new master must not wait for it.
  const frameworks = [...state.frameworks.values()].filter((framework) => framework.state === 'running');
  const tasks = frameworks.flatMap((framework) => [...framework.tasks.values()].map(({ task }) => taskForMaster(task)));
  const kept = state.total.filter(needsCheckpoint);
  const executors = frameworks.flatMap((framework) =>
    [...framework.executors.values()].filter(({ kind, state }) => kind !== 'command' && state !== 'ended'),
  );
  for (const { containerId } of executors) state.namedExecutors.add(containerId);
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
      agent: announced(state.info),
      ...(tasks.length === 0 ? {} : { tasks }),
      ...(executors.length === 0 ? {} : { executor_infos: executors.map(({ info }) => executorForMaster(info)) }),
      ...(completed.length === 0 ? {} : { completed_frameworks: completed }),
      version: state.config.version,
      ...(kept.length === 0 ? {} : { checkpointed_resources: preRefinement(kept) }),
      ...(frameworks.length === 0 ? {} : { frameworks: frameworks.map(({ info }) => info) }),
      agent_capabilities: CAPABILITIES,
      resource_version_uuid: { value: state.resourceVersion },
    },
  });
}

/** The older format where it can say it, which any master reads. */
const preRefinement = (resources: readonly Resource[]): readonly Resource[] => {
  const converted = toPreRefinement(resources);
  return converted.ok ? converted.value : resources;
};

const announced = (info: AgentInfo): AgentInfo => ({ ...info, resources: preRefinement(info.resources ?? []) });

const executorForMaster = (info: ExecutorInfo): ExecutorInfo =>
  info.resources === undefined ? info : { ...info, resources: preRefinement(info.resources) };

const taskForMaster = (task: Task): Task =>
  task.resources === undefined ? task : { ...task, resources: preRefinement(task.resources) };

export function registered(ctx: Context, message: AgentRegisteredMessage): void {
  const { state } = ctx;
  const known = agentIdOf(state);
  if (known !== undefined && known !== message.agent_id.value) {
    refuseId(ctx, message.agent_id);
    return;
  }
  const problem = checkAgentId('agent_id', message.agent_id.value);
  if (problem !== undefined) {
    log(ctx, 'warning', `ignored a registration: ${problem}`);
    return;
  }
  accepted(ctx, message.connection);
  if (known === undefined) {
    state.info = withId(state.info, message.agent_id);
    log(ctx, 'info', `registered as agent ${message.agent_id.value}`);
    const { bootId, workDir } = state.config;
    save(ctx, AGENT_KEY, { kind: 'agent', info: state.info, bootId, workDir });
  }
  afterCommit(ctx, { kind: 'announceRegistered' });
}

export function reregistered(ctx: Context, message: AgentReregisteredMessage): void {
  if (agentIdOf(ctx.state) !== message.agent_id.value) {
    refuseId(ctx, message.agent_id);
    return;
  }
  log(ctx, 'info', `registered again as agent ${message.agent_id.value}`);
  accepted(ctx, message.connection);
  afterCommit(ctx, { kind: 'announceRegistered' });
  for (const reconciliation of message.reconciliations ?? []) reconcile(ctx, reconciliation);
}

/** The fields in the order of their numbers. */
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

const refuseId = (ctx: Context, id: AgentID): void => {
  const own = agentIdOf(ctx.state);
  const message = `the master gave the id ${id.value} to this agent, whose id is ${own}; move work_dir away to start anew`;
  ctx.effects.push({ kind: 'exit', status: 1, message });
};

function accepted(ctx: Context, connection: MasterAgentConnection | undefined): void {
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

/** REGISTRATION-2: the agent tells what it has, and what waited for a master goes out. */
export function announceRegistered(ctx: Context): void {
  if (!ctx.state.registration.registered) return;
  updateAgent(ctx);
  repeatExits(ctx);
  resumeAll(ctx);
  resendOperations(ctx);
}

/** REGISTRATION-7. A successor was launched on the strength of the end that is repeated, and must not be taken for it. */
function repeatExits(ctx: Context): void {
  const { exitsSinceReregistration, frameworks } = ctx.state;
  for (const body of exitsSinceReregistration) {
    const executors = frameworks.get(idOf<FrameworkId>(body.framework_id))?.executors;
    const successor = executors?.get(idOf<ExecutorId>(body.executor_id));
    if (successor !== undefined && successor.state !== 'ended') continue;
    sendToMaster(ctx, { name: 'ExitedExecutorMessage', body });
  }
}

/** The master believes in tasks that aren't here: their end is told. */
function reconcile(ctx: Context, message: ReconcileTasksMessage): void {
  const frameworkId = message.framework_id.value as never;
  const info = message.framework ?? ctx.state.frameworks.get(frameworkId)?.info;
  if (info === undefined || checkId('framework_id', frameworkId) !== undefined) return;
  for (const { task_id } of message.statuses ?? []) {
    const taskId = task_id.value as never;
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

/** Pings come from actors of their own beside the master's. */
export function isAtMaster({ registration: { master } }: AgentState, from: Pid): boolean {
  return master !== undefined && addressOfPid(from) === addressOfPid(master);
}

export function pinged(ctx: Context, from: Pid, connected: boolean): void {
  send(ctx, from, { name: 'PongAgentMessage', body: {} });
  const { registration } = ctx.state;
  if (!registration.registered) return;
  setTimer(ctx, { kind: 'ping' }, registration.pingTimeoutMs);
  if (connected) return;
  log(ctx, 'warning', 'the master says that this agent is not connected: it registers anew');
  join(ctx);
}

export function pingsStopped(ctx: Context): void {
  log(ctx, 'warning', 'no ping of the master for too long: the agent registers anew');
  join(ctx);
}

export function peerLost(ctx: Context, address: string): void {
  const { master, registered: joined } = ctx.state.registration;
  if (master === undefined || addressOfPid(master) !== address) return;
  if (!joined) {
    // What its tries told may be void by now.
    ctx.state.registration = { ...ctx.state.registration, told: false };
    return;
  }
  log(ctx, 'warning', `the connection to the master at ${address} broke: the agent registers anew`);
  join(ctx);
}

/** The master wants the agent gone: it forgets its id, so that it comes back as a new one. */
export function forgetId(ctx: Context): void {
  save(ctx, AGENT_KEY, undefined);
}
