// Nested and standalone containers, which are launched by calls. A standalone container has no parent; the parent of a
// nested one is the container of a task or of an executor, or another of them. Operators debug tasks in nested containers,
// executors run parts of their tasks in them. Mesos: docs/operator-http-api.md, docs/standalone-container.md,
// docs/nested-container-and-task-group.md.
//
// Owns `AgentState.nestedContainers`, keyed by the ids from the outermost container to the nested one, and `nestedPaths`,
// its index. "Nested" in a name means both kinds.
// NESTED-1: the record is on disk before the container is launched; the container outlives a restart of the agent.
// NESTED-2: the exit status of a nested container is kept until it is removed or the outermost container has ended; that
//     of a standalone one is reported once.
// NESTED-3: when a container ends, the containers nested in it are destroyed.
// NESTED-4: the id of a container that has ended can be used again.
// NESTED-5: no nested container gets the id of the container of a task or executor, whatever its state: it would have the
//     same sandbox, and the same nested containers.
// NESTED-6: the number of containers in one outermost container is limited, and so is that of standalone containers.
// NESTED-7: a container that a session call launched does not outlive its client: one that an earlier process of the agent
//     launched is destroyed.
import { type ContainerId, overLimit, uuid } from '@meseta/base';
import type {
  Capabilities,
  ContainerEnd,
  ContainerEvent,
  ContainerSpec,
  PersistentVolume,
  RecoveredContainer,
} from '@meseta/containers/types';
import { isPersistentVolume, isRevocable, isUnreserved, validateResources } from '@meseta/resources';
import type { AgentCall, CommandInfo, ContainerID, ContainerInfo, Resource } from '@meseta/wire';
import { afterCommit, save } from './checkpoint.js';
import type { Context } from './context.js';
import { nestedContainerKey, nestedSandboxPath } from './disk-layout.js';
import {
  DEFAULT_PATH,
  type Environment,
  environmentOfRun,
  executorEnvironment,
  unresolvedVariable,
  variablesOf,
} from './environment.js';
import { executorOf, userOf } from './executors.js';
import { SIGKILL } from './exit-status.js';
import type { AttachableContainer, ConnectionId, NestedContainerRecord } from './io.js';
import { endNested, forgetNested, outermost, pathOf, putNested, signalContainer } from './nested-records.js';
import { findMissingLimit } from './resource-limits.js';
import { type TaskRun, taskOfRun, taskRunOf } from './runs.js';
import { agentIdOf, type NestedContainer, type WaitingCall } from './state.js';
import { checkContainerCall, containerIdOf } from './validation.js';
import { persistentVolumes } from './volumes.js';
import { replyToWait } from './waiting-calls.js';

/** What a nested container inherits from its parent. */
interface Inherited {
  /** The parent; undefined: it has none. */
  readonly containerId: ContainerId | undefined;
  readonly sandbox: string;
  readonly user: string | undefined;
  readonly environment: Environment;
  /** The persistent volumes in the parent's sandbox. */
  readonly volumes: readonly PersistentVolume[];
}

interface LaunchRequest {
  readonly container_id: ContainerID;
  readonly command?: CommandInfo | undefined;
  readonly container?: ContainerInfo | undefined;
  readonly resources?: readonly Resource[] | undefined;
  readonly limits?: ContainerSpec['limits'];
}

export function handleContainerCall(ctx: Context, connection: ConnectionId, call: AgentCall): void {
  const problem = checkContainerCall(call);
  if (problem !== undefined) {
    reply(ctx, connection, 400, problem);
    return;
  }
  const launch = call.launch_container ?? call.launch_nested_container ?? call.launch_nested_container_session;
  if (launch !== undefined) {
    launchNested(ctx, connection, launch, call.launch_nested_container_session !== undefined);
    return;
  }
  const wait = call.wait_container ?? call.wait_nested_container;
  const kill = call.kill_container ?? call.kill_nested_container;
  const remove = call.remove_container ?? call.remove_nested_container;
  const id = containerIdOf(call);
  if (id === undefined) return;
  const nested = ctx.state.nestedContainers.get(pathOf(id));
  if (remove !== undefined) removeNested(ctx, connection, id, nested);
  else if (kill !== undefined) killContainer(ctx, connection, id, nested, kill.signal ?? SIGKILL);
  else if (wait !== undefined)
    handleWait(ctx, id, nested, { connection, isNested: call.wait_nested_container !== undefined });
  else attach(ctx, connection, id, nested);
}

