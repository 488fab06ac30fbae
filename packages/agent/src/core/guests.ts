// Containers that are launched by a call: standalone ones, and those nested in a task's, an executor's or another such.
// Operators look into tasks with them, executors run parts of their tasks in them. Mesos: docs/operator-http-api.md,
// docs/standalone-container.md, docs/nested-container-and-task-group.md.
//
// Owns `AgentState.guests`, by the ids in the chain from the outermost container.
// GUESTS-1: a guest is on disk before it is launched; it outlives a restart of the agent, as all containers do.
// GUESTS-2: one that has ended is kept, with its status, until it is removed or its parent is gone.
// GUESTS-3: when a container ends, what is nested in it is destroyed.
import { type ContainerId, uuid } from '@meseta/base';
import type { ContainerEvent, ContainerSpec, ExitStatus, RecoveredContainer } from '@meseta/containers/types';
import { isPersistentVolume, isUnreserved } from '@meseta/resources';
import type { AgentCall, CommandInfo, ContainerID, ContainerInfo, Resource } from '@meseta/wire';
import {
  DEFAULT_PATH,
  type Environment,
  environmentOfRun,
  executorEnvironment,
  unresolvedVariable,
  variablesOf,
} from './environment.js';
import { executorOf, userOf } from './executors.js';
import { endNested, forgetGuest, pathOf, putGuest, signalGuest } from './guest-records.js';
import type { ConnectionId, GuestRecord } from './io.js';
import { guestKey, memberSandboxPath } from './keys.js';
import { NO_LIMITS } from './launch.js';
import { checkContainerCall } from './names.js';
import { taskOfRun, taskRunOf } from './runs.js';
import { SIGKILL, waitStatusOf } from './signals.js';
import { agentIdOf, type Guest } from './state.js';
import { type Step, save } from './step.js';
import { sandboxLinks } from './volumes.js';

/** Where a guest lives. */
interface Place {
  readonly sandbox: string;
  readonly user: string | undefined;
  readonly environment: Environment;
}

interface LaunchWish {
  readonly container_id: ContainerID;
  readonly command?: CommandInfo | undefined;
  readonly container?: ContainerInfo | undefined;
  readonly resources?: readonly Resource[] | undefined;
  readonly limits?: { readonly [resource: string]: unknown } | undefined;
}

export function containerCall(step: Step, connection: ConnectionId, call: AgentCall): void {
  const problem = checkContainerCall(call);
  if (problem !== undefined) {
    reply(step, connection, 400, problem);
    return;
  }
  const launch = call.launch_container ?? call.launch_nested_container ?? call.launch_nested_container_session;
  if (launch !== undefined) {
    launchGuest(step, connection, launch);
    return;
  }
  const wait = call.wait_container ?? call.wait_nested_container;
  const kill = call.kill_container ?? call.kill_nested_container;
  const remove = call.remove_container ?? call.remove_nested_container;
  const id = (wait ?? kill ?? remove ?? call.attach_container_output)?.container_id;
  const guest = id && step.state.guests.get(pathOf(id));
  if (id === undefined || guest === undefined) {
    // What isn't there is removed already.
    if (remove !== undefined) reply(step, connection, 200, '');
    else reply(step, connection, 404, `Field 'container_id': no container ${JSON.stringify(id && pathOf(id))} is here`);
  } else if (wait !== undefined) {
    const waiting = { connection, nested: call.wait_nested_container !== undefined };
    putGuest(step, { ...guest, waiting: [...guest.waiting, waiting] });
    answerWaiting(step, pathOf(id));
  } else if (kill !== undefined) {
    signalGuest(step, guest, kill.signal ?? SIGKILL);
    reply(step, connection, 200, '');
  } else if (remove !== undefined) removeGuest(step, connection, guest);
  else step.effects.push({ kind: 'callReply', connection, status: 200, text: '', sandbox: guest.record.sandbox });
}

function reply(step: Step, connection: ConnectionId, status: 200 | 202 | 400 | 404 | 500, text: string): void {
  step.effects.push({ kind: 'callReply', connection, status, text });
}

