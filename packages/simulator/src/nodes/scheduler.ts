// A scheduler's process: its connection to the leading master, its memory, and the events that its script acts on.
//
// Owns: the stream, and the memory of the framework (a database that survives every process).
// SIMULATED-SCHEDULER-1: a task is in memory before its launch is sent; an update is in memory before it is acknowledged.
// SIMULATED-SCHEDULER-2: at each subscription it reconciles every task that it does not know to have ended; later those of
//     which it has received no update for a minute.

import type { Random } from '@meseta/base';
import type { StreamId } from '@meseta/master/core/io';
import type {
  ExecutorInfo,
  Filters,
  FrameworkInfo,
  Offer,
  OfferOperation,
  SchedulerCall,
  SchedulerEvent,
  TaskInfo,
  TaskStatus,
} from '@meseta/wire';
import { isTerminal } from '@meseta/wire/task-states';
import { between, happens } from '../engine/chance.js';
import type { Machine } from '../engine/machine.js';
import type { End } from '../engine/network.js';
import type { Scheduled } from '../engine/timeline.js';
import type { World } from '../world.js';
import { createDriver, type Dial } from './driver.js';
import { type HttpAnswer, type HttpRequest, transmitRequest } from './http.js';
import type { Masters } from './masters.js';

export interface TaskView {
  readonly id: string;
  readonly agentId: string;
  /** Of a framework's own executor or a pod. */
  readonly executorId: string | undefined;
  readonly launchedAtMs: number;
  /** The last status that it received. */
  status: TaskStatus | undefined;
  lastUpdateMs: number;
  /** The ACCEPT that launched it was refused: the task never existed. */
  refused: boolean;
  /** The framework sent a KILL. */
  killed: boolean;
}

/** The memory of a framework, shared by its processes. */
export interface Memory {
  frameworkId: string | undefined;
  readonly tasks: Map<string, TaskView>;
  nextTask: number;
  /** Ids under which the master removed this framework, which then subscribed without an id. */
  readonly formerIds: string[];
}

export const createMemory = (): Memory => ({
  frameworkId: undefined,
  tasks: new Map(),
  nextTask: 0,
  formerIds: [],
});

/** The behaviour of a kind of framework. Each function is called after the client has handled the event. */
export interface Script {
  subscribed?(client: SchedulerClient): void;
  offers?(client: SchedulerClient, offers: readonly Offer[]): void;
  updated?(client: SchedulerClient, task: TaskView, status: TaskStatus): void;
  event?(client: SchedulerClient, event: SchedulerEvent): void;
  /** The stream ended: offers are void. */
  disconnected?(client: SchedulerClient): void;
}

export interface SchedulerClient {
  readonly name: string;
  readonly address: string;
  readonly memory: Memory;
  readonly random: Random;
  readonly info: FrameworkInfo;
  readonly connected: boolean;
  readonly stopped: boolean;
  /** Another process took over: this one never subscribes again. */
  readonly replaced: boolean;
  /** Whether it acknowledges updates. */
  acknowledges: boolean;
  /** Sends a call on its current or last stream; `answered` gets the status, undefined if no response came. */
  call(call: Partial<SchedulerCall>, answered?: (status: number | undefined) => void): void;
  launch(offers: readonly Offer[], tasks: readonly TaskInfo[], more?: readonly OfferOperation[]): void;
  /** Records the tasks of the operations in the memory before it sends the call. */
  accept(offers: readonly Offer[], operations: readonly OfferOperation[], filters?: Filters): void;
  /** Ends the connection; it subscribes again after a pause. */
  disconnect(pauseMs: number): void;
  /** The process dies. */
  kill(): void;
  every(ms: number, callback: () => void): void;
}

export interface SchedulerOptions {
  readonly world: World;
  readonly masters: Masters;
  readonly name: string;
  readonly address: string;
  readonly memory: Memory;
  readonly info: FrameworkInfo;
  readonly acknowledges: boolean;
  /** Reconciles its tasks (SIMULATED-SCHEDULER-2). */
  readonly reconciles: boolean;
  /** `driver`, `oldDriver`: by libprocess messages, see driver.ts. */
  readonly speaks?: 'http' | 'driver' | 'oldDriver';
  readonly script: Script;
}

