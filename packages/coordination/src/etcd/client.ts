// A client of etcd's JSON gateway: calls with time limits on one of several servers, and the report of changes below a prefix.
//
// Owns: the connections, the server in use, and the token of the user.
// Boundary: what the calls mean is protocol.ts'.
// ETCDCLIENT-1: a change is sent once. Without an answer, or with one that does not say that it was refused, its outcome is
//     unknown (`unanswered`). Other calls are sent again, to the next server, until their time has passed. The time includes
//     that of authentications.
// ETCDCLIENT-2: an answer has a limit in bytes, and a malformed one is an error of its call.
// ETCDCLIENT-3: a reported change carries no data: the caller reads what it watches. Reports arrive at most every
//     `REPORT_PAUSE_MS`, however many the server sends.
import { type ClientRequest, Agent as HttpAgent, type IncomingMessage, request as requestHttp } from 'node:http';
import { Agent as HttpsAgent, request as requestHttps } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import { err, ok, type Result } from '@meseta/base';
import type { Login, Server } from '../service-address.js';
import type { TlsContents } from '../tls-files.js';
import { authenticateCall, type EtcdCall, type Fields, fieldsOf, WATCH_PATH, watchBody } from './protocol.js';

export interface EtcdError {
  /** `refused`: etcd did not do it. `unanswered`: whether it was done is unknown. `closed`: the client was closed. */
  readonly code: 'refused' | 'unanswered' | 'closed';
  readonly text: string;
}

export interface EtcdClientOptions {
  readonly servers: readonly Server[];
  readonly login: Login | undefined;
  /** Undefined: plain HTTP. */
  readonly tls: TlsContents | undefined;
  /** Of a call with all its attempts. */
  readonly timeoutMs: number;
}

export interface EtcdClient {
  call<T>(call: EtcdCall<T>, timeoutMs?: number): Promise<Result<T, EtcdError>>;
  /** Calls `onChange` when something below the prefix may have changed, until the client is closed. */
  watch(prefix: string, onChange: () => void): void;
  /** Ends all calls with `closed`, except changes, whose outcome is then unknown. */
  close(): void;
}

/** More than a record of the log in base64, and than a page of keys. */
const MAX_ANSWER_BYTES = 4 * 2 ** 20;
const MAX_SOCKETS = 16;
const RETRY_MS = 200;
const REPORT_PAUSE_MS = 50;
/** Of the time of a call: one attempt that may be repeated on another server. */
const ATTEMPT_SHARE = 1 / 3;

/** The gRPC codes with which etcd says that it did not do what was asked. */
const REFUSALS = new Set([3, 5, 6, 7, 8, 9, 11, 12, 16]);
const UNAUTHENTICATED = 16;

type Attempt =
  | { readonly kind: 'answered'; readonly answer: Fields }
  | { readonly kind: 'refused'; readonly grpcCode: number; readonly text: string }
  /** `mayBeDone`: the request may have reached the server. */
  | { readonly kind: 'failed'; readonly mayBeDone: boolean; readonly text: string };

interface State {
  readonly options: EtcdClientOptions;
  readonly agent: HttpAgent;
  /** Requests without an answer, streams included. */
  readonly open: Set<ClientRequest>;
  /** The number of the server in use; counts on when one fails. */
  server: number;
  token: string | undefined;
  isClosed: boolean;
}

const closedError: EtcdError = { code: 'closed', text: 'the client was closed' };

