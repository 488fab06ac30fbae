// Plain calls (plain-call-head.ts) of a connection, read and answered without node:http: what a scheduler says most often, an
// acknowledgement, costs a fifth of it so.
//
// Owns: a connection's bytes from its first call until it closes or goes to node:http.
// PLAIN-CALLS-1: calls of a connection are taken one after the other, each after the answer to the one before.
// PLAIN-CALLS-2: whatever is no plain call, is for another path, is too large, does not come within `PATIENCE_MS`, or is not taken,
//     goes to node:http with all its bytes and everything that comes after them; every earlier call has its answer then.
// PLAIN-CALLS-3: beyond one read's bytes, what a client sends before it has taken its answers waits in the kernel.
import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { type BodyParts, createBodyParts } from './body-parts.js';
import type { ByteBudget } from './byte-budget.js';
import { createDatedTexts, dateLine } from './http-date.js';
import { type CallHead, parseCallHead } from './plain-call-head.js';

export type { CallHead } from './plain-call-head.js';

export interface CallAnswer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly text?: string | undefined;
}

export interface PlainCalls {
  /** Targets as they are sent; other spellings go to node:http. */
  readonly targets: ReadonlySet<string>;
  /** Headers of every answer. */
  readonly headers: Readonly<Record<string, string>>;
  /**
   * False: node:http is to have it. The body is the taker's only until it returns; `answer` is called once, at any
   * time, and does nothing if the client has gone.
   */
  take(head: CallHead, body: Uint8Array, answer: (answer: CallAnswer) => void): boolean;
}

export interface PlainCallsOptions {
  readonly calls: PlainCalls;
  readonly maxHeadBytes: number;
  /** A call has come whole. */
  onCall(): void;
  /** So many bytes of an unfinished call are held; 0: none. */
  onHeld(bytes: number): void;
  /** What all connections together may hold of unfinished requests. */
  readonly budget: ByteBudget;
  /** PLAIN-CALLS-2. */
  leave(rest: Buffer): void;
}

/** Larger ones may as well go through node:http: they cost more than their heads. */
const MAX_BODY_BYTES = 2 ** 20;
const PATIENCE_MS = 5_000;
const MAX_KNOWN_HEADS = 4096;
const MAX_KNOWN_BYTES = 2048;
const HEAD_END = Buffer.from('\r\n\r\n');
/** What node:http says to half a request. */
const BAD_REQUEST = 'HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n';
const NOTHING: Buffer = Buffer.alloc(0);
const LETTER_P = 'P'.charCodeAt(0);

/** A client sends the same few heads again and again, byte for byte. */
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
const bareAnswers = createDatedTexts();

const headOfAnswer = (status: number, lines: string, length: number, date: string): string =>
  `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${lines}Content-Length: ${length}\r\n${date}Connection: keep-alive\r\n\r\n`;

function answerBytes({ status, headers, text }: CallAnswer, common: string): string | Buffer {
  const lines = headers === undefined ? common : common + linesOf(headers);
  if (text === undefined || text === '') {
    return bareAnswers(`${status} ${lines}`, (date) => headOfAnswer(status, lines, 0, date));
  }
  const typed = `${lines}Content-Type: text/plain; charset=utf-8\r\n`;
  return Buffer.from(headOfAnswer(status, typed, Buffer.byteLength(text), dateLine()) + text);
}

interface Connection {
  readonly socket: Socket;
  readonly options: PlainCallsOptions;
  /** Lines of every answer. */
  readonly common: string;
  unread: Buffer;
  /** What came behind `unread`, not yet joined to it. */
  readonly more: BodyParts;
  /** How many bytes the unfinished call has, once its head has come: joining them earlier copies a megabyte a packet. */
  wanted: number;
  held: number;
  answering: boolean;
  advancing: boolean;
  ended: boolean;
  /** Stops listening; the socket is somebody else's. */
  leave(): void;
}

interface WholeCall {
  readonly head: CallHead;
  readonly bodyAt: number;
  readonly end: number;
}

