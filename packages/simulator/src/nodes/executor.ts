// A framework's own executor: a process in a container that behaves as Mesos' executor library does, and its tasks.
//
// Its command describes what it does, and the data of a task what the task does (as in engine/containers.ts). The command
// is `executor` and any of: `dies 3000` (crashes after 3000 ms), `hangs 3000` (stops responding, keeps its connection), `deaf` (ignores
// KILL), `stubborn` (ignores SHUTDOWN), `mute` (never subscribes), `flaky` (breaks its connection at random), `stays`
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
import { type Machine, timeOn } from '../engine/machine.js';
import type { End } from '../engine/network.js';
import type { Scheduled } from '../engine/timeline.js';
import type { World } from '../world.js';
import { type ExecutorAnswer, transmitCall } from './executor-api.js';

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

const wordsOf = (text: string | undefined): readonly string[] => (text ?? '').split(' ');

const numberAfter = (words: readonly string[], word: string): number | undefined =>
  words.includes(word) ? Number(words[words.indexOf(word) + 1]) : undefined;

const TERMINAL_STATES: ReadonlySet<string> = new Set(['TASK_FINISHED', 'TASK_FAILED', 'TASK_KILLED']);

const durationOf = (environment: ContainerSpec['environment'], name: string, otherwise: number): number => {
  const parsed = parseDuration(environment[name] ?? '');
  return parsed.ok ? parsed.value : otherwise;
};

/** How long it waits for another task before it ends. */
const IDLE_MS = 5_000;
const KILL_MS = 400;
const SHUTDOWN_MS = 300;

export const startExecutor = (options: ExecutorOptions): ExecutorProcess => new Executor(options);

class Executor implements ExecutorProcess {
  readonly name: string;
  readonly containerId: ContainerId;
  readonly frameworkId: string;
  readonly executorId: string;
  readonly agentName: string;
  readonly tasks = new Map<string, ExecutorTask>();
  readonly unacknowledged = new Map<string, ExecutorCallUpdate>();
  hung = false;
  private readonly unacknowledgedTasks = new Map<string, TaskInfo>();
  private readonly random: Random;
  private readonly words: readonly string[];
  private readonly checkpoint: boolean;
  private session: Session | undefined;
  private supportsTaskKilling = false;
  private stopped = false;
  private recoveryTimeout: Scheduled | undefined;
  /** The callbacks that wait while the machine is paused, in order. */
  private readonly inbox: (() => void)[] = [];

  constructor(private readonly options: ExecutorOptions) {
    const { spec, world, machine } = options;
    this.containerId = spec.containerId;
    this.frameworkId = spec.environment['MESOS_FRAMEWORK_ID'] ?? '';
    this.executorId = spec.environment['MESOS_EXECUTOR_ID'] ?? '';
    this.agentName = machine.name;
    this.name = `${this.executorId}@${machine.name}`;
    this.random = world.random(`executor ${spec.containerId}`);
    this.words = wordsOf(spec.command.value);
    this.checkpoint = spec.environment['MESOS_CHECKPOINT'] === '1';
    world.journal.record(this.name, 'starts');
    if (this.words.includes('mute')) return;
    this.runAfter(drawDelayMs(this.random, 50), () => this.connect());
    this.runAfter(IDLE_MS, () => this.endWhenIdle());
    const dies = numberAfter(this.words, 'dies');
    if (dies !== undefined) this.runAfter(dies, () => this.end({ kind: 'signaled', signal: 11 }));
    const hangs = numberAfter(this.words, 'hangs');
    if (hangs !== undefined) {
      this.runAfter(hangs, () => {
        world.journal.record(this.name, 'hangs');
        this.hung = true;
      });
    }
    if (this.words.includes('flaky')) this.disconnectRepeatedly();
  }

  get subscribed(): boolean {
    return this.session?.subscribed === true;
  }

  ignoresKillOf(taskId: string): boolean {
    return this.hung || (this.words.includes('deaf') && this.tasks.get(taskId)?.killRequested === true);
  }

  /** Calls back now, or when the machine's pause is over; not after the process has ended or while it hangs. */
  private runWhenAwake(callback: () => void): void {
    const { world, machine } = this.options;
    const run = (next: () => void): void => {
      if (!this.stopped && !this.hung) next();
    };
    const drain = (): void => {
      if (world.timeline.nowMs() < machine.pausedUntilMs) world.timeline.at(machine.pausedUntilMs, drain);
      else for (let next = this.inbox.shift(); next !== undefined; next = this.inbox.shift()) run(next);
    };
    if (this.inbox.length === 0 && world.timeline.nowMs() >= machine.pausedUntilMs) run(callback);
    else if (this.inbox.push(callback) === 1) drain();
  }

