// A framework's connection to the master: the v1 scheduler API (Mesos: docs/scheduler-http-api).
//
// Owns: the subscription (framework id, stream id), its renewal, and the queue of events.
// Boundary: it decides nothing about offers or tasks; whoever reads the events does.
// SCHEDULER-1: at most one subscription is open; its id is the framework's for good.
// SCHEDULER-2: an update is acknowledged only after the reader has come back for the next event, so one that was
//     being handled when the process died is delivered again.
// SCHEDULER-3: a subscription that ended without an ERROR event is renewed, after pauses that grow to 10 s.
// SCHEDULER-4: one that is silent for three heartbeats, or that its master no longer takes calls on, is given up and renewed;
//     calls under way on it are rejected.
import { type CallError, createSchedulerClient, type EventStream, type SchedulerClient } from '@meseta/api';
import type { FrameworkInfo, SchedulerCall, SchedulerEvent, SchedulerEventUpdate } from '@meseta/wire';
import { type Credential, clientOptions } from './addresses.js';
import { MesetaError, rejection } from './errors.js';
import { createEventQueue, type EventQueue } from './event-queue.js';
import { keepConnected } from './reconnect.js';

/** Heartbeats come every so often (Mesos: 15 s) unless SUBSCRIBED says otherwise. */
const HEARTBEAT_MS = 15_000;
const SILENT_HEARTBEATS = 3;
/** Acknowledgements under way at the same time. */
const MAX_ACKNOWLEDGING = 32;

/** A framework's info with what the SDK fills in left out at will. */
export type FrameworkOptions = Omit<FrameworkInfo, 'user' | 'id'> & { readonly user?: string | undefined };

export interface SchedulerOptions {
  /** `127.0.0.1:5050`, a URL, or several of them. */
  readonly master: string | readonly string[];
  /**
   * Defaults: user `root`, `checkpoint` true, `failover_timeout` one week, the capabilities MULTI_ROLE,
   * RESERVATION_REFINEMENT, PARTITION_AWARE and TASK_KILLING_STATE, roles `['*']`.
   */
  readonly framework: FrameworkOptions;
  /** Takes over the framework that subscribed with this id before. */
  readonly frameworkId?: string | undefined;
  readonly credential?: Credential | undefined;
  /** `manual`: call `acknowledge` yourself. Otherwise an update is acknowledged when its handling is done (SCHEDULER-2). */
  readonly acknowledge?: 'automatic' | 'manual' | undefined;
  /** How many events may wait to be read before the socket is left alone. */
  readonly maxQueuedEvents?: number | undefined;
}

type CallBody = { readonly [K in SchedulerCall['type'] & string]: Omit<SchedulerCall, 'type' | 'framework_id'> };

export interface Scheduler extends AsyncIterable<SchedulerEvent> {
  /** Set once SUBSCRIBED has come; keep it to take the framework over after a crash. */
  readonly frameworkId: string | undefined;
  /** Any call of the API but SUBSCRIBE. Rejects with a MesetaError if the master refuses it. */
  call<K extends keyof CallBody>(type: K, body?: CallBody[K]): Promise<void>;
  acknowledge(update: SchedulerEventUpdate): Promise<void>;
  /** Ends the iteration and the connection; the framework lives on until its failover timeout. */
  close(): void;
  /** Ends the framework and all its tasks, then closes. */
  teardown(): Promise<void>;
}

interface Connection {
  readonly master: SchedulerClient;
  readonly streamId: string;
  /** Aborted when the subscription is given up. */
  readonly life: AbortController;
}

interface Client {
  readonly options: SchedulerOptions;
  /** One a configured address; the first that answers is used. */
  readonly masters: readonly SchedulerClient[];
  readonly queue: EventQueue<SchedulerEvent>;
  readonly abort: AbortController;
  frameworkId: string | undefined;
  connection: Connection | undefined;
}

/** Subscribes, and stays subscribed, until `close`, `teardown` or an ERROR event of the master. */
export function connectScheduler(options: SchedulerOptions): Scheduler {
  const client: Client = {
    options,
    masters: [options.master]
      .flat()
      .map((address) => createSchedulerClient(clientOptions(address, options.credential))),
    queue: createEventQueue(options.maxQueuedEvents ?? 1024),
    abort: new AbortController(),
    frameworkId: options.frameworkId,
    connection: undefined,
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
      await call(client, { type: 'TEARDOWN' });
      close();
    },
    [Symbol.asyncIterator]: () => iterate(client),
  };
}

/**
 * SCHEDULER-2: coming back for the next event says that the last one is handled. Its acknowledgement travels while the next is being
 * handled, unless many do already.
 */
async function* iterate(client: Client): AsyncGenerator<SchedulerEvent, void, undefined> {
  const travelling = new Set<Promise<unknown>>();
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
      .then(() => travelling.delete(sent));
    travelling.add(sent);
    if (travelling.size >= MAX_ACKNOWLEDGING) await Promise.race(travelling);
  }
  await Promise.all(travelling);
}

/** SCHEDULER-3: ends the queue with the failure that ends the subscription for good. */
async function staySubscribed(client: Client): Promise<void> {
  try {
    await keepConnected({
      connect: (established) => subscribe(client, established),
      isFinal: (error) =>
        !(error instanceof Error) ||
        (error instanceof MesetaError && (error.code === 'framework' || isFinalRefusal(error))),
      signal: client.abort.signal,
    });
  } catch (error) {
    client.queue.end(error instanceof Error ? error : new Error(String(error)));
  }
}

/** A 5xx says that the master, or a proxy before it, is recovering; 408 and 429 ask to try later. Other refusals are repeated. */
const isFinalRefusal = ({ code, status = 0 }: MesetaError): boolean =>
  code === 'refused' && status < 500 && status !== 408 && status !== 429;

/** One subscription, from SUBSCRIBE to the end of its stream. */
async function subscribe(client: Client, connected: () => void): Promise<void> {
  const framework_id = client.frameworkId === undefined ? undefined : { value: client.frameworkId };
  // Two signals, as a stream that ends (TEARDOWN ends it) or is closed says nothing about calls under way.
  const life = new AbortController();
  const stream = new AbortController();
  const stop = (): void => stream.abort();
  client.abort.signal.addEventListener('abort', stop);
  life.signal.addEventListener('abort', stop);
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
      // Only the wait for the master counts: a reader that is slow to take events makes nobody silent.
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
        if (seconds > 0) silenceMs = SILENT_HEARTBEATS * 1000 * seconds;
        connected();
      }
      await client.queue.push(event);
    }
  } finally {
    client.abort.signal.removeEventListener('abort', stop);
    client.connection = undefined;
    stop();
  }
}

/** Ends the subscription if what is waited for takes longer; the wait then ends as its abort makes it. */
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
): Promise<{ master: SchedulerClient; events: EventStream<SchedulerEvent> }> {
  let failure: CallError | undefined;
  for (const master of client.masters) {
    const opened = await master.subscribe(body, signal);
    if (opened.ok) return { master, events: opened.value };
    failure = opened.error;
    const elsewhere = failure.code === 'unreachable' || (failure.code === 'refused' && failure.status === 503);
    if (!elsewhere) break;
  }
  throw rejection('SUBSCRIBE', failure ?? { code: 'unreachable', url: '', text: 'no address given' });
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

/** The master knows the framework by another stream or by none: 403, or a 400 that speaks of it (Mesos, Meseta). */
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
