// Incoming connections of the shared port: a libprocess message goes to our own parser,
// a plain call to our own reader of these, everything else to node:http with its bytes put back.
//
// Owns: the reading of an accepted socket until node:http or the reader of plain calls has it.
// INBOUND-1: what a connection carries is decided request by request: a first request that is no libprocess
//     message makes it one of plain calls, and the first that isn't that either gives it to node:http, which still knows
//     a message and a call when it sees one later.
// INBOUND-2: of messages a connection has one read's bytes a turn of the event loop: the system would hand over dozens of
//     reads at once of one that floods, and everybody else would wait.
// Which connections may stay, and for how long a request may take to come, is for connections.ts.
import { type Server as HttpServer, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { addressOfPid, LIMITS } from '@meseta/base';
import type { ByteBudget } from './byte-budget.js';
import { type Connections, HEAD_TIMEOUT_MS, type PeerConnection } from './connections.js';
import { createDatedTexts } from './http-date.js';
import { createMessageParser, type MessageHead } from './message-parser.js';
import { giveToHttp } from './pipelining.js';
import { type PlainCalls, takeCalls } from './plain-calls.js';

export interface InboundOptions {
  readonly http: HttpServer;
  readonly calls: PlainCalls | undefined;
  readonly maxBodyBytes: number;
  /** What all connections together may hold of unfinished messages and bodies. */
  readonly budget: ByteBudget;
  readonly connections: Connections;
  deliver(head: MessageHead, body: Uint8Array, connection: PeerConnection): Delivered;
  bad(remote: string, reason: string): void;
}

/** What became of a message: `registered` is `accepted`, of a sender that this process knows. */
export type Delivered = 'accepted' | 'registered' | 'unknown' | { readonly refused: string };

export interface Inbound {
  /** `certifiedIps`: the addresses on its client certificate, where one was asked for and checked. */
  accept(socket: Socket, certifiedIps?: readonly string[]): void;
}

export const MAX_HEAD_BYTES = LIMITS.requestHead.most;
/** A read of so many bytes may have more behind it. */
const MUCH_BYTES = 2 ** 15;

const datedAnswers = createDatedTexts();

const answerOf = (status: string): string =>
  datedAnswers(status, (date) => `HTTP/1.1 ${status}\r\n${date}Content-Length: 0\r\n\r\n`);

/** The status and, where it was refused, the reason. */
export const replyTo = (delivered: Delivered): { readonly status: 202 | 400 | 404; readonly reason: string } => {
  if (typeof delivered !== 'string') return { status: 400, reason: delivered.refused };
  return { status: delivered === 'unknown' ? 404 : 202, reason: '' };
};

const refusalOf = (reason: string, status: 400 | 413, close: boolean): string =>
  `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${close ? 'Connection: close\r\n' : ''}Content-Type: text/plain\r\n` +
  `Content-Length: ${Buffer.byteLength(reason)}\r\n\r\n${reason}`;

/** INBOUND-2. */
function createPacing(socket: Socket) {
  let isPaused = false;
  return {
    pauseForTurn(): void {
      isPaused = true;
      socket.pause();
      setImmediate(() => {
        if (isPaused) socket.resume();
        isPaused = false;
      });
    },
    /** The socket is somebody else's, or nobody reads what comes. */
    end(): void {
      isPaused = false;
    },
  };
}

function readMessages(socket: Socket, connection: PeerConnection, options: InboundOptions): void {
  const { budget, connections } = options;
  let answer = '';
  let close = false;
  let mine = 0;
  const pacing = createPacing(socket);
  const parser = createMessageParser(
    {
      message(head, body) {
        const delivered = options.deliver(head, body, connection);
        connections.used(socket, delivered === 'registered' ? addressOfPid(head.from) : undefined);
        const { status, reason } = replyTo(delivered);
        answer += status === 400 ? refusalOf(reason, status, false) : answerOf(`${status} ${STATUS_CODES[status]}`);
        if (!head.keepAlive) close = true;
      },
      continueExpected() {
        answer += 'HTTP/1.1 100 Continue\r\n\r\n';
      },
    },
    { maxHeadBytes: MAX_HEAD_BYTES, maxBodyBytes: options.maxBodyBytes },
  );
  const remote = (): string => `${socket.remoteAddress}:${socket.remotePort}`;

  /** False if all connections together hold too much. */
  const hold = (bytes: number): boolean => {
    const more = bytes - mine;
    if (more <= 0) budget.give(-more);
    else if (!budget.take(more, mine)) return false;
    if (mine === 0 && bytes > 0) socket.setTimeout(HEAD_TIMEOUT_MS);
    else if (mine > 0 && bytes === 0) socket.setTimeout(0);
    mine = bytes;
    connections.holds(socket, bytes);
    return true;
  };
  const finish = (): void => {
    if (answer !== '') socket.write(answer, 'latin1');
    answer = '';
    if (close) socket.end();
    else if (socket.writableLength > LIMITS.unreadAnswers.most) {
      options.bad(remote(), 'reads none of its answers');
      socket.destroy();
    }
  };
  const refuse = (reason: string, status: 400 | 413): void => {
    options.bad(remote(), reason);
    answer += refusalOf(reason, status, true);
    close = true;
    pacing.end();
    socket.off('data', onData);
    socket.resume();
  };
  const onTimeout = (): void => {
    options.bad(remote(), 'a request was begun and not ended');
    socket.destroy();
  };
  const onEnd = (): void => {
    socket.end();
  };
  const leave = (): void => {
    hold(0);
    pacing.end();
    socket.off('data', onData);
    socket.off('timeout', onTimeout);
    socket.off('end', onEnd);
    socket.off('close', onClose);
  };
  const onClose = (): void => {
    hold(0);
  };
  const onData = (bytes: Buffer): void => {
    if (bytes.length >= MUCH_BYTES) pacing.pauseForTurn();
    const parsed = parser.push(bytes);
    if (parsed.kind === 'bad') refuse(parsed.reason, parsed.status);
    if (parsed.kind === 'foreign' && !close) {
      leave();
      finish();
      giveOn(socket, parsed.rest, options);
      return;
    }
    if (!hold(parser.heldBytes)) refuse('too many bytes of unfinished messages', 413);
    finish();
  };
  socket.on('data', onData);
  socket.on('timeout', onTimeout);
  socket.on('end', onEnd);
  socket.on('close', onClose);
}

function giveOn(socket: Socket, rest: Buffer, { http, calls, budget, connections }: InboundOptions): void {
  if (calls === undefined) return handOver(socket, rest, http);
  takeCalls(socket, rest, {
    calls,
    onCall: () => connections.used(socket, undefined),
    onHeld: (bytes) => connections.holds(socket, bytes),
    maxHeadBytes: MAX_HEAD_BYTES,
    budget,
    leave: (bytes) => handOver(socket, bytes, http),
  });
}

function handOver(socket: Socket, rest: Buffer, http: HttpServer): void {
  socket.pause();
  giveToHttp(socket, http, rest);
  process.nextTick(() => socket.resume());
}

export function createInbound(options: InboundOptions): Inbound {
  return {
    accept(socket, certifiedIps) {
      // A reset is followed by 'close', which says all that matters.
      socket.on('error', () => {});
      const connection = options.connections.add(socket, certifiedIps);
      if (connection !== undefined) readMessages(socket, connection, options);
    },
  };
}
