// A framework's own executor: a process in a container that behaves as Mesos' executor library does, and its tasks.
//
// Its command says what it does, and the tasks' data what they do (in the words of engine/containers.ts). `executor` and
// any of: `dies 3000` (crashes after 3000 ms), `hangs 3000` (stops responding, keeps its connection), `deaf` (ignores
// KILL), `stubborn` (ignores SHUTDOWN), `mute` (never subscribes), `flaky` (breaks its connection at random), `stays`
// (does not end when it is idle). A task of `updates 200` sends 200 updates while it runs.
//
// SIMULATED-EXECUTOR-1: an update keeps its uuid and is sent again at each SUBSCRIBE, in order, until it is
//     acknowledged; a task is named there until the first acknowledgement of an update of it.
// SIMULATED-EXECUTOR-2: without checkpointing it ends with its connection; else it subscribes again, for as long as the
//     recovery timeout.
// SIMULATED-EXECUTOR-3: the agent receives its calls in order, as long as one connection lives.

import { type ContainerId, parseDuration, type Random } from '@meseta/base';
import type { ContainerSpec, ExitStatus } from '@meseta/containers/types';
import type { ExecutorCall, ExecutorCallUpdate, ExecutorEvent, TaskInfo, TaskState } from '@meseta/wire';
import { randomUuidBytes } from '@meseta/wire/uuid';
import { between, happens, waiting } from '../engine/chance.js';
import { type Machine, timeOn } from '../engine/machine.js';
import type { End } from '../engine/network.js';
import type { Scheduled } from '../engine/timeline.js';
import type { World } from '../world.js';
import { callOnTheWire, type ExecutorAnswer } from './executor-api.js';

export interface ExecutorProcess {
  readonly name: string;
  readonly containerId: ContainerId;
  readonly frameworkId: string;
  readonly executorId: string;
  readonly agentName: string;
  /** Every task that it was sent. */
  readonly tasks: ReadonlyMap<string, ExecutorTask>;
  /** Updates that were sent and not acknowledged, oldest first, by uuid. */
  readonly unacknowledged: ReadonlyMap<string, ExecutorCallUpdate>;
  readonly subscribed: boolean;
  /** It stopped responding. */
  readonly hung: boolean;
  /** It does not end the task although it was asked to, or hangs. */
  ignoresKillOf(taskId: string): boolean;
  /** The container ended. `silent`: with its host. */
  stop(how: 'reset' | 'silent'): void;
}

export interface ExecutorTask {
  readonly info: TaskInfo;
  state: TaskState;
  killAsked: boolean;
}

export interface ExecutorOptions {
  readonly world: World;
  readonly machine: Machine;
  readonly address: string;
  readonly spec: ContainerSpec;
  /** The program ended by itself. */
  exited(status: ExitStatus): void;
}

interface Session {
  /** Of the SUBSCRIBE and then of events. */
  readonly stream: End;
  /** Of all other calls. */
  readonly calls: End;
  /** The updates that its SUBSCRIBE named. */
  readonly named: ReadonlySet<string>;
  subscribed: boolean;
}

const wordsOf = (text: string | undefined): readonly string[] => (text ?? '').split(' ');

const numberAfter = (words: readonly string[], word: string): number | undefined =>
  words.includes(word) ? Number(words[words.indexOf(word) + 1]) : undefined;

const END_OF_TASKS: ReadonlySet<string> = new Set(['TASK_FINISHED', 'TASK_FAILED', 'TASK_KILLED']);

const durationOf = (environment: ContainerSpec['environment'], name: string, otherwise: number): number => {
  const parsed = parseDuration(environment[name] ?? '');
  return parsed.ok ? parsed.value : otherwise;
};