export function createEtcdClient(options: EtcdClientOptions): EtcdClient {
  const agentOptions = { keepAlive: true, maxSockets: MAX_SOCKETS, noDelay: true };
  const state: State = {
    options,
    agent:
      // Verified also where NODE_TLS_REJECT_UNAUTHORIZED=0 is in the environment.
      options.tls === undefined
        ? new HttpAgent(agentOptions)
        : new HttpsAgent({ ...agentOptions, ...options.tls, rejectUnauthorized: true }),
    open: new Set(),
    // Clients spread over the servers.
    server: Math.floor(Math.random() * options.servers.length),
    token: undefined,
    isClosed: false,
  };
  return {
    call: (call, timeoutMs = options.timeoutMs) => callAny(state, call, timeoutMs),
    watch: (prefix, onChange) => void keepWatching(state, prefix, onChange),
    close() {
      state.isClosed = true;
      for (const request of state.open) request.destroy();
      state.agent.destroy();
    },
  };
}

/** ETCDCLIENT-1 */
async function callAny<T>(state: State, call: EtcdCall<T>, timeoutMs: number): Promise<Result<T, EtcdError>> {
  const untilMs = performance.now() + timeoutMs;
  for (let attempts = 1; ; attempts++) {
    if (state.isClosed) return err(closedError);
    const { server } = state;
    const leftMs = untilMs - performance.now();
    const attempt = await attemptOnce(
      state,
      call,
      call.isChange ? leftMs : Math.min(leftMs, timeoutMs * ATTEMPT_SHARE),
    );
    if (attempt.kind === 'answered') {
      const value = call.read(attempt.answer);
      if (value !== undefined) return ok(value);
      return err({ code: 'unanswered', text: `the answer to ${call.path} is malformed` });
    }
    if (attempt.kind === 'refused') return err({ code: 'refused', text: attempt.text });
    // Of several calls that fail at one server only the first moves on.
    if (state.server === server) state.server++;
    if (call.isChange && attempt.mayBeDone) return err({ code: 'unanswered', text: attempt.text });
    // After a pause when every server was tried.
    if (attempts % state.options.servers.length === 0) await sleep(RETRY_MS);
    if (performance.now() >= untilMs)
      return err({ code: attempt.mayBeDone ? 'unanswered' : 'refused', text: attempt.text });
  }
}

/** One attempt, with a new token if etcd no longer accepts the one in use; such a call was not carried out. */
async function attemptOnce(state: State, call: EtcdCall<unknown>, timeoutMs: number): Promise<Attempt> {
  const { login } = state.options;
  if (login === undefined) return send(state, call.path, call.body, timeoutMs);
  const untilMs = performance.now() + timeoutMs;
  for (let renewals = 0; ; renewals++) {
    if (state.token === undefined) {
      const authentication = authenticateCall(login.user, login.password);
      const attempt = await send(state, authentication.path, authentication.body, untilMs - performance.now());
      if (attempt.kind === 'failed') return { ...attempt, mayBeDone: false };
      if (attempt.kind === 'refused') return attempt;
      state.token = authentication.read(attempt.answer);
      if (state.token === undefined)
        return { kind: 'failed', mayBeDone: false, text: 'the answer to an authentication is malformed' };
    }
    const leftMs = untilMs - performance.now();
    if (leftMs <= 0) return { kind: 'failed', mayBeDone: false, text: 'no time is left after the authentication' };
    const attempt = await send(state, call.path, call.body, leftMs);
    const isTokenRefused =
      attempt.kind === 'refused' && (attempt.grpcCode === UNAUTHENTICATED || /auth/i.test(attempt.text));
    if (!isTokenRefused || renewals > 0) return attempt;
    state.token = undefined;
  }
}

/**
 * Sends the request. `onResponse` gets the answer, whose body is not read yet; `onFailure` is called when the request ends, after
 * an answer too.
 */