  private runAfter(ms: number, callback: () => void): Scheduled {
    return this.options.world.timeline.after(ms, () => this.runWhenAwake(callback));
  }

  private connect(): void {
    if (this.session !== undefined) return;
    const { world, address, spec } = this.options;
    const agent = spec.environment['MESOS_AGENT_ENDPOINT'] ?? '';
    const ended = (): void => this.runWhenAwake(() => this.handleDisconnect(session));
    const session: Session = {
      stream: world.network.connect(address, agent, 'http', {
        data: (payload) => this.runWhenAwake(() => this.receiveAnswer(session, payload as ExecutorAnswer)),
        ended,
      }),
      calls: world.network.connect(address, agent, 'http', { data: () => {}, ended }),
      updatesInSubscribe: new Set(this.unacknowledged.keys()),
      subscribed: false,
    };
    this.session = session;
    const unacknowledged_tasks = [...this.unacknowledgedTasks.values()];
    const unacknowledged_updates = [...this.unacknowledged.values()];
    // SIMULATED-EXECUTOR-1.
    this.write(session.stream, { type: 'SUBSCRIBE', subscribe: { unacknowledged_tasks, unacknowledged_updates } });
  }

  private write(end: End, content: Partial<ExecutorCall> & Pick<ExecutorCall, 'type'>): void {
    const { world } = this.options;
    const call: ExecutorCall = {
      executor_id: { value: this.executorId },
      framework_id: { value: this.frameworkId },
      ...content,
    };
    world.journal.record(this.name, `call ${call.type}`, call);
    for (const observer of world.observers) observer.executorCalled?.(this, call);
    end.write(transmitCall(call, world.encoded));
  }

  /** SIMULATED-EXECUTOR-2. */
  private handleDisconnect(session: Session): void {
    if (this.session !== session) return;
    this.session = undefined;
    session.stream.close();
    session.calls.close();
    const { world, spec } = this.options;
    world.journal.record(this.name, 'disconnected');
    if (!this.checkpoint) {
      this.end({ kind: 'exited', code: 0 });
      return;
    }
    const recoveryMs = durationOf(spec.environment, 'MESOS_RECOVERY_TIMEOUT', 900_000);
    this.recoveryTimeout ??= this.runAfter(recoveryMs, () => this.end({ kind: 'exited', code: 0 }));
    const backoffMs = durationOf(spec.environment, 'MESOS_SUBSCRIPTION_BACKOFF_MAX', 2_000);
    this.runAfter(between(this.random, 0, backoffMs), () => this.connect());
  }

  private receiveAnswer(session: Session, answer: ExecutorAnswer): void {
    if (this.session !== session) return;
    if (answer.kind === 'reply') this.handleDisconnect(session);
    else if (answer.kind === 'event') this.receiveEvent(session, answer.event);
  }

  private receiveEvent(session: Session, event: ExecutorEvent): void {
    const { world } = this.options;
    world.journal.record(this.name, `receives ${event.type}`, event);
    for (const observer of world.observers) observer.executorReceived?.(this, event);
    if (event.subscribed !== undefined) {
      session.subscribed = true;
      // Updates that were made between SUBSCRIBE and SUBSCRIBED.
      for (const [uuid, update] of this.unacknowledged) {
        if (!session.updatesInSubscribe.has(uuid)) this.call({ type: 'UPDATE', update });
      }
      world.timeline.cancel(this.recoveryTimeout);
      this.recoveryTimeout = undefined;
      const capabilities = event.subscribed.framework_info.capabilities ?? [];
      this.supportsTaskKilling = capabilities.some(({ type }) => type === 'TASK_KILLING_STATE');
    }
    if (event.launch !== undefined) this.launchTask(event.launch.task);
    for (const task of event.launch_group?.task_group.tasks ?? []) this.launchTask(task);
    if (event.kill !== undefined) this.killTask(event.kill.task_id.value);
    if (event.acknowledged !== undefined) {
      this.unacknowledged.delete(event.acknowledged.uuid);
      this.unacknowledgedTasks.delete(event.acknowledged.task_id.value);
    }
    if (event.message !== undefined) this.call({ type: 'MESSAGE', message: { data: event.message.data } });
    if (event.type === 'SHUTDOWN') this.shutDown();
  }