function launchGuest(step: Step, connection: ConnectionId, wish: LaunchWish): void {
  const id = wish.container_id;
  const known = step.state.guests.get(pathOf(id));
  if (known !== undefined) {
    const ended = known.record.state === 'ended';
    reply(step, connection, ended ? 400 : 202, ended ? 'The container has ended and was not removed' : '');
    return;
  }
  // A standalone container can't take the id of an executor's or task's, which others may be nested in.
  if (id.parent === undefined && step.state.runs.has(id.value as ContainerId)) {
    reply(step, connection, 202, '');
    return;
  }
  const impossible = impossiblePart(wish);
  if (impossible !== undefined) {
    reply(step, connection, 400, impossible);
    return;
  }
  if (step.state.diskShortage !== undefined) {
    reply(step, connection, 500, `Failed to launch container: ${step.state.diskShortage}`);
    return;
  }
  const place = placeOf(step, id);
  if (place === undefined) {
    reply(step, connection, 400, "Field 'container_id.parent': no such container runs here");
    return;
  }
  const record: GuestRecord = {
    id,
    containerId: uuid(step.state.random) as ContainerId,
    sandbox: memberSandboxPath(place.sandbox, id.value as ContainerId),
    user: userIn(step, place, wish.command),
    resources: wish.resources ?? [],
    state: 'launching',
    pid: undefined,
    status: undefined,
  };
  putGuest(step, { record, launching: connection, waiting: [] });
  save(step, guestKey(pathOf(id)), { kind: 'guest', guest: record });
  // GUESTS-1.
  const spec = specOf(record, place, wish);
  step.after.push({ kind: 'launchGuest', spec, volumes: sandboxLinks(spec) });
}

/** What a call can ask for and never gets, whatever the launcher provides. */
function impossiblePart({ command, resources = [], limits = {} }: LaunchWish): string | undefined {
  const variable = unresolvedVariable(command);
  if (variable !== undefined) return `command.environment: ${variable}`;
  if (resources.some((it) => isPersistentVolume(it) || !isUnreserved(it))) {
    return 'resources: expected neither reserved resources nor volumes';
  }
  return Object.keys(limits).length > 0 ? `limits: ${NO_LIMITS}` : undefined;
}

const userIn = ({ state }: Pick<Step, 'state'>, place: Place, command: CommandInfo | undefined): string | undefined =>
  state.config.switchUser ? (command?.user ?? place.user) : undefined;

/** Whom a command would run as that is launched under this id: its own user, or that of the container it is nested in. */
export function userOfLaunch(
  agent: Pick<Step, 'state'>,
  id: ContainerID,
  command: CommandInfo | undefined,
): string | undefined {
  const place = placeOf(agent, id);
  return place === undefined ? command?.user : userIn(agent, place, command);
}

const specOf = (
  { id, containerId, sandbox, resources, user }: GuestRecord,
  place: Place,
  wish: LaunchWish,
): ContainerSpec => ({
  containerId,
  sandbox,
  user,
  command: wish.command ?? {},
  environment: { ...place.environment, MESOS_SANDBOX: sandbox, ...variablesOf(wish.command) },
  uris: wish.command?.uris ?? [],
  rlimits: wish.container?.rlimit_info,
  resources,
  container: wish.container,
  outer: id.parent && { sandbox: place.sandbox },
});

