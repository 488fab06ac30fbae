// A framework's own executor: a process in a container that behaves as Mesos' executor library does, and its tasks.
//
// Its command describes what it does, and the data of a task what the task does (as in engine/containers.ts). The command
// is `executor` and any of: `dies 3000` (crashes after 3000 ms), `hangs 3000` (stops responding, keeps its connection),
// `deaf` (ignores KILL), `stubborn` (ignores SHUTDOWN), `mute` (never subscribes), `flaky` (breaks its connection at random), `stays`
// (does not end when it is idle). A task of `updates 200` sends 200 updates while it runs.
//
// SIMULATED-EXECUTOR-1: an update keeps its uuid and is sent again at each SUBSCRIBE, in order, until it is
//     acknowledged; a SUBSCRIBE names a task until the first acknowledgement of an update of it.
// SIMULATED-EXECUTOR-2: without checkpointing it ends with its connection; else it subscribes again, for as long as the
//     recovery timeout.
// SIMULATED-EXECUTOR-3: the agent receives its calls in order as long as its connection stays open.

import { type ContainerId, parseDuration, type Random } from '@meseta/base';
import type { ContainerSpec, ExitStatus } from '@meseta/containers/types';
import type { ExecutorCall, ExecutorCallUpdate, ExecutorEvent, TaskInfo, TaskState } from '@meseta/wire';
import { randomUuidBytes } from '@meseta/wire/uuid';
import { between, drawDelayMs, happens } from '../engine/chance.js';
import { numberAfter, wordsOf } from '../engine/command-words.js';
import { type Machine, timeOn } from '../engine/machine.js';
import type { End } from '../engine/network.js';
import type { Scheduled } from '../engine/timeline.js';
import type { World } from '../world.js';
import { type ExecutorResponse, transmitCall } from './executor-api.js';

export interface ExecutorProcess {
  readonly name: string;
  readonly containerId: ContainerId;
  readonly frameworkId: string;
  readonly executorId: string;
  readonly agentName: string;
  /** Every task that it received. */
  readonly tasks: ReadonlyMap<string, ExecutorTask>;
  /** Updates that were sent and not acknowledged, oldest first, by uuid. */
  readonly unacknowledged: ReadonlyMap<string, ExecutorCallUpdate>;
  readonly subscribed: boolean;
  /** It stopped responding. */
  readonly hung: boolean;
  /** It hangs, or it received a KILL of the task and ignores it. */
  ignoresKillOf(taskId: string): boolean;
  /** The container ended. `silent`: with its host. */
  stop(how: 'reset' | 'silent'): void;
}

export interface ExecutorTask {
  readonly info: TaskInfo;
  state: TaskState;
  killRequested: boolean;
}

export interface ExecutorOptions {
  readonly world: World;
  readonly machine: Machine;
  readonly address: string;
  readonly spec: ContainerSpec;
  /** The process ended by itself. */
  exited(status: ExitStatus): void;
}

interface Session {
  /** The connection of the SUBSCRIBE, which then streams events. */
  readonly stream: End;
  /** The connection of all other calls. */
  readonly calls: End;
  /** The uuids of the updates in its SUBSCRIBE. */
  readonly updatesInSubscribe: ReadonlySet<string>;
  subscribed: boolean;
}

const TERMINAL_STATES: ReadonlySet<string> = new Set(['TASK_FINISHED', 'TASK_FAILED', 'TASK_KILLED']);

const durationOf = (environment: ContainerSpec['environment'], name: string, otherwise: number): number => {
  const parsed = parseDuration(environment[name] ?? '');
  return parsed.ok ? parsed.value : otherwise;
};

/** How long it waits for another task before it ends. */
const IDLE_MS = 5_000;
const KILL_MS = 400;
const SHUTDOWN_MS = 300;

interface Executor extends ExecutorProcess {
  readonly options: ExecutorOptions;
  /** Its command. */
  readonly words: readonly string[];
  readonly checkpoint: boolean;
  readonly random: Random;
  readonly tasks: Map<string, ExecutorTask>;
  readonly unacknowledged: Map<string, ExecutorCallUpdate>;
  readonly unacknowledgedTasks: Map<string, TaskInfo>;
  hung: boolean;
  session: Session | undefined;
  supportsTaskKilling: boolean;
  stopped: boolean;
  recoveryTimeout: Scheduled | undefined;
  /** The callbacks that wait while the machine is paused, in order. */
  readonly inbox: (() => void)[];
}