function sendRequest(
  state: State,
  path: string,
  body: object,
  onResponse: (answer: IncomingMessage) => void,
  onFailure: (text: string, mayBeDone: boolean) => void,
): ClientRequest {
  const { servers, tls } = state.options;
  const { host, port } = servers[state.server % servers.length] as Server;
  const bytes = Buffer.from(JSON.stringify(body));
  const headers = {
    'Content-Type': 'application/json',
    'Content-Length': bytes.length,
    ...(state.token !== undefined && { Authorization: state.token }),
  };
  const request = (tls === undefined ? requestHttp : requestHttps)({
    host,
    port,
    path,
    method: 'POST',
    headers,
    agent: state.agent,
  });
  let mayBeDone = false;
  request.on('socket', (socket) => {
    mayBeDone = !socket.connecting;
    if (socket.connecting) {
      socket.once(tls === undefined ? 'connect' : 'secureConnect', () => {
        mayBeDone = true;
      });
    }
  });
  state.open.add(request);
  request.on('response', onResponse);
  request.on('error', (error) => onFailure(`${host}:${port}: ${error.message || 'no connection'}`, mayBeDone));
  request.on('close', () => {
    state.open.delete(request);
    onFailure(`${host}:${port} closed the connection`, mayBeDone);
  });
  request.end(bytes);
  return request;
}

/** ETCDCLIENT-2 */
function send(state: State, path: string, body: object, timeoutMs: number): Promise<Attempt> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const onResponse = (answer: IncomingMessage): void => {
      answer.on('data', (chunk: Buffer) => {
        size += chunk.length;
        if (size > MAX_ANSWER_BYTES) request.destroy(new Error(`the answer has more than ${MAX_ANSWER_BYTES} bytes`));
        else chunks.push(chunk);
      });
      answer.on('error', () => {});
      answer.on('end', () => resolve(attemptOf(answer.statusCode ?? 0, path, Buffer.concat(chunks))));
    };
    const request = sendRequest(state, path, body, onResponse, (text, mayBeDone) =>
      resolve({ kind: 'failed', mayBeDone, text }),
    );
    const timer = setTimeout(() => request.destroy(new Error('no answer in time')), Math.max(1, timeoutMs));
    request.on('close', () => clearTimeout(timer));
  });
}

function attemptOf(status: number, path: string, bytes: Buffer): Attempt {
  let answer: Fields | undefined;
  try {
    answer = fieldsOf(JSON.parse(bytes.toString()));
  } catch {
    // Not JSON.
  }
  if (answer !== undefined && status === 200 && answer['error'] === undefined) return { kind: 'answered', answer };
  const failure = fieldsOf(answer?.['error']) ?? answer;
  const text = textOf(failure?.['message'] ?? failure?.['error']);
  const grpcCode = failure?.['code'] ?? failure?.['grpc_code'];
  if (text === undefined || typeof grpcCode !== 'number') {
    const isOff =
      status === 404 ? '; the JSON gateway may be off (--enable-grpc-gateway), or etcd be older than 3.4' : '';
    return { kind: 'failed', mayBeDone: true, text: `${path} was answered with status ${status}${isOff}` };
  }
  return REFUSALS.has(grpcCode) ? { kind: 'refused', grpcCode, text } : { kind: 'failed', mayBeDone: true, text };
}

const MAX_TEXT = 300;
const textOf = (value: unknown): string | undefined =>
  typeof value === 'string' ? value.slice(0, MAX_TEXT).replace(/\p{Cc}/gu, ' ') : undefined;

/** ETCDCLIENT-3 */
async function keepWatching(state: State, prefix: string, onChange: () => void): Promise<void> {
  while (!state.isClosed) {
    await watchOnce(state, prefix, onChange);
    await sleep(RETRY_MS);
  }
}

/** Resolves when the stream ends. */
function watchOnce(state: State, prefix: string, onChange: () => void): Promise<void> {
  return new Promise((resolve) => {
    let timer: NodeJS.Timeout | undefined;
    const report = (): void => {
      timer = undefined;
      if (!state.isClosed) onChange();
    };
    const onResponse = (answer: IncomingMessage): void => {
      answer.on('data', () => {
        timer ??= setTimeout(report, REPORT_PAUSE_MS);
      });
      answer.on('error', () => {});
    };
    sendRequest(state, WATCH_PATH, watchBody(prefix), onResponse, () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