/** Where the guest goes; undefined if its parent doesn't run. */
function placeOf(step: Pick<Step, 'state'>, { parent }: ContainerID): Place | undefined {
  const { config, guests } = step.state;
  const bare = { user: undefined, environment: { PATH: DEFAULT_PATH } };
  if (parent === undefined) return { ...bare, sandbox: config.workDir };
  const guest = guests.get(pathOf(parent))?.record;
  if (guest !== undefined) {
    const user = guest.user ?? placeOf(step, parent)?.user;
    return guest.state === 'running' ? { ...bare, user, sandbox: guest.sandbox } : undefined;
  }
  const containerId = parent.value as ContainerId;
  const run = taskRunOf(step, containerId);
  const task = run && taskOfRun(run.framework, run.run);
  if (run !== undefined && task !== undefined && run.run.state === 'running') {
    return {
      sandbox: run.run.sandbox,
      user: userOf(step, run.framework.info, task.info.command),
      environment: environmentOfRun(step.state, run.framework, run.run, task.info),
    };
  }
  const found = executorOf(step, containerId);
  if (found === undefined || found.executor.containerId !== containerId || found.executor.state === 'ended') {
    return undefined;
  }
  const { framework, executor } = found;
  return {
    sandbox: executor.sandbox,
    user: userOf(step, framework.info, executor.info.command),
    environment: executorEnvironment(config, agentIdOf(step.state) ?? '', framework.info, executor),
  };
}

function removeGuest(step: Step, connection: ConnectionId, guest: Guest): void {
  if (guest.record.state !== 'ended') {
    reply(step, connection, 500, 'The container has not ended yet');
    return;
  }
  forgetGuest(step, guest);
  step.effects.push({ kind: 'removeSandbox', containerId: guest.record.containerId, path: guest.record.sandbox });
  reply(step, connection, 200, '');
}

function answerWaiting(step: Step, path: string): void {
  const guest = step.state.guests.get(path);
  if (guest?.record.status === undefined) return;
  const { status } = guest.record;
  const result = status.kind === 'unknown' ? {} : { exit_status: waitStatusOf(status) };
  for (const { connection, nested } of guest.waiting) {
    const response = nested
      ? ({ type: 'WAIT_NESTED_CONTAINER', wait_nested_container: result } as const)
      : ({ type: 'WAIT_CONTAINER', wait_container: result } as const);
    step.effects.push({ kind: 'callReply', connection, status: 200, text: '', response });
  }
  putGuest(step, { ...guest, waiting: [] });
}

/** Takes an event of a guest; false: it is none's. */
export function guestEvent(step: Step, event: ContainerEvent): boolean {
  const guest = guestOf(step, event.containerId);
  if (guest === undefined) return false;
  const { launching, ...rest } = guest;
  switch (event.kind) {
    case 'started': {
      const record: GuestRecord = { ...guest.record, state: 'running', pid: event.pid };
      putGuest(step, { ...rest, record });
      save(step, guestKey(pathOf(record.id)), { kind: 'guest', guest: record });
      if (launching === undefined) return true;
      step.effects.push({ kind: 'callReply', connection: launching, status: 200, text: '', sandbox: record.sandbox });
      return true;
    }
    case 'launchFailed':
      if (launching !== undefined) reply(step, launching, 400, `Failed to launch container: ${event.message}`);
      ended(step, { ...rest, record: guest.record }, { kind: 'unknown' });
      forgetGuest(step, guest);
      return true;
    case 'exited':
      ended(step, guest, event.status);
      return true;
  }
}

const guestOf = (step: Step, containerId: ContainerId): Guest | undefined =>
  [...step.state.guests.values()].find(({ record }) => record.containerId === containerId);

function ended(step: Step, guest: Guest, status: ExitStatus): void {
  const record: GuestRecord = { ...guest.record, state: 'ended', status };
  putGuest(step, { ...guest, record });
  save(step, guestKey(pathOf(record.id)), { kind: 'guest', guest: record });
  answerWaiting(step, pathOf(record.id));
  endNested(step, (parent) => pathOf(parent) === pathOf(record.id));
}

/** A guest of an earlier process of this agent. */
export function restoreGuest(step: Step, record: GuestRecord): void {
  putGuest(step, { record, waiting: [] });
}

export function matchGuests(step: Step, found: ReadonlyMap<ContainerId, RecoveredContainer>): void {
  for (const guest of [...step.state.guests.values()]) {
    if (guest.record.state === 'ended') continue;
    const container = found.get(guest.record.containerId);
    if (container?.state !== 'running') ended(step, guest, container?.status ?? { kind: 'unknown' });
    else putGuest(step, { ...guest, record: { ...guest.record, state: 'running', pid: container.pid } });
  }
}