export function startExecutor(options: ExecutorOptions): ExecutorProcess {
  const executor = createExecutor(options);
  const { words, random } = executor;
  options.world.journal.record(executor.name, 'starts');
  if (words.includes('mute')) return executor;
  runAfter(executor, drawDelayMs(random, 50), () => connect(executor));
  runAfter(executor, IDLE_MS, () => endWhenIdle(executor));
  const diesMs = numberAfter(words, 'dies');
  if (diesMs !== undefined) runAfter(executor, diesMs, () => end(executor, { kind: 'signaled', signal: 11 }));
  const hangsMs = numberAfter(words, 'hangs');
  if (hangsMs !== undefined) {
    runAfter(executor, hangsMs, () => {
      options.world.journal.record(executor.name, 'hangs');
      executor.hung = true;
    });
  }
  if (words.includes('flaky')) disconnectRepeatedly(executor);
  return executor;
}

function createExecutor(options: ExecutorOptions): Executor {
  const { spec, world, machine } = options;
  const executorId = spec.environment['MESOS_EXECUTOR_ID'] ?? '';
  const executor: Executor = {
    options,
    name: `${executorId}@${machine.name}`,
    containerId: spec.containerId,
    frameworkId: spec.environment['MESOS_FRAMEWORK_ID'] ?? '',
    executorId,
    agentName: machine.name,
    words: wordsOf(spec.command.value),
    checkpoint: spec.environment['MESOS_CHECKPOINT'] === '1',
    random: world.random(`executor ${spec.containerId}`),
    tasks: new Map(),
    unacknowledged: new Map(),
    unacknowledgedTasks: new Map(),
    hung: false,
    session: undefined,
    supportsTaskKilling: false,
    stopped: false,
    recoveryTimeout: undefined,
    inbox: [],
    get subscribed() {
      return executor.session?.subscribed === true;
    },
    ignoresKillOf: (taskId) =>
      executor.hung || (executor.words.includes('deaf') && executor.tasks.get(taskId)?.killRequested === true),
    stop: (how) => stop(executor, how),
  };
  return executor;
}

/** Calls back now, or when the machine's pause is over; not after the process has ended or while it hangs. */
function runWhenAwake(executor: Executor, callback: () => void): void {
  const { world, machine } = executor.options;
  const run = (next: () => void): void => {
    if (!executor.stopped && !executor.hung) next();
  };
  const drain = (): void => {
    if (world.timeline.nowMs() < machine.pausedUntilMs) world.timeline.at(machine.pausedUntilMs, drain);
    else for (let next = executor.inbox.shift(); next !== undefined; next = executor.inbox.shift()) run(next);
  };
  if (executor.inbox.length === 0 && world.timeline.nowMs() >= machine.pausedUntilMs) run(callback);
  else if (executor.inbox.push(callback) === 1) drain();
}

function runAfter(executor: Executor, ms: number, callback: () => void): Scheduled {
  return executor.options.world.timeline.after(ms, () => runWhenAwake(executor, callback));
}

function connect(executor: Executor): void {
  if (executor.session !== undefined) return;
  const { world, address, spec } = executor.options;
  const agent = spec.environment['MESOS_AGENT_ENDPOINT'] ?? '';
  const ended = (): void => runWhenAwake(executor, () => handleDisconnect(executor, session));
  const session: Session = {
    stream: world.network.connect(address, agent, 'http', {
      data: (payload) => runWhenAwake(executor, () => receiveResponse(executor, session, payload as ExecutorResponse)),
      ended,
    }),
    calls: world.network.connect(address, agent, 'http', { data: () => {}, ended }),
    updatesInSubscribe: new Set(executor.unacknowledged.keys()),
    subscribed: false,
  };
  executor.session = session;
  const unacknowledged_tasks = [...executor.unacknowledgedTasks.values()];
  const unacknowledged_updates = [...executor.unacknowledged.values()];
  // SIMULATED-EXECUTOR-1.
  write(executor, session.stream, { type: 'SUBSCRIBE', subscribe: { unacknowledged_tasks, unacknowledged_updates } });
}