  private call(content: Partial<ExecutorCall> & Pick<ExecutorCall, 'type'>): void {
    if (this.session?.subscribed === true) this.write(this.session.calls, content);
  }

  private sendUpdate(task: ExecutorTask, state: TaskState): void {
    if (TERMINAL_STATES.has(task.state)) return;
    task.state = state;
    const { world, machine } = this.options;
    const uuid = randomUuidBytes(this.random);
    const { task_id } = task.info;
    const timestamp = timeOn(machine, world.timeline.nowMs()).wallMs / 1000;
    const update: ExecutorCallUpdate = {
      status: { task_id, state, timestamp, executor_id: { value: this.executorId }, source: 'SOURCE_EXECUTOR', uuid },
    };
    this.unacknowledged.set(uuid, update);
    this.call({ type: 'UPDATE', update });
    // The update arrives, but its acknowledgement is lost.
    if (this.words.includes('flaky') && happens(this.random, 0.2)) this.runAfter(1, () => this.disconnect());
  }

  private launchTask(info: TaskInfo): void {
    const id = info.task_id.value;
    const task: ExecutorTask = { info, state: 'TASK_STAGING', killRequested: false };
    this.tasks.set(id, task);
    this.unacknowledgedTasks.set(id, info);
    const words = wordsOf(Buffer.from(info.data ?? '', 'base64').toString());
    if (happens(this.random, 0.5)) this.sendUpdate(task, 'TASK_STARTING');
    this.runAfter(drawDelayMs(this.random, 80), () => {
      if (task.state === 'TASK_STAGING' || task.state === 'TASK_STARTING') this.sendUpdate(task, 'TASK_RUNNING');
      const updates = numberAfter(words, 'updates');
      if (updates !== undefined) {
        this.sendUpdates(task, updates, words);
        return;
      }
      const run = numberAfter(words, 'run');
      if (run === undefined) return;
      const end = (numberAfter(words, 'exit') ?? 0) === 0 ? 'TASK_FINISHED' : 'TASK_FAILED';
      this.runAfter(run, () => this.sendUpdate(task, end));
    });
  }

  /** Sends that many updates of TASK_RUNNING, then ends the task. */
  private sendUpdates(task: ExecutorTask, updates: number, words: readonly string[]): void {
    if (task.state !== 'TASK_RUNNING') return;
    this.runAfter(between(this.random, 20, 400), () => {
      if (task.state !== 'TASK_RUNNING') return;
      if (updates > 0) {
        this.sendUpdate(task, 'TASK_RUNNING');
        this.sendUpdates(task, updates - 1, words);
      } else this.sendUpdate(task, (numberAfter(words, 'exit') ?? 0) === 0 ? 'TASK_FINISHED' : 'TASK_FAILED');
    });
  }

  private killTask(taskId: string): void {
    const task = this.tasks.get(taskId);
    if (task !== undefined) task.killRequested = true;
    if (task === undefined || this.words.includes('deaf') || TERMINAL_STATES.has(task.state)) return;
    if (this.supportsTaskKilling && task.state !== 'TASK_KILLING') this.sendUpdate(task, 'TASK_KILLING');
    this.runAfter(drawDelayMs(this.random, KILL_MS), () => this.sendUpdate(task, 'TASK_KILLED'));
  }

  private shutDown(): void {
    if (this.words.includes('stubborn')) return;
    for (const task of this.tasks.values()) this.sendUpdate(task, 'TASK_KILLED');
    this.runAfter(drawDelayMs(this.random, SHUTDOWN_MS), () => this.end({ kind: 'exited', code: 0 }));
  }

  private endWhenIdle(): void {
    const isBusy =
      this.unacknowledged.size > 0 || [...this.tasks.values()].some(({ state }) => !TERMINAL_STATES.has(state));
    if (isBusy || this.words.includes('stays') || this.tasks.size === 0)
      this.runAfter(IDLE_MS, () => this.endWhenIdle());
    else this.end({ kind: 'exited', code: 0 });
  }

  private disconnect(): void {
    if (this.session !== undefined) this.handleDisconnect(this.session);
  }

  private disconnectRepeatedly(): void {
    this.runAfter(drawDelayMs(this.random, 20_000), () => {
      this.disconnect();
      this.disconnectRepeatedly();
    });
  }

  private end(status: ExitStatus): void {
    this.options.exited(status);
  }

  stop(how: 'reset' | 'silent'): void {
    if (this.stopped) return;
    this.stopped = true;
    this.session = undefined;
    this.options.world.journal.record(this.name, 'ends');
    this.options.world.network.endProcess(this.options.address, how);
  }
}
