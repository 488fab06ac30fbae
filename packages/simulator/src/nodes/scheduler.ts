// A scheduler's process: its connection to the leading master, its memory, and the events that its script acts on.
//
// Owns: the stream, and the memory of the framework (a database that survives every process).
// SIMULATED-SCHEDULER-1: a task is in memory before its launch is sent; an update is in memory before it is acknowledged.
// SIMULATED-SCHEDULER-2: at each subscription it reconciles every task that it does not know to have ended; later those of
//     which it has received no update for a minute.

import type { Random } from '@meseta/base';
import type { StreamId } from '@meseta/master/core/io';
import type {
  Filters,
  FrameworkInfo,
  Offer,
  OfferOperation,
  SchedulerCall,
  SchedulerEvent,
  TaskInfo,
  TaskStatus,
} from '@meseta/wire';
import { between, happens } from '../engine/chance.js';
import type { Machine } from '../engine/machine.js';
import type { End } from '../engine/network.js';
import type { Scheduled } from '../engine/timeline.js';
import type { World } from '../world.js';
import { createDriver, type Dial } from './driver.js';
import { isAlive, launchedTask, type Memory, type TaskView } from './framework-memory.js';
import { type HttpRequest, type HttpResponse, transmitRequest } from './http.js';
import type { Masters } from './masters.js';

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
/**
 * Drivers receive no heartbeats. After this time without an event a driver registers again: only the master may have noticed
 * that the connection broke.
 */
const DRIVER_SILENT_MS = 150_000;

interface Session {
  readonly end: End;
  stream: StreamId | undefined;
  subscribed: boolean;
  lastEventMs: number;
}

interface Client extends SchedulerClient {
  readonly world: World;
  readonly script: Script;
  readonly reconciles: boolean;
  readonly dial: Dial;
  readonly speaks: 'http' | 'driver' | 'oldDriver';
  /** After this time without an event it subscribes again. */
  readonly silenceMs: number;
  stopped: boolean;
  replaced: boolean;
  session: Session | undefined;
  /** The stream of this or the last session: a process that was replaced may continue to use it. */
  stream: StreamId | undefined;
  leader: Machine | undefined;
  reconnection: Scheduled | undefined;
}

export function startScheduler(options: SchedulerOptions): SchedulerClient {
  const client = createClient(options);
  client.memory.newestProcess = client.name;
  const watcher = {
    address: client.address,
    isListening: () => !client.stopped,
    leaderChanged(leader: Machine | undefined) {
      if (client.leader === leader) return;
      client.leader = leader;
      dropSession(client);
      connectIn(client, between(client.random, 0, 1_000));
    },
  };
  options.masters.views.watch(watcher);
  client.world.timeline.after(0, () => options.masters.queryLeader(watcher));
  every(client, 15_000, () => checkHeartbeats(client));
  if (!client.reconciles) return client;
  every(client, RECONCILE_EVERY_MS, () => reconcileSilent(client));
  every(client, RECONCILE_ALL_EVERY_MS, () => client.connected && reconcileAll(client));
  return client;
}

function createClient(options: SchedulerOptions): Client {
  const { world, address, name, memory, info, acknowledges, reconciles, script, speaks = 'http' } = options;
  const client: Client = {
    world,
    name,
    address,
    memory,
    info,
    script,
    acknowledges,
    reconciles,
    speaks,
    random: world.random(`scheduler ${name}`),
    silenceMs: speaks === 'http' ? HTTP_SILENCE_MS : DRIVER_SILENT_MS,
    dial:
      speaks === 'http'
        ? (leader, handlers) => world.network.connect(address, leader.address, 'http', handlers)
        : createDriver({ world, address, name, old: speaks === 'oldDriver', stopped: () => client.stopped }),
    stopped: false,
    replaced: false,
    session: undefined,
    stream: undefined,
    leader: undefined,
    reconnection: undefined,
    get connected() {
      return client.session?.subscribed === true;
    },
    call: (content, answered) => call(client, content, answered),
    launch: (offers, tasks, more) => launch(client, offers, tasks, more),
    accept: (offers, operations, filters) => accept(client, offers, operations, filters),
    disconnect: (pauseMs) => disconnect(client, pauseMs),
    kill: () => kill(client),
    every: (ms, callback) => every(client, ms, callback),
  };
  return client;
}

function every(client: Client, ms: number, callback: () => void): void {
  client.world.timeline.after(ms, () => {
    if (client.stopped) return;
    callback();
    every(client, ms, callback);
  });
}

