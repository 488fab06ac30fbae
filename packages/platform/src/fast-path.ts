// A fast path for small requests of schedulers (fast-path-head.ts), read and answered without node:http. An acknowledgement,
// their most frequent call, costs a fifth of what it costs through node:http.
//
// Owns: a connection's bytes from its first call until it closes or goes to node:http.
// FAST-PATH-1: the calls of a connection are handled one after the other, each after the answer to the previous one.
// FAST-PATH-2: a request that is no fast-path call, has another target, is too large, does not arrive within
//     `CALL_TIMEOUT_MS` or is not handled goes to node:http with all its bytes and all later ones, after every earlier call was
//     answered.
// FAST-PATH-3: of a client that does not read its answers, at most the bytes of one read are buffered; the rest waits in the
//     kernel.
import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { type BodyParts, createBodyParts, NO_BYTES } from './body-parts.js';
import type { ByteBudget } from './byte-budget.js';
import { type CallHead, parseCallHead } from './fast-path-head.js';
import { createDatedTexts, dateLine } from './http-date.js';
import { findHeadEnd, HEAD_END_BYTES } from './request-head.js';

export type { CallHead } from './fast-path-head.js';

export interface CallResponse {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly text?: string | undefined;
}

export interface FastPath {
  /** Exact targets; other spellings go to node:http. */
  readonly targets: ReadonlySet<string>;
  /** Sent with every answer. */
  readonly headers: Readonly<Record<string, string>>;
  /**
   * Handles the call; false leaves it to node:http. The body is valid until this returns. `answer` is called once, at any
   * time, and does nothing if the client has disconnected.
   */
  tryHandle(head: CallHead, body: Uint8Array, answer: (answer: CallResponse) => void): boolean;
}

export interface FastPathOptions {
  readonly fastPath: FastPath;
  readonly maxHeadBytes: number;
  /** A call has arrived completely. */
  onCall(): void;
  /** The number of bytes held for an incomplete call; 0 without one. */
  onBuffered(bytes: number): void;
  /** Shared by all connections: the bytes of incomplete requests. */
  readonly budget: ByteBudget;
  /** FAST-PATH-2. */
  leave(rest: Buffer): void;
}

/** For larger bodies the fast path saves little. */
const MAX_BODY_BYTES = 2 ** 20;
const CALL_TIMEOUT_MS = 5_000;
const MAX_KNOWN_HEADS = 4096;
const MAX_KNOWN_BYTES = 2048;
/** The answer of node:http to an incomplete request. */
const BAD_REQUEST = 'HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n';

/** Parsed heads: clients repeat a few heads byte for byte. */
const knownHeads = new Map<string, CallHead>();

function headOf(text: string): CallHead | undefined {
  const known = knownHeads.get(text);
  if (known !== undefined) return known;
  const head = parseCallHead(text);
  if (head === undefined || text.length > MAX_KNOWN_BYTES) return head;
  if (knownHeads.size >= MAX_KNOWN_HEADS) knownHeads.clear();
  knownHeads.set(text, head);
  return head;
}

const linesOf = (headers: Readonly<Record<string, string>>): string =>
  Object.entries(headers)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('');

/** Answers without a text. */
const bareResponses = createDatedTexts();

const headOfResponse = (status: number, lines: string, length: number, date: string): string =>
  `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${lines}Content-Length: ${length}\r\n${date}Connection: keep-alive\r\n\r\n`;

function bytesOfResponse({ status, headers, text }: CallResponse, common: string): string | Buffer {
  const lines = headers === undefined ? common : common + linesOf(headers);
  if (text === undefined || text === '') {
    return bareResponses(`${status} ${lines}`, (date) => headOfResponse(status, lines, 0, date));
  }
  const typed = `${lines}Content-Type: text/plain; charset=utf-8\r\n`;
  return Buffer.from(headOfResponse(status, typed, Buffer.byteLength(text), dateLine()) + text);
}

interface Connection {
  readonly socket: Socket;
  readonly options: FastPathOptions;
  /** The header lines of every answer. */
  readonly common: string;
  unread: Buffer;
  /** Bytes after `unread`, not yet joined to it. */
  readonly more: BodyParts;
  /** The length of the incomplete call once its head is known; joining the bytes earlier would copy them with each packet. */
  wanted: number;
  bufferedBytes: number;
  answering: boolean;
  advancing: boolean;
  ended: boolean;
  /** Stops listening and gives the socket to node:http. */
  leave(): void;
}

interface WholeCall {
  readonly head: CallHead;
  readonly bodyAt: number;
  readonly end: number;
}

