// A framework's connection to the master: the v1 scheduler API (Mesos: docs/scheduler-http-api).
//
// Owns: the subscription (framework id, stream id), its renewal, and the queue of events.
// Boundary: decisions about offers and tasks are the reader's. The events have one reader: iterate over a scheduler once.
// SCHEDULER-1: at most one subscription is open, and all have the framework id of the first.
// SCHEDULER-2: an update is acknowledged only when the reader takes the next event, so that an update being handled when the
//     process dies is delivered again.
// SCHEDULER-3: a subscription that ended without an ERROR event is renewed, after pauses that grow to 10 s.
// SCHEDULER-4: a subscription that is silent for three heartbeats, or on which the master refuses calls, is renewed; its calls
//     in progress are rejected.
import { type CallError, createSchedulerClient, type EventStream, type SchedulerClient } from '@meseta/api';
import type { FrameworkInfo, SchedulerCall, SchedulerEvent, SchedulerEventUpdate } from '@meseta/wire';
import { type Credential, clientOptions } from './addresses.js';
import { isFinalRefusal, MesetaError, rejection } from './errors.js';
import { createEventQueue, type EventQueue } from './event-queue.js';
import { type Masters, mastersOf } from './masters.js';
import { keepConnected } from './reconnect.js';

/** The interval of heartbeats unless SUBSCRIBED contains another one. */
const HEARTBEAT_MS = 15_000;
const SILENT_HEARTBEATS = 3;
/** setTimeout takes no longer delay, and fires at once instead. */
const MAX_TIMER_MS = 2 ** 31 - 1;
/** Acknowledgements in progress at the same time. */
const MAX_ACKNOWLEDGING = 32;

/** A framework's info; fields with defaults are optional. */
export type FrameworkOptions = Omit<FrameworkInfo, 'user' | 'id'> & { readonly user?: string | undefined };

export interface SchedulerOptions {
  /**
   * `127.0.0.1:5050`, a URL, or several of them, or the `zk://`, `etcd://` or `etcds://` address of the service that elects the
   * leader.
   */
  readonly master: string | readonly string[];
  /**
   * Defaults: user `root`, `checkpoint` true, `failover_timeout` one week, the capabilities MULTI_ROLE,
   * RESERVATION_REFINEMENT, PARTITION_AWARE and TASK_KILLING_STATE, roles `['*']`.
   */
  readonly framework: FrameworkOptions;
  /** Takes over the framework with this id, as after a crash of its scheduler. */
  readonly frameworkId?: string | undefined;
  readonly credential?: Credential | undefined;
  /** `manual`: the reader calls `acknowledge`. `automatic` (the default): see SCHEDULER-2. */
  readonly acknowledge?: 'automatic' | 'manual' | undefined;
  /** The number of unread events at which reading from the socket stops; 1024 unless given. */
  readonly maxQueuedEvents?: number | undefined;
}

type CallBody = { readonly [K in SchedulerCall['type'] & string]: Omit<SchedulerCall, 'type' | 'framework_id'> };

export interface Scheduler extends AsyncIterable<SchedulerEvent> {
  /** Set by SUBSCRIBED. Store it to fail the framework over after a crash. */
  readonly frameworkId: string | undefined;
  /** Sends any call except SUBSCRIBE. Rejects with a MesetaError if the master refuses it. */
  call<K extends keyof CallBody>(type: K, body?: CallBody[K]): Promise<void>;
  /** Acknowledges an update that has a uuid; others need no acknowledgement. Rejects with a MesetaError. */
  acknowledge(update: SchedulerEventUpdate): Promise<void>;
  /** Ends the iteration and the connection; the framework continues until its failover timeout. */
  close(): void;
  /** Ends the framework and all its tasks, then closes. Rejects with a MesetaError, and does not close, if that fails. */
  teardown(): Promise<void>;
}

interface Connection {
  readonly master: SchedulerClient;
  readonly streamId: string;
  /** Aborted when the subscription is abandoned. */
  readonly life: AbortController;
}