function connectIn(client: Client, ms: number): void {
  client.world.timeline.cancel(client.reconnection);
  client.reconnection = client.world.timeline.after(ms, () => connect(client));
}

function connect(client: Client): void {
  if (client.stopped || client.replaced || client.session !== undefined) return;
  if (client.leader === undefined) return connectIn(client, 1_000);
  const session: Session = {
    end: client.dial(client.leader, {
      data: (payload) => client.session === session && receiveResponse(client, session, payload as HttpResponse),
      ended: () => {
        if (client.session !== session) return;
        dropSession(client);
        connectIn(client, between(client.random, 500, 4_000));
      },
    }),
    stream: undefined,
    subscribed: false,
    lastEventMs: client.world.timeline.nowMs(),
  };
  client.session = session;
  subscribe(client, session);
}

/** Only the newest process subscribes without an id, or the master would take the processes for several frameworks. */
function subscribe(client: Client, session: Session): void {
  const { frameworkId: id, newestProcess } = client.memory;
  if (id === undefined && client.name !== newestProcess) {
    kill(client);
    return;
  }
  const framework_info = id === undefined ? client.info : { ...client.info, id: { value: id } };
  const call: SchedulerCall = {
    ...(id === undefined ? {} : { framework_id: { value: id } }),
    type: 'SUBSCRIBE',
    subscribe: { framework_info },
  };
  write(client, session.end, undefined, call);
}

function write(client: Client, end: End, streamId: StreamId | undefined, call: SchedulerCall): void {
  client.world.journal.record(client.name, `call ${call.type}`, call);
  for (const observer of client.world.observers) observer.schedulerCalled?.(client, call);
  const request: HttpRequest = { kind: 'schedulerCall', streamId, call };
  end.write(transmitRequest(request, client.world.encoded));
}

function dropSession(client: Client): void {
  const { session } = client;
  if (session === undefined) return;
  client.session = undefined;
  session.end.close();
  if (session.subscribed) {
    client.world.journal.record(client.name, 'disconnected');
    client.script.disconnected?.(client);
  }
}

function receiveResponse(client: Client, session: Session, answer: HttpResponse): void {
  session.lastEventMs = client.world.timeline.nowMs();
  if (answer.kind === 'reply') {
    dropSession(client);
    connectIn(client, between(client.random, 500, 3_000));
  } else if (answer.kind === 'opened') {
    session.stream = answer.stream;
    client.stream = answer.stream;
  } else receiveEvent(client, session, answer.event);
}

function receiveEvent(client: Client, session: Session, event: SchedulerEvent): void {
  if (event.type !== 'HEARTBEAT') client.world.journal.record(client.name, `receives ${event.type}`, event);
  for (const observer of client.world.observers) observer.schedulerReceived?.(client, event);
  if (event.subscribed !== undefined) {
    session.subscribed = true;
    client.memory.frameworkId = event.subscribed.framework_id.value;
    if (client.reconciles) reconcileAll(client);
    client.script.subscribed?.(client);
  }
  if (event.offers !== undefined) client.script.offers?.(client, event.offers.offers ?? []);
  if (event.update !== undefined) receiveUpdate(client, event.update.status);
  if (event.error !== undefined) handleError(client, event.error.message);
  client.script.event?.(client, event);
}

function receiveUpdate(client: Client, status: TaskStatus): void {
  const task = client.memory.tasks.get(status.task_id.value);
  if (task !== undefined) {
    task.status = status;
    task.lastUpdateMs = client.world.timeline.nowMs();
  }
  if (status.uuid !== undefined && client.acknowledges && status.agent_id !== undefined) {
    const { agent_id, task_id, uuid } = status;
    call(client, { type: 'ACKNOWLEDGE', acknowledge: { agent_id, task_id, uuid } });
  }
  if (task !== undefined) client.script.updated?.(client, task, status);
}

/** The framework failed over to another process, was disconnected, or was removed; then it subscribes without an id. */
function handleError(client: Client, message: string): void {
  if (message === 'Framework disconnected') {
    // The process restarts its driver with the same framework id.
    dropSession(client);
    connectIn(client, between(client.random, 1_000, 5_000));
    return;
  }
  if (message === 'Framework failed over') {
    client.replaced = true;
    client.world.timeline.after(30_000, () => kill(client));
    dropSession(client);
    return;
  }
  if (client.memory.frameworkId !== undefined) client.memory.formerIds.push(client.memory.frameworkId);
  client.memory.frameworkId = undefined;
  client.memory.tasks.clear();
  dropSession(client);
  connectIn(client, between(client.random, 1_000, 5_000));
}

