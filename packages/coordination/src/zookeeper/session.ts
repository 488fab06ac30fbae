// A session at a ZooKeeper ensemble: it outlives connections, and ends when the servers or the local clock say so.
//
// Owns: the connection, the requests that wait for it or for their answers, and the time until which the session is valid.
// Boundary: one session; a new one after its end is the caller's.
// ZKSESSION-1: `validUntilMonoMs` counts from the sending of the last answered request, not from the arrival of the answer,
//     and by three quarters of the timeout: a server that fails may have reported a session to the others late by half a tick,
//     and the timeout has at least two ticks. The session ends at this time.
// ZKSESSION-2: a change is sent once. If its connection ends before the answer, its outcome is unknown (`connectionLost`).
//     Reads are sent again.
// ZKSESSION-3: answers arrive in the order of the requests. A malformed answer, or one out of order, ends the connection.
// ZKSESSION-4: a watch is called once: when the server reports a change, and when a connection ends, as the report may be lost.
// ZKSESSION-5: after a connection the next server is tried, so that one server that is silent or refuses does not end the session.
import { err, ok, type Result } from '@meseta/base';
import type { Login, Server } from '../service-address.js';
import type { TlsContents } from '../tls-files.js';
import { type Connection, openConnection } from './connection.js';
import { createJuteReader, InvalidResponse, type JuteReader } from './jute.js';
import {
  authFrame,
  closeOperation,
  connectFrame,
  errorOf,
  FailedTransaction,
  NEW_SESSION,
  type Operation,
  PING_FRAME,
  readConnected,
  requestFrame,
  type SessionName,
  XID,
  type ZooKeeperError,
} from './protocol.js';

export interface SessionOptions {
  readonly servers: readonly Server[];
  readonly login: Login | undefined;
  /** Undefined: without TLS. */
  readonly tls: TlsContents | undefined;
  readonly timeoutMs: number;
  /** Called with the reason when every server has failed. */
  warn(text: string): void;
}

export interface Session {
  /** 0 before the first connection. */
  id(): bigint;
  /** A request that changes something. */
  change<T>(operation: Operation<T>): Promise<Result<T, ZooKeeperError>>;
  read<T>(operation: Operation<T>): Promise<Result<T, ZooKeeperError>>;
  /** Calls once at the next change of the children of a watched path. */
  onChildren(path: string, changed: () => void): void;
  /** Before the first connection: infinite. */
  validUntilMonoMs(): number;
  /** The reason for the log. */
  readonly ended: Promise<string>;
  close(): Promise<void>;
  /** For tests. */
  readonly name: () => SessionName;
}

interface Request {
  readonly operation: Operation<unknown>;
  readonly isChange: boolean;
  resolve(result: Result<unknown, ZooKeeperError>): void;
}

interface Sent {
  readonly request: Request;
  readonly xid: number;
  readonly atMs: number;
}

interface State {
  readonly options: SessionOptions;
  /** The servers in the order of the attempts. */
  readonly servers: readonly Server[];
  /** The number of connections that were begun. */
  begunConnections: number;
  /** Of the last connections, how many the server did not accept, or ended within `RETRY_MS`. */
  failures: number;
  connection: Connection | undefined;
  /** Whether the server has accepted the session on this connection. */
  isConnected: boolean;
  name: SessionName;
  lastZxid: bigint;
  /** As granted by the server. */
  timeoutMs: number;
  validUntilMs: number;
  lastXid: number;
  /** Sent, in order. */
  sent: Sent[];
  waiting: Request[];
  /** The times at which unanswered pings were sent, in order. */
  pings: number[];
  connectSentAtMs: number;
  lastSentMs: number;
  lastReceivedMs: number;
  readonly watches: Map<string, Set<() => void>>;
  endReason: string | undefined;
  readonly end: (reason: string) => void;
}

/** Parts of the timeout. */
const VALID_SHARE = 3 / 4;
const PING_SHARE = 1 / 6;
const SILENT_SHARE = 1 / 2;
const CONNECT_SHARE = 1 / 3;
const TICK_SHARE = 1 / 12;
const RETRY_MS = 250;
const MAX_XID = 2 ** 31 - 1;
const CLOSE_TIMEOUT_MS = 1000;

const nowMs = (): number => performance.now();