/** Mesos' command line knows it by this text. */
const NOT_ATTACHABLE = 'I/O switchboard server was disabled for this container';

/** Mesos knows the containers of executors that run; a failure of its containerizer is a 500. */
function attach(ctx: Context, connection: ConnectionId, id: ContainerID, nested: NestedContainer | undefined): void {
  if (!ctx.state.runs.has(outermost(id) as ContainerId)) return replyUnknownContainer(ctx, connection, id);
  const found = nested === undefined ? attachableRun(ctx, id) : attachableNested(nested.record);
  if (found === undefined) reply(ctx, connection, 500, `Unknown container ${pathOf(id)}`);
  else if (found === 'disabled') reply(ctx, connection, 500, NOT_ATTACHABLE);
  else ctx.effects.push({ kind: 'callReply', connection, status: 200, text: '', container: found });
}

type Attachable = AttachableContainer | 'disabled' | undefined;

function attachableNested({ state, isSession, hasTerminal, containerId, sandbox }: NestedContainerRecord): Attachable {
  if (state !== 'running') return undefined;
  return isSession || hasTerminal ? { containerId, sandbox } : 'disabled';
}

/** The container of a task or of an executor: it is attached to if it has a terminal. */
function attachableRun(ctx: Context, id: ContainerID): Attachable {
  const containerId = findRun(ctx, id);
  if (containerId === undefined) return undefined;
  const run = taskRunOf(ctx, containerId);
  if (run !== undefined) {
    const terminal = taskOfRun(run.framework, run.run)?.info.container?.tty_info;
    return terminal === undefined ? 'disabled' : { containerId, sandbox: run.run.sandbox };
  }
  const executor = executorOf(ctx, containerId)?.executor;
  if (executor === undefined || executor.kind === 'default') return executor && 'disabled';
  return executor.info.container?.tty_info === undefined ? 'disabled' : { containerId, sandbox: executor.sandbox };
}

function handleWait(ctx: Context, id: ContainerID, nested: NestedContainer | undefined, call: WaitingCall): void {
  const containerId = nested === undefined ? findRun(ctx, id) : undefined;
  if (nested === undefined ? containerId === undefined : isEndReported(nested)) {
    return replyUnknownContainer(ctx, call.connection, id);
  }
  const waiting = nested?.waiting ?? ctx.state.waitingForRuns.get(containerId as ContainerId) ?? [];
  const excess = overLimit('waitingCalls', 'calls that wait for the container', waiting.length + 1);
  if (excess !== undefined) return reply(ctx, call.connection, 500, excess);
  if (nested === undefined) {
    ctx.state.waitingForRuns.set(containerId as ContainerId, [...waiting, call]);
    return;
  }
  putNested(ctx, { ...nested, waiting: [...waiting, call] });
  replyToWaiting(ctx, pathOf(id));
}

/** Forgets the WAIT call of a client that has disconnected: it uses up neither the limit nor the exit status (NESTED-2). */
export function handleContainerCallClosed(ctx: Context, connection: ConnectionId, id: ContainerID): void {
  const isOther = (call: WaitingCall): boolean => call.connection !== connection;
  const nested = ctx.state.nestedContainers.get(pathOf(id));
  if (nested !== undefined) putNested(ctx, { ...nested, waiting: nested.waiting.filter(isOther) });
  const containerId = id.value as ContainerId;
  const waiting = ctx.state.waitingForRuns.get(containerId);
  if (waiting !== undefined) ctx.state.waitingForRuns.set(containerId, waiting.filter(isOther));
}