function write(executor: Executor, end: End, content: Partial<ExecutorCall> & Pick<ExecutorCall, 'type'>): void {
  const { world } = executor.options;
  const call: ExecutorCall = {
    executor_id: { value: executor.executorId },
    framework_id: { value: executor.frameworkId },
    ...content,
  };
  world.journal.record(executor.name, `call ${call.type}`, call);
  for (const observer of world.observers) observer.executorCalled?.(executor, call);
  end.write(transmitCall(call, world.encoded));
}

/** SIMULATED-EXECUTOR-2. */
function handleDisconnect(executor: Executor, session: Session): void {
  if (executor.session !== session) return;
  executor.session = undefined;
  session.stream.close();
  session.calls.close();
  const { world, spec } = executor.options;
  world.journal.record(executor.name, 'disconnected');
  if (!executor.checkpoint) {
    end(executor, { kind: 'exited', code: 0 });
    return;
  }
  const recoveryMs = durationOf(spec.environment, 'MESOS_RECOVERY_TIMEOUT', 900_000);
  executor.recoveryTimeout ??= runAfter(executor, recoveryMs, () => end(executor, { kind: 'exited', code: 0 }));
  const backoffMs = durationOf(spec.environment, 'MESOS_SUBSCRIPTION_BACKOFF_MAX', 2_000);
  runAfter(executor, between(executor.random, 0, backoffMs), () => connect(executor));
}

function receiveResponse(executor: Executor, session: Session, answer: ExecutorResponse): void {
  if (executor.session !== session) return;
  if (answer.kind === 'reply') handleDisconnect(executor, session);
  else if (answer.kind === 'event') receiveEvent(executor, session, answer.event);
}

function receiveEvent(executor: Executor, session: Session, event: ExecutorEvent): void {
  const { world } = executor.options;
  world.journal.record(executor.name, `receives ${event.type}`, event);
  for (const observer of world.observers) observer.executorReceived?.(executor, event);
  if (event.subscribed !== undefined) {
    session.subscribed = true;
    // Updates that were made between SUBSCRIBE and SUBSCRIBED.
    for (const [uuid, update] of executor.unacknowledged) {
      if (!session.updatesInSubscribe.has(uuid)) call(executor, { type: 'UPDATE', update });
    }
    world.timeline.cancel(executor.recoveryTimeout);
    executor.recoveryTimeout = undefined;
    const capabilities = event.subscribed.framework_info.capabilities ?? [];
    executor.supportsTaskKilling = capabilities.some(({ type }) => type === 'TASK_KILLING_STATE');
  }
  if (event.launch !== undefined) launchTask(executor, event.launch.task);
  for (const task of event.launch_group?.task_group.tasks ?? []) launchTask(executor, task);
  if (event.kill !== undefined) killTask(executor, event.kill.task_id.value);
  if (event.acknowledged !== undefined) {
    executor.unacknowledged.delete(event.acknowledged.uuid);
    executor.unacknowledgedTasks.delete(event.acknowledged.task_id.value);
  }
  if (event.message !== undefined) call(executor, { type: 'MESSAGE', message: { data: event.message.data } });
  if (event.type === 'SHUTDOWN') shutDown(executor);
}

function call(executor: Executor, content: Partial<ExecutorCall> & Pick<ExecutorCall, 'type'>): void {
  if (executor.session?.subscribed === true) write(executor, executor.session.calls, content);
}

function sendUpdate(executor: Executor, task: ExecutorTask, state: TaskState): void {
  if (TERMINAL_STATES.has(task.state)) return;
  task.state = state;
  const { world, machine } = executor.options;
  const uuid = randomUuidBytes(executor.random);
  const { task_id } = task.info;
  const timestamp = timeOn(machine, world.timeline.nowMs()).wallMs / 1000;
  const update: ExecutorCallUpdate = {
    status: { task_id, state, timestamp, executor_id: { value: executor.executorId }, source: 'SOURCE_EXECUTOR', uuid },
  };
  executor.unacknowledged.set(uuid, update);
  call(executor, { type: 'UPDATE', update });
  // The update arrives, but its acknowledgement is lost.
  if (executor.words.includes('flaky') && happens(executor.random, 0.2))
    runAfter(executor, 1, () => disconnect(executor));
}