export function openSession(options: SessionOptions): Session {
  let end: (reason: string) => void = () => {};
  const ended = new Promise<string>((resolve) => {
    end = resolve;
  });
  const state: State = {
    options,
    servers: shuffled(options.servers),
    begunConnections: 0,
    failures: 0,
    connection: undefined,
    isConnected: false,
    name: NEW_SESSION,
    lastZxid: 0n,
    timeoutMs: options.timeoutMs,
    validUntilMs: Number.POSITIVE_INFINITY,
    lastXid: 0,
    sent: [],
    waiting: [],
    pings: [],
    connectSentAtMs: 0,
    lastSentMs: 0,
    lastReceivedMs: 0,
    watches: new Map(),
    endReason: undefined,
    end,
  };
  connectNext(state);
  const timer = setInterval(() => checkTimes(state), Math.max(20, options.timeoutMs * TICK_SHARE));
  void ended.then(() => clearInterval(timer));
  const enqueue = <T>(operation: Operation<T>, isChange: boolean): Promise<Result<T, ZooKeeperError>> =>
    new Promise((resolve) => {
      submit(state, { operation, isChange, resolve: resolve as Request['resolve'] });
    });
  return {
    id: () => state.name.id,
    name: () => state.name,
    change: (operation) => enqueue(operation, true),
    read: (operation) => enqueue(operation, false),
    onChildren(path, changed) {
      const watches = state.watches.get(path) ?? new Set();
      state.watches.set(path, watches.add(changed));
    },
    validUntilMonoMs: () => (state.endReason === undefined ? state.validUntilMs : Number.NEGATIVE_INFINITY),
    ended,
    async close() {
      if (state.isConnected) {
        const answered = enqueue(closeOperation, true);
        await Promise.race([answered, new Promise((resolve) => setTimeout(resolve, CLOSE_TIMEOUT_MS).unref())]);
      }
      endSession(state, 'closed');
    },
  };
}

/** Clients spread over the servers. */
function shuffled<T>(items: readonly T[]): readonly T[] {
  const keyed = items.map((item) => ({ item, key: Math.random() }));
  return keyed.sort((a, b) => a.key - b.key).map(({ item }) => item);
}

function submit(state: State, request: Request): void {
  if (state.endReason !== undefined) {
    request.resolve(err({ code: 'closed', text: `the session has ended: ${state.endReason}` }));
  } else if (state.isConnected) {
    send(state, request);
  } else {
    state.waiting.push(request);
  }
}

function send(state: State, request: Request): void {
  state.lastXid = state.lastXid === MAX_XID ? 1 : state.lastXid + 1;
  state.lastSentMs = nowMs();
  state.sent.push({ request, xid: state.lastXid, atMs: state.lastSentMs });
  state.connection?.write(requestFrame(state.lastXid, request.operation));
}

function connectNext(state: State): void {
  const server = state.servers[state.begunConnections % state.servers.length] as Server;
  state.begunConnections++;
  const begunAtMs = nowMs();
  state.connectSentAtMs = begunAtMs;
  const connection = openConnection(server, state.options.tls, {
    onOpen() {
      state.connectSentAtMs = nowMs();
      connection.write(connectFrame(state.name, state.lastZxid, state.options.timeoutMs));
      if (state.options.login !== undefined) connection.write(authFrame(state.options.login));
    },
    onFrame: (frame) => takeFrame(state, frame),
    onClosed(reason) {
      const hasFailed = !state.isConnected || nowMs() - begunAtMs < RETRY_MS;
      state.failures = hasFailed ? state.failures + 1 : 0;
      afterConnection(state, `${server.host}:${server.port}: ${reason}`);
    },
  });
  state.connection = connection;
}

function afterConnection(state: State, reason: string): void {
  state.connection = undefined;
  state.isConnected = false;
  state.pings = [];
  const unanswered = state.sent;
  state.sent = [];
  const again = unanswered.filter(({ request }) => !request.isChange).map(({ request }) => request);
  state.waiting = [...again, ...state.waiting];
  const lost: ZooKeeperError = { code: 'connectionLost', text: 'the connection was lost before the answer' };
  for (const { request } of unanswered) if (request.isChange) request.resolve(err(lost));
  for (const path of [...state.watches.keys()]) callWatches(state, path);
  if (state.endReason !== undefined) return;
  const haveAllFailed = state.failures > 0 && state.failures % state.servers.length === 0;
  if (haveAllFailed) state.options.warn(reason);
  const delayMs = haveAllFailed ? RETRY_MS : 0;
  setTimeout(() => {
    if (state.endReason === undefined) connectNext(state);
  }, delayMs);
}