function replyUnknownContainer(ctx: Context, connection: ConnectionId, id: ContainerID): void {
  reply(ctx, connection, 404, `Field 'container_id': no container ${JSON.stringify(pathOf(id))} is here`);
}

/** NESTED-2: a standalone container whose end was reported. */
const isEndReported = ({ record }: NestedContainer): boolean => record.state === 'ended' && record.status === undefined;

function killContainer(
  ctx: Context,
  connection: ConnectionId,
  id: ContainerID,
  nested: NestedContainer | undefined,
  signal: number,
): void {
  const containerId = nested === undefined ? findRun(ctx, id) : nested.record.containerId;
  if (containerId === undefined || nested?.record.state === 'ended') return replyUnknownContainer(ctx, connection, id);
  signalContainer(ctx, containerId, signal);
  reply(ctx, connection, 200, '');
}

/** The running container of a task or executor with this id and these parents. */
function findRun(ctx: Pick<Context, 'state'>, id: ContainerID): ContainerId | undefined {
  const { value, parent } = id;
  const containerId = value as ContainerId;
  const task = taskRunOf(ctx, containerId)?.run;
  if (task !== undefined) return isIdOf(task, id) && task.state === 'running' ? containerId : undefined;
  const executor = executorOf(ctx, containerId)?.executor;
  const isExecutors = executor?.containerId === containerId && parent === undefined;
  return isExecutors && executor.state !== 'ended' ? containerId : undefined;
}

/** Whether it is the id of the task's container: with the executor's as parent for a task of a pod, else without one. */
const isIdOf = (task: TaskRun, { value, parent }: ContainerID): boolean =>
  task.containerId === value &&
  parent?.value === (task.kind === 'podTask' ? task.parent : undefined) &&
  parent?.parent === undefined;

/** NESTED-5. */
function isIdTaken(ctx: Context, id: ContainerID): boolean {
  const containerId = id.value as ContainerId;
  if (id.parent === undefined) return ctx.state.runs.has(containerId);
  const task = taskRunOf(ctx, containerId)?.run;
  return task !== undefined && isIdOf(task, id);
}

function reply(ctx: Context, connection: ConnectionId, status: 200 | 202 | 400 | 404 | 500, text: string): void {
  ctx.effects.push({ kind: 'callReply', connection, status, text });
}

function launchNested(ctx: Context, connection: ConnectionId, request: LaunchRequest, isSession: boolean): void {
  const id = request.container_id;
  const known = ctx.state.nestedContainers.get(pathOf(id));
  if (isIdTaken(ctx, id) || (known !== undefined && known.record.state !== 'ended')) {
    reply(ctx, connection, 202, '');
    return;
  }
  const impossible = impossiblePart(request, ctx.state.options.capabilities);
  if (impossible !== undefined) {
    reply(ctx, connection, 400, impossible);
    return;
  }
  if (ctx.state.diskShortage !== undefined) {
    reply(ctx, connection, 500, `Failed to launch container: ${ctx.state.diskShortage}`);
    return;
  }
  const inherited = inheritedOf(ctx, id);
  if (inherited === undefined) {
    reply(ctx, connection, 400, "Field 'container_id.parent': no such container runs here");
    return;
  }
  const record: NestedContainerRecord = {
    id,
    containerId: uuid(ctx.state.random) as ContainerId,
    sandbox: nestedSandboxPath(inherited.sandbox, id.value as ContainerId),
    user: userIn(ctx, inherited, request.command),
    ...(isSession && { isSession }),
    ...(request.container?.tty_info !== undefined && { hasTerminal: true }),
    resources: request.resources ?? [],
    state: 'launching',
    pid: undefined,
    status: undefined,
  };
  if (known !== undefined) forgetNested(ctx, known);
  const excess = makeRoom(ctx, id);
  if (excess !== undefined) {
    reply(ctx, connection, 500, `Failed to launch container: ${excess}`);
    return;
  }
  putNested(ctx, { record, launching: connection, waiting: [] });
  save(ctx, nestedContainerKey(pathOf(id)), { kind: 'nestedContainer', nestedContainer: record });
  // NESTED-1.
  const spec = specOf(record, inherited, request);
  afterCommit(ctx, { kind: 'launchNested', spec });
}