interface Client {
  readonly options: SchedulerOptions;
  readonly masters: Masters;
  readonly queue: EventQueue<SchedulerEvent>;
  readonly abort: AbortController;
  frameworkId: string | undefined;
  /** Aborted to abandon the subscription that is open or being opened. */
  life: AbortController | undefined;
  connection: Connection | undefined;
  /** The URL of the master that the last subscription was sent to. */
  target: string | undefined;
  /** The TEARDOWN that waits for its answer. */
  teardown: Promise<void> | undefined;
}

/** Subscribes, and stays subscribed until `close`, `teardown` or an ERROR event of the master. */
export function connectScheduler(options: SchedulerOptions): Scheduler {
  const masters = mastersOf(options.master);
  const client: Client = {
    options,
    masters,
    queue: createEventQueue(options.maxQueuedEvents ?? 1024),
    abort: new AbortController(),
    frameworkId: options.frameworkId,
    life: undefined,
    connection: undefined,
    target: undefined,
    teardown: undefined,
  };
  void staySubscribed(client);
  const close = (): void => {
    client.abort.abort();
    client.queue.end();
  };
  return {
    get frameworkId() {
      return client.frameworkId;
    },
    call: (type, body) => call(client, { type, ...body }),
    acknowledge: (update) => acknowledge(client, update),
    close,
    async teardown() {
      client.teardown = call(client, { type: 'TEARDOWN' }).then(close);
      try {
        await client.teardown;
      } finally {
        client.teardown = undefined;
      }
    },
    [Symbol.asyncIterator]: () => iterate(client),
  };
}

/**
 * SCHEDULER-2: taking the next event means that the last one was handled. Its acknowledgement is sent while the next event is
 * handled, unless `MAX_ACKNOWLEDGING` are in progress.
 */
async function* iterate(client: Client): AsyncGenerator<SchedulerEvent, void, undefined> {
  const acknowledging = new Set<Promise<unknown>>();
  for (;;) {
    const event = await client.queue.take();
    if (event === undefined) break;
    yield event;
    if (client.options.acknowledge === 'manual' || event.update?.status.uuid === undefined) continue;
    // The agent sends the update again if its acknowledgement is lost with the connection.
    const sent: Promise<unknown> = acknowledge(client, event.update)
      .catch((error: unknown) => {
        if (!(error instanceof MesetaError)) throw error;
      })
      .then(() => acknowledging.delete(sent));
    acknowledging.add(sent);
    if (acknowledging.size >= MAX_ACKNOWLEDGING) await Promise.race(acknowledging);
  }
  await Promise.all(acknowledging);
}

/** SCHEDULER-3: a final failure ends the queue. */
async function staySubscribed(client: Client): Promise<void> {
  try {
    await keepConnected({
      async connect(established) {
        // The master may end the stream before it answers; the framework that is gone must not subscribe again.
        await client.teardown?.catch(() => {});
        if (!client.abort.signal.aborted) await subscribe(client, established);
      },
      isFinal: (error) =>
        !(error instanceof Error) ||
        (error instanceof MesetaError && (error.code === 'framework' || isFinalRefusal(error))),
      follow: (onOther) =>
        client.masters.follow((url) => {
          onOther();
          // The stream of a leader that is paused or cut off does not end. A subscription that is on its way to the new leader
          // goes on: the leader may read it after the next one, and take the framework that it has for one that failed over.
          if (client.target !== url) client.life?.abort();
        }),
      signal: client.abort.signal,
    });
  } catch (error) {
    client.queue.end(error instanceof Error ? error : new Error(String(error)));
  }
}