/** Whether the framework does not know that the task ended. TASK_UNKNOWN counts as an end. */
export const isAlive = (task: TaskView): boolean =>
  !task.refused && !isTerminal(task.status?.state) && task.status?.state !== 'TASK_UNKNOWN';

/** Idempotent calls. A repeated ACCEPT would name offers that are used; a repeated SUBSCRIBE would replace the stream. */
const REPEATABLE: ReadonlySet<string | undefined> = new Set([
  'ACKNOWLEDGE',
  'ACKNOWLEDGE_OPERATION_STATUS',
  'DECLINE',
  'KILL',
  'RECONCILE',
  'REVIVE',
  'SUPPRESS',
]);

const HTTP_SILENCE_MS = 45_000;
const RECONCILE_EVERY_MS = 60_000;
/** A task that was reported lost may still run; only implicit reconciliation reports that. */
const RECONCILE_ALL_EVERY_MS = 600_000;
/** Drivers receive no heartbeats. After this time without an event a driver registers again, as only the master may know that the connection broke. */
const DRIVER_SILENT_MS = 150_000;

const viewOf = (task: TaskInfo, executor: ExecutorInfo | undefined, nowMs: number): TaskView => ({
  id: task.task_id.value,
  agentId: task.agent_id.value,
  executorId: executor?.executor_id.value,
  launchedAtMs: nowMs,
  status: undefined,
  lastUpdateMs: nowMs,
  refused: false,
  killed: false,
});

interface Session {
  readonly end: End;
  stream: StreamId | undefined;
  subscribed: boolean;
  lastEventMs: number;
}

class Client implements SchedulerClient {
  readonly name: string;
  readonly address: string;
  readonly memory: Memory;
  readonly random: Random;
  readonly info: FrameworkInfo;
  acknowledges: boolean;
  stopped = false;
  replaced = false;
  private session: Session | undefined;
  /** The stream of this or the last session: a process that was replaced may continue to use it. */
  private stream: StreamId | undefined;
  private leader: Machine | undefined;
  private reconnection: Scheduled | undefined;
  private readonly world: World;
  private readonly script: Script;
  private readonly reconciles: boolean;
  private readonly dial: Dial;
  private readonly speaks: 'http' | 'driver' | 'oldDriver';
  /** After this time without an event it subscribes again. */
  private readonly silenceMs: number;

  constructor(options: SchedulerOptions) {
    this.name = options.name;
    this.address = options.address;
    this.memory = options.memory;
    this.info = options.info;
    this.acknowledges = options.acknowledges;
    this.world = options.world;
    this.script = options.script;
    this.random = options.world.random(`scheduler ${options.name}`);
    const { world, address, name, speaks = 'http' } = options;
    this.speaks = speaks;
    this.silenceMs = speaks === 'http' ? HTTP_SILENCE_MS : DRIVER_SILENT_MS;
    this.dial =
      speaks === 'http'
        ? (leader, handlers) => world.network.connect(address, leader.address, 'http', handlers)
        : createDriver({ world, address, name, old: speaks === 'oldDriver', stopped: () => this.stopped });
    const watcher = {
      address: this.address,
      isListening: () => !this.stopped,
      leaderChanged: (leader: Machine | undefined) => {
        if (this.leader === leader) return;
        this.leader = leader;
        this.dropSession();
        this.connectIn(between(this.random, 0, 1_000));
      },
    };
    options.masters.watch(watcher);
    this.world.timeline.after(0, () => options.masters.queryLeader(watcher));
    this.every(15_000, () => this.checkHeartbeats());
    this.reconciles = options.reconciles;
    if (this.reconciles) this.every(RECONCILE_EVERY_MS, () => this.reconcileSilent());
    if (this.reconciles) this.every(RECONCILE_ALL_EVERY_MS, () => this.connected && this.reconcileAll());
  }

  get connected(): boolean {
    return this.session?.subscribed === true;
  }

  every(ms: number, callback: () => void): void {
    this.world.timeline.after(ms, () => {
      if (this.stopped) return;
      callback();
      this.every(ms, callback);
    });
  }

  private connectIn(ms: number): void {
    this.world.timeline.cancel(this.reconnection);
    this.reconnection = this.world.timeline.after(ms, () => this.connect());
  }