/** NESTED-6: forgets the oldest ended container of the same outermost one, or returns the limit that the launch exceeds. */
function makeRoom(ctx: Context, id: ContainerID): string | undefined {
  const isBeside = ({ record }: NestedContainer): boolean =>
    id.parent === undefined
      ? record.id.parent === undefined
      : record.id.parent !== undefined && outermost(record.id) === outermost(id);
  const beside = [...ctx.state.nestedContainers.values()].filter(isBeside);
  const excess = overLimit('nestedContainers', 'containers', beside.length + 1);
  if (excess === undefined) return undefined;
  const oldestEnded = beside.find(({ record, waiting }) => record.state === 'ended' && waiting.length === 0);
  if (oldestEnded === undefined) return excess;
  forgetNested(ctx, oldestEnded);
  // The sandbox of a nested container is removed with the one around it.
  const { containerId, sandbox } = oldestEnded.record;
  if (id.parent === undefined) ctx.effects.push({ kind: 'removeSandbox', containerId, path: sandbox });
  return undefined;
}

/** Why the launch is not possible on this agent; undefined if it may be. */
function impossiblePart(
  { container_id: { parent }, command, container, resources = [], limits }: LaunchRequest,
  capabilities: Capabilities,
): string | undefined {
  const variable = unresolvedVariable(command);
  if (variable !== undefined) return `command.environment: ${variable}`;
  const valid = validateResources(resources, 'resources');
  if (!valid.ok) return valid.error.text;
  if (resources.some(isPersistentVolume)) return 'resources: expected no volumes';
  if (parent === undefined && resources.some((it) => !isUnreserved(it) || isRevocable(it))) {
    return 'resources: expected neither reserved nor revocable resources for a container without a parent';
  }
  if (parent?.parent !== undefined && resources.length > 0) {
    return 'resources: must not be set for containers nested at the second level or deeper';
  }
  if (parent === undefined && container?.linux_info?.share_cgroups === true) {
    return 'container.linux_info.share_cgroups: must not be true for a container without a parent';
  }
  if (parent?.parent !== undefined && container?.linux_info?.share_cgroups === false) {
    return 'container.linux_info.share_cgroups: must not be false for containers nested at the second level or deeper';
  }
  const missing = findMissingLimit(capabilities, limits);
  return missing === undefined ? undefined : `limits: ${missing}`;
}

const userIn = (
  { state }: Pick<Context, 'state'>,
  inherited: Inherited,
  command: CommandInfo | undefined,
): string | undefined => (state.options.switchUser ? (command?.user ?? inherited.user) : undefined);

/** The user of a command that is launched under this id: its own, or that of its parent. */
export function userOfLaunch(
  agent: Pick<Context, 'state'>,
  id: ContainerID,
  command: CommandInfo | undefined,
): string | undefined {
  const inherited = inheritedOf(agent, id);
  return inherited === undefined ? command?.user : userIn(agent, inherited, command);
}

const specOf = (
  { containerId, sandbox, resources, user, isSession }: NestedContainerRecord,
  inherited: Inherited,
  request: LaunchRequest,
): ContainerSpec => ({
  containerId,
  sandbox,
  user,
  command: request.command ?? {},
  environment: {
    ...inherited.environment,
    ...(isSession ? {} : { MESOS_SANDBOX: sandbox }),
    ...variablesOf(request.command),
  },
  uris: request.command?.uris ?? [],
  rlimits: request.container?.rlimit_info,
  resources,
  container: request.container,
  volumes: [],
  ...(request.limits === undefined ? {} : { limits: request.limits }),
  outer: inherited.containerId && {
    containerId: inherited.containerId,
    sandbox: inherited.sandbox,
    volumes: inherited.volumes,
  },
  ...(isSession && { isSession }),
});