function launchTask(executor: Executor, info: TaskInfo): void {
  const id = info.task_id.value;
  const task: ExecutorTask = { info, state: 'TASK_STAGING', killRequested: false };
  executor.tasks.set(id, task);
  executor.unacknowledgedTasks.set(id, info);
  const words = wordsOf(Buffer.from(info.data ?? '', 'base64').toString());
  if (happens(executor.random, 0.5)) sendUpdate(executor, task, 'TASK_STARTING');
  runAfter(executor, drawDelayMs(executor.random, 80), () => {
    if (task.state === 'TASK_STAGING' || task.state === 'TASK_STARTING') sendUpdate(executor, task, 'TASK_RUNNING');
    const updates = numberAfter(words, 'updates');
    if (updates !== undefined) {
      sendUpdates(executor, task, updates, words);
      return;
    }
    const run = numberAfter(words, 'run');
    if (run === undefined) return;
    const end = (numberAfter(words, 'exit') ?? 0) === 0 ? 'TASK_FINISHED' : 'TASK_FAILED';
    runAfter(executor, run, () => sendUpdate(executor, task, end));
  });
}

/** Sends that many updates of TASK_RUNNING, then ends the task. */
function sendUpdates(executor: Executor, task: ExecutorTask, updates: number, words: readonly string[]): void {
  if (task.state !== 'TASK_RUNNING') return;
  runAfter(executor, between(executor.random, 20, 400), () => {
    if (task.state !== 'TASK_RUNNING') return;
    if (updates > 0) {
      sendUpdate(executor, task, 'TASK_RUNNING');
      sendUpdates(executor, task, updates - 1, words);
    } else sendUpdate(executor, task, (numberAfter(words, 'exit') ?? 0) === 0 ? 'TASK_FINISHED' : 'TASK_FAILED');
  });
}

function killTask(executor: Executor, taskId: string): void {
  const task = executor.tasks.get(taskId);
  if (task !== undefined) task.killRequested = true;
  if (task === undefined || executor.words.includes('deaf') || TERMINAL_STATES.has(task.state)) return;
  if (executor.supportsTaskKilling && task.state !== 'TASK_KILLING') sendUpdate(executor, task, 'TASK_KILLING');
  runAfter(executor, drawDelayMs(executor.random, KILL_MS), () => sendUpdate(executor, task, 'TASK_KILLED'));
}

function shutDown(executor: Executor): void {
  if (executor.words.includes('stubborn')) return;
  for (const task of executor.tasks.values()) sendUpdate(executor, task, 'TASK_KILLED');
  runAfter(executor, drawDelayMs(executor.random, SHUTDOWN_MS), () => end(executor, { kind: 'exited', code: 0 }));
}

function endWhenIdle(executor: Executor): void {
  const isBusy =
    executor.unacknowledged.size > 0 || [...executor.tasks.values()].some(({ state }) => !TERMINAL_STATES.has(state));
  if (isBusy || executor.words.includes('stays') || executor.tasks.size === 0)
    runAfter(executor, IDLE_MS, () => endWhenIdle(executor));
  else end(executor, { kind: 'exited', code: 0 });
}

function disconnect(executor: Executor): void {
  if (executor.session !== undefined) handleDisconnect(executor, executor.session);
}

function disconnectRepeatedly(executor: Executor): void {
  runAfter(executor, drawDelayMs(executor.random, 20_000), () => {
    disconnect(executor);
    disconnectRepeatedly(executor);
  });
}

function end(executor: Executor, status: ExitStatus): void {
  executor.options.exited(status);
}

function stop(executor: Executor, how: 'reset' | 'silent'): void {
  if (executor.stopped) return;
  executor.stopped = true;
  executor.session = undefined;
  executor.options.world.journal.record(executor.name, 'ends');
  executor.options.world.network.endProcess(executor.options.address, how);
}