/** One subscription, from SUBSCRIBE to the end of its stream. */
async function subscribe(client: Client, connected: () => void): Promise<void> {
  const framework_id = client.frameworkId === undefined ? undefined : { value: client.frameworkId };
  // Two signals, as the end of a stream (by TEARDOWN or close) must not abort calls in progress.
  const life = new AbortController();
  const stream = new AbortController();
  const stop = (): void => stream.abort();
  client.abort.signal.addEventListener('abort', stop);
  life.signal.addEventListener('abort', stop);
  client.life = life;
  let silenceMs = SILENT_HEARTBEATS * HEARTBEAT_MS;
  try {
    const { master, events } = await unlessSilent(silenceMs, life, () =>
      openStream(client, stream.signal, {
        ...(framework_id && { framework_id }),
        type: 'SUBSCRIBE',
        subscribe: { framework_info: frameworkInfo(client.options.framework, framework_id) },
      }),
    );
    const iterator = events[Symbol.asyncIterator]();
    for (;;) {
      // Only the wait for the master counts, not that for a slow reader.
      const { done, value: event } = await unlessSilent(silenceMs, life, () => iterator.next());
      if (done) return;
      if (event.type === 'ERROR') {
        throw new MesetaError('framework', event.error?.message ?? 'the master gave no reason');
      }
      if (event.subscribed) {
        if (events.id === undefined)
          throw new MesetaError('invalidResponse', 'SUBSCRIBE: no Mesos-Stream-Id in the answer');
        client.frameworkId = event.subscribed.framework_id.value;
        client.connection = { master, streamId: events.id, life };
        const seconds = event.subscribed.heartbeat_interval_seconds ?? 0;
        if (seconds > 0) silenceMs = Math.min(SILENT_HEARTBEATS * 1000 * seconds, MAX_TIMER_MS);
        connected();
      }
      await client.queue.push(event);
    }
  } finally {
    client.abort.signal.removeEventListener('abort', stop);
    client.connection = undefined;
    client.life = undefined;
    stop();
  }
}

/** Aborts the subscription if the wait takes longer than `ms`; the abort also ends the wait. */
async function unlessSilent<T>(ms: number, life: AbortController, wait: () => Promise<T>): Promise<T> {
  const timer = setTimeout(() => life.abort(), ms);
  try {
    return await wait();
  } finally {
    clearTimeout(timer);
  }
}

async function openStream(
  client: Client,
  signal: AbortSignal,
  body: SchedulerCall,
): Promise<{ readonly master: SchedulerClient; readonly events: EventStream<SchedulerEvent> }> {
  // A client stays with the master that answered it last; each subscription looks for the leader anew.
  const find = async (): ReturnType<Masters['find']> => {
    const found = await client.masters.find();
    client.target = found.ok ? found.value : undefined;
    return found;
  };
  const master = createSchedulerClient(clientOptions(find, client.options.credential));
  const opened = await master.subscribe(body, signal);
  if (!opened.ok) throw rejection('SUBSCRIBE', opened.error);
  return { master, events: opened.value };
}

function frameworkInfo(options: FrameworkOptions, id: { readonly value: string } | undefined): FrameworkInfo {
  return {
    roles: ['*'],
    checkpoint: true,
    failover_timeout: 7 * 24 * 3600,
    capabilities: [
      { type: 'MULTI_ROLE' },
      { type: 'RESERVATION_REFINEMENT' },
      { type: 'PARTITION_AWARE' },
      { type: 'TASK_KILLING_STATE' },
    ],
    ...options,
    user: options.user ?? 'root',
    ...(id && { id }),
  };
}

async function call(client: Client, body: SchedulerCall): Promise<void> {
  if (client.abort.signal.aborted) throw new MesetaError('closed', `${body.type}: the scheduler was closed`);
  const { connection, frameworkId } = client;
  if (connection === undefined || frameworkId === undefined) {
    throw new MesetaError('disconnected', `${body.type}: not subscribed at the moment`);
  }
  const { master, streamId, life } = connection;
  const called = await master.call({ framework_id: { value: frameworkId }, ...body }, streamId, life.signal);
  if (called.ok) return;
  if (isStale(called.error)) life.abort();
  throw rejection(body.type ?? 'call', called.error);
}

/** The master has another stream of the framework, or none: 403, or a 400 with such a text (of Mesos or Meseta). */
const isStale = (error: CallError): boolean =>
  error.code === 'refused' &&
  (error.status === 403 ||
    (error.status === 400 && /stream[ -]id|framework cannot be found|framework \S+ is unknown/i.test(error.text)));

async function acknowledge(client: Client, { status }: SchedulerEventUpdate): Promise<void> {
  if (status.uuid === undefined || status.agent_id === undefined) return;
  await call(client, {
    type: 'ACKNOWLEDGE',
    acknowledge: { agent_id: status.agent_id, task_id: status.task_id, uuid: status.uuid },
  });
}