/** What a container with this id inherits; undefined if its parent does not run. */
function inheritedOf(ctx: Pick<Context, 'state'>, { parent }: ContainerID): Inherited | undefined {
  const { options, nestedContainers } = ctx.state;
  const bare = { user: undefined, environment: { PATH: DEFAULT_PATH }, volumes: [] };
  const volumesOf = (...lists: readonly (readonly Resource[] | undefined)[]): readonly PersistentVolume[] =>
    persistentVolumes(
      options.workDir,
      lists.flatMap((list) => list ?? []),
    );
  if (parent === undefined) return { ...bare, containerId: undefined, sandbox: options.workDir };
  const nested = nestedContainers.get(pathOf(parent))?.record;
  if (nested !== undefined) {
    const user = nested.user ?? inheritedOf(ctx, parent)?.user;
    const { containerId, sandbox } = nested;
    const environment = { ...bare.environment, MESOS_SANDBOX: sandbox };
    return nested.state === 'running' ? { ...bare, containerId, user, environment, sandbox } : undefined;
  }
  const containerId = findRun(ctx, parent);
  if (containerId === undefined) return undefined;
  const run = taskRunOf(ctx, containerId);
  const task = run && taskOfRun(run.framework, run.run);
  if (run !== undefined && task !== undefined) {
    return {
      containerId,
      sandbox: run.run.sandbox,
      user: userOf(ctx, run.framework.info, task.info.command),
      environment: environmentOfRun(ctx.state, run.framework, run.run, task.info),
      volumes: volumesOf(task.info.resources),
    };
  }
  const found = executorOf(ctx, containerId);
  if (found === undefined) return undefined;
  const { framework, executor } = found;
  return {
    containerId,
    sandbox: executor.sandbox,
    user: userOf(ctx, framework.info, executor.info.command),
    environment: executorEnvironment(options, agentIdOf(ctx.state) ?? '', framework.info, executor),
    volumes: volumesOf(executor.info.resources),
  };
}

/** Removes an ended container. One that is unknown was removed before, if its outermost container still exists. */
function removeNested(
  ctx: Context,
  connection: ConnectionId,
  id: ContainerID,
  nested: NestedContainer | undefined,
): void {
  if (findRun(ctx, id) !== undefined || (nested !== undefined && nested.record.state !== 'ended')) {
    reply(ctx, connection, 500, 'The container has not ended yet');
    return;
  }
  if (id.parent !== undefined && !isRunning(ctx, { value: outermost(id) })) {
    reply(ctx, connection, 500, `No container '${outermost(id)}' is here`);
    return;
  }
  const within = [...ctx.state.nestedContainers.values()].filter(({ record }) => isIn(pathOf(id), record.id));
  if (within.some(({ record }) => record.state !== 'ended')) {
    reply(ctx, connection, 500, 'A container that is nested in it has not ended yet');
    return;
  }
  for (const inner of within) forgetNested(ctx, inner);
  if (nested !== undefined) {
    forgetNested(ctx, nested);
    ctx.effects.push({ kind: 'removeSandbox', containerId: nested.record.containerId, path: nested.record.sandbox });
  }
  reply(ctx, connection, 200, '');
}

const isIn = (path: string, id: ContainerID): boolean => pathOf(id).startsWith(`${path}/`);

/** Whether the container exists and has not ended. */
function isRunning(ctx: Pick<Context, 'state'>, id: ContainerID): boolean {
  const nested = ctx.state.nestedContainers.get(pathOf(id));
  return nested === undefined ? ctx.state.runs.has(id.value as ContainerId) : nested.record.state !== 'ended';
}