/** All bytes that have come, in one piece. */
function join(connection: Connection): void {
  const { unread, more } = connection;
  if (more.bytes === 0) return;
  connection.unread = unread.length === 0 ? more.take() : Buffer.concat([unread, more.take()]);
}

function nextCall(connection: Connection): WholeCall | 'more' | 'foreign' {
  const { unread, options } = connection;
  if (unread[0] !== LETTER_P) return 'foreign';
  const at = unread.indexOf(HEAD_END);
  if (at < 0) return unread.length > options.maxHeadBytes ? 'foreign' : 'more';
  const head = headOf(unread.toString('latin1', 0, at));
  if (head === undefined || head.bodyBytes > MAX_BODY_BYTES || !options.calls.targets.has(head.target))
    return 'foreign';
  const bodyAt = at + HEAD_END.length;
  const end = bodyAt + head.bodyBytes;
  connection.wanted = end;
  return end > unread.length ? 'more' : { head, bodyAt, end };
}

/** PLAIN-CALLS-2: false if it is not taken. */
function take(connection: Connection, { head, bodyAt, end }: WholeCall): boolean {
  const { socket, options, common, unread } = connection;
  connection.answering = true;
  options.onCall();
  const goOn = (): void => {
    connection.answering = false;
    if (!connection.advancing) advance(connection);
  };
  const answer = (it: CallAnswer): void => {
    if (socket.destroyed) return;
    if (socket.write(answerBytes(it, common), 'latin1')) goOn();
    else socket.once('drain', goOn);
  };
  if (options.calls.take(head, unread.subarray(bodyAt, end), answer)) {
    connection.unread = end === unread.length ? NOTHING : unread.subarray(end);
    connection.wanted = 0;
    return true;
  }
  connection.answering = false;
  return false;
}

/** Takes as many calls as have their answers at once, and the next. */
function advance(connection: Connection): void {
  join(connection);
  connection.advancing = true;
  while (!connection.answering && connection.unread.length > 0) {
    const next = nextCall(connection);
    if (next === 'more') break;
    if (next === 'foreign' || !take(connection, next)) return connection.leave();
  }
  connection.advancing = false;
  const { socket, unread } = connection;
  if (connection.answering) {
    hold(connection, 0);
    if (unread.length > 0) socket.pause();
  } else if (connection.ended) {
    if (unread.length > 0) socket.write(BAD_REQUEST);
    socket.end();
  } else if (!hold(connection, unread.length)) connection.leave();
  else if (socket.isPaused()) socket.resume();
}

/** False if all connections together hold too much. */
function hold(connection: Connection, bytes: number): boolean {
  const { socket, held, options } = connection;
  if (bytes === held) return true;
  if (bytes < held) options.budget.give(held - bytes);
  else if (!options.budget.take(bytes - held, held)) return false;
  if (held === 0) socket.setTimeout(PATIENCE_MS);
  else if (bytes === 0) socket.setTimeout(0);
  connection.held = bytes;
  options.onHeld(bytes);
  return true;
}

/** Takes the calls of a socket whose first bytes have been read. */
export function takeCalls(socket: Socket, first: Buffer, options: PlainCallsOptions): void {
  const connection: Connection = {
    socket,
    options,
    common: linesOf(options.calls.headers),
    unread: first,
    more: createBodyParts(),
    wanted: 0,
    held: 0,
    answering: false,
    advancing: false,
    ended: false,
    leave() {
      join(connection);
      hold(connection, 0);
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
    else if (!hold(connection, bytesHere)) connection.leave();
  };
  const onEnd = (): void => {
    connection.ended = true;
    if (!connection.answering) advance(connection);
  };
  const onTimeout = (): void => {
    if (!connection.answering) connection.leave();
  };
  const onClose = (): void => {
    hold(connection, 0);
  };
  socket.on('data', onData);
  socket.on('end', onEnd);
  socket.on('timeout', onTimeout);
  socket.on('close', onClose);
  advance(connection);
}