function checkHeartbeats(client: Client): void {
  const { session } = client;
  const nowMs = client.world.timeline.nowMs();
  if (session === undefined || nowMs - session.lastEventMs < client.silenceMs) return;
  if (client.speaks === 'http') {
    dropSession(client);
    connectIn(client, between(client.random, 0, 2_000));
  } else {
    session.lastEventMs = nowMs;
    subscribe(client, session);
  }
}

function reconcileAll(client: Client): void {
  call(client, { type: 'RECONCILE', reconcile: {} });
  client.world.timeline.after(5_000, () => reconcile(client, [...client.memory.tasks.values()].filter(isAlive)));
}

function reconcileSilent(client: Client): void {
  const before = client.world.timeline.nowMs() - RECONCILE_EVERY_MS;
  reconcile(
    client,
    [...client.memory.tasks.values()].filter((task) => isAlive(task) && task.lastUpdateMs < before),
  );
}

function reconcile(client: Client, tasks: readonly TaskView[]): void {
  if (tasks.length === 0 || !client.connected) return;
  call(client, {
    type: 'RECONCILE',
    reconcile: { tasks: tasks.map(({ id, agentId }) => ({ task_id: { value: id }, agent_id: { value: agentId } })) },
  });
}

function call(client: Client, content: Partial<SchedulerCall>, answered?: (status: number | undefined) => void): void {
  const { frameworkId } = client.memory;
  if (client.stopped || client.leader === undefined || frameworkId === undefined || client.stream === undefined) {
    answered?.(undefined);
    return;
  }
  let status: number | undefined;
  const end = client.dial(client.leader, {
    data: (payload) => {
      const answer = payload as HttpResponse;
      if (answer.kind === 'reply') status = answer.reply.status;
    },
    ended: () => answered?.(status),
  });
  write(client, end, client.stream, { framework_id: { value: frameworkId }, ...content } as SchedulerCall);
  repeat(client, content, client.stream, client.leader);
}

/** Repeats the call, as a client or proxy does that lost the connection before the response. */
function repeat(client: Client, content: Partial<SchedulerCall>, stream: StreamId, leader: Machine): void {
  const { network, timeline } = client.world;
  if (!REPEATABLE.has(content.type) || !happens(client.random, network.options.repeatChance)) return;
  client.world.count('calls repeated');
  timeline.after(between(client.random, 0, 3_000), () => {
    if (client.stopped) return;
    const end = network.connect(client.address, leader.address, 'http', { data: () => {}, ended: () => {} });
    write(client, end, stream, {
      framework_id: { value: client.memory.frameworkId ?? '' },
      ...content,
    } as SchedulerCall);
  });
}

function launch(
  client: Client,
  offers: readonly Offer[],
  tasks: readonly TaskInfo[],
  more: readonly OfferOperation[] = [],
): void {
  const operation: OfferOperation = { type: 'LAUNCH', launch: { task_infos: tasks } };
  accept(client, offers, [...more, ...(tasks.length > 0 ? [operation] : [])]);
}

function accept(
  client: Client,
  offers: readonly Offer[],
  operations: readonly OfferOperation[],
  filters?: Filters,
): void {
  const nowMs = client.world.timeline.nowMs();
  const views = operations.flatMap(({ launch, launch_group: group }) => [
    ...(launch?.task_infos ?? []).map((task) => launchedTask(task, task.executor, nowMs)),
    ...(group?.task_group.tasks ?? []).map((task) => launchedTask(task, group?.executor, nowMs)),
  ]);
  for (const view of views) client.memory.tasks.set(view.id, view);
  const accept = { offer_ids: offers.map(({ id }) => id), operations, ...(filters === undefined ? {} : { filters }) };
  call(client, { type: 'ACCEPT', accept }, (status) => {
    if (status !== undefined && status !== 202) for (const view of views) view.refused = true;
  });
}

function disconnect(client: Client, pauseMs: number): void {
  dropSession(client);
  connectIn(client, pauseMs);
}

function kill(client: Client): void {
  if (client.stopped) return;
  client.stopped = true;
  client.world.timeline.cancel(client.reconnection);
  client.session = undefined;
  client.world.network.endProcess(client.address, 'reset');
  client.world.journal.record(client.name, 'dies');
}