function replyToWaiting(ctx: Context, path: string): void {
  const nested = ctx.state.nestedContainers.get(path);
  if (nested?.record.status === undefined) return;
  const { status, limitation } = nested.record;
  for (const call of nested.waiting) replyToWait(ctx, call, { status, limitation });
  if (nested.waiting.length === 0) return;
  const isReported = nested.record.id.parent === undefined;
  const record = isReported ? { ...nested.record, status: undefined } : nested.record;
  putNested(ctx, { ...nested, record, waiting: [] });
  if (isReported) save(ctx, nestedContainerKey(path), { kind: 'nestedContainer', nestedContainer: record });
}

/** Handles the event of a nested or standalone container; false if it is the event of another one. */
export function handleNestedContainerEvent(ctx: Context, event: ContainerEvent): boolean {
  const nested = ctx.state.nestedContainers.get(ctx.state.nestedPaths.get(event.containerId) ?? '');
  if (nested === undefined) return false;
  const { launching, ...rest } = nested;
  switch (event.kind) {
    case 'started': {
      const { pid, networks } = event;
      const shared = networks === undefined ? {} : { networks };
      const record: NestedContainerRecord = { ...nested.record, ...shared, state: 'running', pid };
      putNested(ctx, { ...rest, record });
      save(ctx, nestedContainerKey(pathOf(record.id)), { kind: 'nestedContainer', nestedContainer: record });
      if (launching === undefined) return true;
      const { containerId, sandbox } = record;
      const container = { containerId, sandbox };
      ctx.effects.push({ kind: 'callReply', connection: launching, status: 200, text: '', container });
      return true;
    }
    case 'launchFailed':
      if (launching !== undefined) reply(ctx, launching, 400, `Failed to launch container: ${event.message}`);
      recordEnd(ctx, { ...rest, record: nested.record }, { status: { kind: 'unknown' } });
      if (nested.record.id.parent === undefined) forgetNested(ctx, nested);
      return true;
    case 'exited':
      recordEnd(ctx, nested, event);
      return true;
  }
}

function recordEnd(ctx: Context, nested: NestedContainer, { status, limitation }: ContainerEnd): void {
  const limited = limitation === undefined ? {} : { limitation };
  const record: NestedContainerRecord = { ...nested.record, state: 'ended', status, ...limited };
  putNested(ctx, { ...nested, record });
  save(ctx, nestedContainerKey(pathOf(record.id)), { kind: 'nestedContainer', nestedContainer: record });
  replyToWaiting(ctx, pathOf(record.id));
  // NESTED-2, NESTED-3.
  const { parent } = record.id;
  endNested(ctx, (id) => isIn(pathOf(record.id), id), parent === undefined);
  const { nestedContainers } = ctx.state;
  if (
    parent !== undefined &&
    nestedContainers.has(pathOf(record.id)) &&
    !isRunning(ctx, { value: outermost(parent) })
  ) {
    forgetNested(ctx, { record, waiting: [] });
  }
}

/** Adds the record of a container that an earlier process of this agent launched. */
export function restoreNested(ctx: Context, record: NestedContainerRecord): void {
  putNested(ctx, { record, waiting: [] });
}

export function matchNested(ctx: Context, found: ReadonlyMap<ContainerId, RecoveredContainer>): void {
  for (const nested of [...ctx.state.nestedContainers.values()]) {
    if (nested.record.state === 'ended') continue;
    const { containerId, id } = nested.record;
    const container = found.get(containerId);
    if (container?.state !== 'running') {
      recordEnd(ctx, nested, container ?? { status: { kind: 'unknown' } });
      continue;
    }
    putNested(ctx, { ...nested, record: { ...nested.record, state: 'running', pid: container.pid } });
    // NESTED-7; NESTED-3: the parent ended while no agent ran, or is in no record.
    const { isSession } = nested.record;
    if (isSession || (id.parent !== undefined && !isRunning(ctx, id.parent)))
      signalContainer(ctx, containerId, SIGKILL);
  }
}