/** Joins the received bytes. */
function join(connection: Connection): void {
  const { unread, more } = connection;
  if (more.bytes === 0) return;
  connection.unread = unread.length === 0 ? more.take() : Buffer.concat([unread, more.take()]);
}

function nextCall(connection: Connection): WholeCall | 'more' | 'foreign' {
  const { unread, options } = connection;
  const headEnd = findHeadEnd(unread, 0, 0, options.maxHeadBytes);
  if (headEnd === 'foreign') return 'foreign';
  if (headEnd === 'incomplete') return 'more';
  const head = headOf(unread.toString('latin1', 0, headEnd));
  if (head === undefined || head.bodyBytes > MAX_BODY_BYTES || !options.fastPath.targets.has(head.target))
    return 'foreign';
  const bodyAt = headEnd + HEAD_END_BYTES;
  const end = bodyAt + head.bodyBytes;
  connection.wanted = end;
  return end > unread.length ? 'more' : { head, bodyAt, end };
}

/** False if the call is left to node:http (FAST-PATH-2). */
function tryHandle(connection: Connection, { head, bodyAt, end }: WholeCall): boolean {
  const { socket, options, common, unread } = connection;
  connection.answering = true;
  options.onCall();
  const continueReading = (): void => {
    connection.answering = false;
    if (!connection.advancing) advance(connection);
  };
  const answer = (it: CallResponse): void => {
    if (socket.destroyed) return;
    if (socket.write(bytesOfResponse(it, common), 'latin1')) continueReading();
    else socket.once('drain', continueReading);
  };
  if (options.fastPath.tryHandle(head, unread.subarray(bodyAt, end), answer)) {
    connection.unread = end === unread.length ? NO_BYTES : unread.subarray(end);
    connection.wanted = 0;
    return true;
  }
  connection.answering = false;
  return false;
}

/** Handles calls until one waits for its answer. */
function advance(connection: Connection): void {
  join(connection);
  connection.advancing = true;
  while (!connection.answering && connection.unread.length > 0) {
    const next = nextCall(connection);
    if (next === 'more') break;
    if (next === 'foreign' || !tryHandle(connection, next)) return connection.leave();
  }
  connection.advancing = false;
  const { socket, unread } = connection;
  if (connection.answering) {
    accountBuffered(connection, 0);
    if (unread.length > 0) socket.pause();
  } else if (connection.ended) {
    if (unread.length > 0) socket.write(BAD_REQUEST);
    socket.end();
  } else if (!accountBuffered(connection, unread.length)) connection.leave();
  else if (socket.isPaused()) socket.resume();
}

/** Accounts for the buffered bytes; false if the shared budget is exhausted. */
function accountBuffered(connection: Connection, bytes: number): boolean {
  const { socket, bufferedBytes, options } = connection;
  if (bytes === bufferedBytes) return true;
  if (bytes < bufferedBytes) options.budget.release(bufferedBytes - bytes);
  else if (!options.budget.reserve(bytes - bufferedBytes, bufferedBytes)) return false;
  if (bufferedBytes === 0) socket.setTimeout(CALL_TIMEOUT_MS);
  else if (bytes === 0) socket.setTimeout(0);
  connection.bufferedBytes = bytes;
  options.onBuffered(bytes);
  return true;
}

/** Handles the calls of a socket; `first` holds the bytes already read. */
export function readCalls(socket: Socket, first: Buffer, options: FastPathOptions): void {
  const connection: Connection = {
    socket,
    options,
    common: linesOf(options.fastPath.headers),
    unread: first,
    more: createBodyParts(),
    wanted: 0,
    bufferedBytes: 0,
    answering: false,
    advancing: false,
    ended: false,
    leave() {
      join(connection);
      accountBuffered(connection, 0);
      socket.off('data', onData);
      socket.off('end', onEnd);
      socket.off('timeout', onTimeout);
      socket.off('close', onClose);
      options.leave(connection.unread);
    },
  };
  const onData = (bytes: Buffer): void => {
    connection.more.add(bytes);
    const bytesHere = connection.unread.length + connection.more.bytes;
    if (connection.answering) socket.pause();
    else if (bytesHere >= connection.wanted) advance(connection);
    else if (!accountBuffered(connection, bytesHere)) connection.leave();
  };
  const onEnd = (): void => {
    connection.ended = true;
    if (!connection.answering) advance(connection);
  };
  const onTimeout = (): void => {
    if (!connection.answering) connection.leave();
  };
  const onClose = (): void => {
    accountBuffered(connection, 0);
  };
  socket.on('data', onData);
  socket.on('end', onEnd);
  socket.on('timeout', onTimeout);
  socket.on('close', onClose);
  advance(connection);
}