/** How long it waits for a task before it ends. */
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
  private knowsKilling = false;
  private stopped = false;
  private lastChance: Scheduled | undefined;
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
    this.later(waiting(this.random, 50), () => this.connect());
    this.later(IDLE_MS, () => this.lookForWork());
    const dies = numberAfter(this.words, 'dies');
    if (dies !== undefined) this.later(dies, () => this.end({ kind: 'signaled', signal: 11 }));
    const hangs = numberAfter(this.words, 'hangs');
    if (hangs !== undefined) {
      this.later(hangs, () => {
        world.journal.record(this.name, 'hangs');
        this.hung = true;
      });
    }
    if (this.words.includes('flaky')) this.stumbles();
  }

  get subscribed(): boolean {
    return this.session?.subscribed === true;
  }

  ignoresKillOf(taskId: string): boolean {
    return this.hung || (this.words.includes('deaf') && this.tasks.get(taskId)?.killAsked === true);
  }

  /** Calls back now, or when the machine's pause is over; not after the process has ended or while it hangs. */
  private soon(what: () => void): void {
    const { world, machine } = this.options;
    const run = (next: () => void): void => {
      if (!this.stopped && !this.hung) next();
    };
    const drain = (): void => {
      if (world.timeline.nowMs() < machine.pausedUntilMs) world.timeline.at(machine.pausedUntilMs, drain);
      else for (let next = this.inbox.shift(); next !== undefined; next = this.inbox.shift()) run(next);
    };
    if (this.inbox.length === 0 && world.timeline.nowMs() >= machine.pausedUntilMs) run(what);
    else if (this.inbox.push(what) === 1) drain();
  }

  private later(ms: number, what: () => void): Scheduled {
    return this.options.world.timeline.after(ms, () => this.soon(what));
  }

  private connect(): void {
    if (this.session !== undefined) return;
    const { world, address, spec } = this.options;
    const agent = spec.environment['MESOS_AGENT_ENDPOINT'] ?? '';
    const ended = (): void => this.soon(() => this.disconnected(session));
    const session: Session = {
      stream: world.network.connect(address, agent, 'http', {
        data: (payload) => this.soon(() => this.answered(session, payload as ExecutorAnswer)),
        ended,
      }),
      calls: world.network.connect(address, agent, 'http', { data: () => {}, ended }),
      named: new Set(this.unacknowledged.keys()),
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
    end.write(callOnTheWire(call, world.encoded));
  }

  /** SIMULATED-EXECUTOR-2. */
  private disconnected(session: Session): void {
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
    this.lastChance ??= this.later(recoveryMs, () => this.end({ kind: 'exited', code: 0 }));
    const backoffMs = durationOf(spec.environment, 'MESOS_SUBSCRIPTION_BACKOFF_MAX', 2_000);
    this.later(between(this.random, 0, backoffMs), () => this.connect());
  }

  private answered(session: Session, answer: ExecutorAnswer): void {
    if (this.session !== session) return;
    if (answer.kind === 'reply') this.disconnected(session);
    else if (answer.kind === 'event') this.heard(session, answer.event);
  }

  private heard(session: Session, event: ExecutorEvent): void {
    const { world } = this.options;
    world.journal.record(this.name, `hears ${event.type}`, event);
    for (const observer of world.observers) observer.executorHeard?.(this, event);
    if (event.subscribed !== undefined) {
      session.subscribed = true;
      // Updates of the time between SUBSCRIBE and SUBSCRIBED.
      for (const [uuid, update] of this.unacknowledged) {
        if (!session.named.has(uuid)) this.call({ type: 'UPDATE', update });
      }
      world.timeline.cancel(this.lastChance);
      this.lastChance = undefined;
      const capabilities = event.subscribed.framework_info.capabilities ?? [];
      this.knowsKilling = capabilities.some(({ type }) => type === 'TASK_KILLING_STATE');
    }
    if (event.launch !== undefined) this.launched(event.launch.task);
    for (const task of event.launch_group?.task_group.tasks ?? []) this.launched(task);
    if (event.kill !== undefined) this.killed(event.kill.task_id.value);
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

  private tell(task: ExecutorTask, state: TaskState): void {
    if (END_OF_TASKS.has(task.state)) return;
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
    // The update arrives, its acknowledgement does not.
    if (this.words.includes('flaky') && happens(this.random, 0.2)) this.later(1, () => this.stumble());
  }

  private launched(info: TaskInfo): void {
    const id = info.task_id.value;
    const task: ExecutorTask = { info, state: 'TASK_STAGING', killAsked: false };
    this.tasks.set(id, task);
    this.unacknowledgedTasks.set(id, info);
    const words = wordsOf(Buffer.from(info.data ?? '', 'base64').toString());
    if (happens(this.random, 0.5)) this.tell(task, 'TASK_STARTING');
    this.later(waiting(this.random, 80), () => {
      if (task.state === 'TASK_STAGING' || task.state === 'TASK_STARTING') this.tell(task, 'TASK_RUNNING');
      const updates = numberAfter(words, 'updates');
      if (updates !== undefined) {
        this.goOn(task, updates, words);
        return;
      }
      const run = numberAfter(words, 'run');
      if (run === undefined) return;
      const end = (numberAfter(words, 'exit') ?? 0) === 0 ? 'TASK_FINISHED' : 'TASK_FAILED';
      this.later(run, () => this.tell(task, end));
    });
  }

  /** Sends that many updates of TASK_RUNNING, then ends the task. */
  private goOn(task: ExecutorTask, updates: number, words: readonly string[]): void {
    if (task.state !== 'TASK_RUNNING') return;
    this.later(between(this.random, 20, 400), () => {
      if (task.state !== 'TASK_RUNNING') return;
      if (updates > 0) {
        this.tell(task, 'TASK_RUNNING');
        this.goOn(task, updates - 1, words);
      } else this.tell(task, (numberAfter(words, 'exit') ?? 0) === 0 ? 'TASK_FINISHED' : 'TASK_FAILED');
    });
  }

  private killed(taskId: string): void {
    const task = this.tasks.get(taskId);
    if (task !== undefined) task.killAsked = true;
    if (task === undefined || this.words.includes('deaf') || END_OF_TASKS.has(task.state)) return;
    if (this.knowsKilling && task.state !== 'TASK_KILLING') this.tell(task, 'TASK_KILLING');
    this.later(waiting(this.random, KILL_MS), () => this.tell(task, 'TASK_KILLED'));
  }

  private shutDown(): void {
    if (this.words.includes('stubborn')) return;
    for (const task of this.tasks.values()) this.tell(task, 'TASK_KILLED');
    this.later(waiting(this.random, SHUTDOWN_MS), () => this.end({ kind: 'exited', code: 0 }));
  }

  private lookForWork(): void {
    const busy = this.unacknowledged.size > 0 || [...this.tasks.values()].some(({ state }) => !END_OF_TASKS.has(state));
    if (busy || this.words.includes('stays') || this.tasks.size === 0) this.later(IDLE_MS, () => this.lookForWork());
    else this.end({ kind: 'exited', code: 0 });
  }

  private stumble(): void {
    if (this.session !== undefined) this.disconnected(this.session);
  }

  private stumbles(): void {
    this.later(waiting(this.random, 20_000), () => {
      this.stumble();
      this.stumbles();
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
    this.options.world.network.gone(this.options.address, how);
  }
}