  private connect(): void {
    if (this.stopped || this.replaced || this.session !== undefined) return;
    if (this.leader === undefined) return this.connectIn(1_000);
    const session: Session = {
      end: this.dial(this.leader, {
        data: (payload) => this.session === session && this.receiveAnswer(session, payload as HttpAnswer),
        ended: () => {
          if (this.session !== session) return;
          this.dropSession();
          this.connectIn(between(this.random, 500, 4_000));
        },
      }),
      stream: undefined,
      subscribed: false,
      lastEventMs: this.world.timeline.nowMs(),
    };
    this.session = session;
    this.subscribe(session);
  }

  private subscribe(session: Session): void {
    const id = this.memory.frameworkId;
    const framework_info = id === undefined ? this.info : { ...this.info, id: { value: id } };
    const call: SchedulerCall = {
      ...(id === undefined ? {} : { framework_id: { value: id } }),
      type: 'SUBSCRIBE',
      subscribe: { framework_info },
    };
    this.write(session.end, undefined, call);
  }

  private write(end: End, streamId: StreamId | undefined, call: SchedulerCall): void {
    this.world.journal.record(this.name, `call ${call.type}`, call);
    for (const observer of this.world.observers) observer.schedulerCalled?.(this, call);
    const request: HttpRequest = { kind: 'schedulerCall', streamId, call };
    end.write(transmitRequest(request, this.world.encoded));
  }

  private dropSession(): void {
    const { session } = this;
    if (session === undefined) return;
    this.session = undefined;
    session.end.close();
    if (session.subscribed) {
      this.world.journal.record(this.name, 'disconnected');
      this.script.disconnected?.(this);
    }
  }

  private receiveAnswer(session: Session, answer: HttpAnswer): void {
    session.lastEventMs = this.world.timeline.nowMs();
    if (answer.kind === 'reply') {
      this.dropSession();
      this.connectIn(between(this.random, 500, 3_000));
    } else if (answer.kind === 'opened') {
      session.stream = answer.stream;
      this.stream = answer.stream;
    } else this.receiveEvent(session, answer.event);
  }

  private receiveEvent(session: Session, event: SchedulerEvent): void {
    if (event.type !== 'HEARTBEAT') this.world.journal.record(this.name, `receives ${event.type}`, event);
    for (const observer of this.world.observers) observer.schedulerReceived?.(this, event);
    if (event.subscribed !== undefined) {
      session.subscribed = true;
      this.memory.frameworkId = event.subscribed.framework_id.value;
      if (this.reconciles) this.reconcileAll();
      this.script.subscribed?.(this);
    }
    if (event.offers !== undefined) this.script.offers?.(this, event.offers.offers ?? []);
    if (event.update !== undefined) this.receiveUpdate(event.update.status);
    if (event.error !== undefined) this.handleError(event.error.message);
    this.script.event?.(this, event);
  }

  private receiveUpdate(status: TaskStatus): void {
    const task = this.memory.tasks.get(status.task_id.value);
    if (task !== undefined) {
      task.status = status;
      task.lastUpdateMs = this.world.timeline.nowMs();
    }
    if (status.uuid !== undefined && this.acknowledges && status.agent_id !== undefined) {
      const { agent_id, task_id, uuid } = status;
      this.call({ type: 'ACKNOWLEDGE', acknowledge: { agent_id, task_id, uuid } });
    }
    if (task !== undefined) this.script.updated?.(this, task, status);
  }

  /** The framework failed over to another process, was disconnected, or was removed; then it subscribes without an id. */
  private handleError(message: string): void {
    if (message === 'Framework disconnected') {
      // The process restarts its driver with the same framework id.
      this.dropSession();
      this.connectIn(between(this.random, 1_000, 5_000));
      return;
    }
    if (message === 'Framework failed over') {
      this.replaced = true;
      this.world.timeline.after(30_000, () => this.kill());
      this.dropSession();
      return;
    }
    if (this.memory.frameworkId !== undefined) this.memory.formerIds.push(this.memory.frameworkId);
    this.memory.frameworkId = undefined;
    this.memory.tasks.clear();
    this.dropSession();
    this.connectIn(between(this.random, 1_000, 5_000));
  }