function callWatches(state: State, path: string): void {
  const watches = state.watches.get(path);
  state.watches.delete(path);
  for (const changed of watches ?? []) changed();
}

/** ZKSESSION-3 */
function takeFrame(state: State, frame: Buffer): void {
  if (state.endReason !== undefined) return;
  state.lastReceivedMs = nowMs();
  try {
    if (state.isConnected) handleResponse(state, createJuteReader(frame));
    else takeConnected(state, frame);
  } catch (cause) {
    if (!(cause instanceof InvalidResponse)) throw cause;
    state.connection?.destroy(`the server's answer is malformed: ${cause.message}`);
  }
}

function takeConnected(state: State, frame: Buffer): void {
  const connected = readConnected(frame);
  if (connected === undefined) return endSession(state, 'the session has expired');
  state.name = connected.session;
  state.timeoutMs = Math.min(connected.timeoutMs, state.options.timeoutMs);
  state.isConnected = true;
  state.lastSentMs = nowMs();
  extend(state, state.connectSentAtMs, true);
  for (const request of state.waiting.splice(0)) send(state, request);
}

function handleResponse(state: State, from: JuteReader): void {
  const xid = from.int();
  const zxid = from.long();
  const failure = errorOf(from.int());
  if (xid === XID.notification) return takeNotification(state, from);
  if (zxid > state.lastZxid) state.lastZxid = zxid;
  if (xid === XID.ping) return extend(state, state.pings.shift());
  if (xid === XID.auth) {
    if (failure !== undefined) endSession(state, failure.text);
    return;
  }
  const sent = state.sent[0];
  if (sent?.xid !== xid) throw new InvalidResponse('it is out of order');
  // A malformed answer leaves the request among those without an answer.
  const result = failure === undefined ? read(sent.request.operation, from) : err(failure);
  state.sent.shift();
  extend(state, sent.atMs);
  if (failure?.code === 'expired') endSession(state, failure.text);
  sent.request.resolve(result);
}

function read<T>(operation: Operation<T>, from: JuteReader): Result<T, ZooKeeperError> {
  try {
    return ok(operation.read(from));
  } catch (cause) {
    if (cause instanceof FailedTransaction) return err(cause.error);
    throw cause;
  }
}

function takeNotification(state: State, from: JuteReader): void {
  from.skip(2 * 4);
  callWatches(state, from.text());
}

/** ZKSESSION-1. Time that has run out is not extended, except by the server that takes the session over. */
function extend(state: State, sentAtMs: number | undefined, isFirst = false): void {
  if (sentAtMs === undefined) return;
  if (!isFirst && nowMs() >= state.validUntilMs) return;
  const until = sentAtMs + state.timeoutMs * VALID_SHARE;
  const before = Number.isFinite(state.validUntilMs) ? state.validUntilMs : 0;
  if (until > before) state.validUntilMs = until;
}

function checkTimes(state: State): void {
  const now = nowMs();
  if (now >= state.validUntilMs) return endSession(state, 'no server has answered within its timeout');
  if (!state.isConnected) {
    if (state.connection !== undefined && now - state.connectSentAtMs > state.timeoutMs * CONNECT_SHARE)
      state.connection.destroy('the server does not answer');
    return;
  }
  if (now - state.lastReceivedMs > state.timeoutMs * SILENT_SHARE) {
    state.connection?.destroy('the server is silent');
  } else if (now - state.lastSentMs >= state.timeoutMs * PING_SHARE) {
    state.lastSentMs = now;
    state.pings.push(now);
    state.connection?.write(PING_FRAME);
  }
}

function endSession(state: State, reason: string): void {
  if (state.endReason !== undefined) return;
  state.endReason = reason;
  state.end(reason);
  for (const request of state.waiting.splice(0)) submit(state, request);
  // Sent requests are answered when the connection has closed.
  if (state.connection === undefined) afterConnection(state, reason);
  else state.connection.destroy(reason);
}