  private checkHeartbeats(): void {
    const { session } = this;
    const nowMs = this.world.timeline.nowMs();
    if (session === undefined || nowMs - session.lastEventMs < this.silenceMs) return;
    if (this.speaks === 'http') {
      this.dropSession();
      this.connectIn(between(this.random, 0, 2_000));
    } else {
      session.lastEventMs = nowMs;
      this.subscribe(session);
    }
  }

  private reconcileAll(): void {
    this.call({ type: 'RECONCILE', reconcile: {} });
    this.world.timeline.after(5_000, () => this.reconcile([...this.memory.tasks.values()].filter(isAlive)));
  }

  private reconcileSilent(): void {
    const before = this.world.timeline.nowMs() - RECONCILE_EVERY_MS;
    this.reconcile([...this.memory.tasks.values()].filter((task) => isAlive(task) && task.lastUpdateMs < before));
  }

  private reconcile(tasks: readonly TaskView[]): void {
    if (tasks.length === 0 || !this.connected) return;
    this.call({
      type: 'RECONCILE',
      reconcile: { tasks: tasks.map(({ id, agentId }) => ({ task_id: { value: id }, agent_id: { value: agentId } })) },
    });
  }

  call(call: Partial<SchedulerCall>, answered?: (status: number | undefined) => void): void {
    const { frameworkId } = this.memory;
    if (this.stopped || this.leader === undefined || frameworkId === undefined || this.stream === undefined) {
      answered?.(undefined);
      return;
    }
    let status: number | undefined;
    const end = this.dial(this.leader, {
      data: (payload) => {
        const answer = payload as HttpAnswer;
        if (answer.kind === 'reply') status = answer.reply.status;
      },
      ended: () => answered?.(status),
    });
    this.write(end, this.stream, { framework_id: { value: frameworkId }, ...call } as SchedulerCall);
    this.repeat(call, this.stream, this.leader);
  }

  /** Repeats the call, as a client or proxy does that lost the connection before the response. */
  private repeat(call: Partial<SchedulerCall>, stream: StreamId, leader: Machine): void {
    const { network, timeline } = this.world;
    if (!REPEATABLE.has(call.type) || !happens(this.random, network.options.repeatChance)) return;
    this.world.count('calls repeated');
    timeline.after(between(this.random, 0, 3_000), () => {
      if (this.stopped) return;
      const end = network.connect(this.address, leader.address, 'http', { data: () => {}, ended: () => {} });
      this.write(end, stream, { framework_id: { value: this.memory.frameworkId ?? '' }, ...call } as SchedulerCall);
    });
  }

  launch(offers: readonly Offer[], tasks: readonly TaskInfo[], more: readonly OfferOperation[] = []): void {
    const operation: OfferOperation = { type: 'LAUNCH', launch: { task_infos: tasks } };
    this.accept(offers, [...more, ...(tasks.length > 0 ? [operation] : [])]);
  }

  accept(offers: readonly Offer[], operations: readonly OfferOperation[], filters?: Filters): void {
    const nowMs = this.world.timeline.nowMs();
    const views = operations.flatMap(({ launch, launch_group: group }) => [
      ...(launch?.task_infos ?? []).map((task) => viewOf(task, task.executor, nowMs)),
      ...(group?.task_group.tasks ?? []).map((task) => viewOf(task, group?.executor, nowMs)),
    ]);
    for (const view of views) this.memory.tasks.set(view.id, view);
    const accept = { offer_ids: offers.map(({ id }) => id), operations, ...(filters === undefined ? {} : { filters }) };
    this.call({ type: 'ACCEPT', accept }, (status) => {
      if (status !== undefined && status !== 202) for (const view of views) view.refused = true;
    });
  }

  disconnect(pauseMs: number): void {
    this.dropSession();
    this.connectIn(pauseMs);
  }

  kill(): void {
    if (this.stopped) return;
    this.stopped = true;
    this.world.timeline.cancel(this.reconnection);
    this.session = undefined;
    this.world.network.endProcess(this.address, 'reset');
    this.world.journal.record(this.name, 'dies');
  }
}

export const startScheduler = (options: SchedulerOptions): SchedulerClient => new Client(options);
