// Incoming connections of the shared port: libprocess messages and fast-path calls are read by this process' own parsers,
// everything else by node:http.
//
// Owns: an accepted socket until it is given to the reader of fast-path calls or to node:http.
// INBOUND-1: the reader is chosen request by request: the first request that is no libprocess message gives the connection
//     to the reader of fast-path calls, the first that is no fast-path call either gives it to node:http, which still recognizes
//     later messages and calls.
// INBOUND-2: a connection delivers messages of one read per turn of the event loop: of a flooding one the kernel would
//     deliver dozens of reads at once, and other connections would wait.
// The limits on connections and on the duration of requests are in connections.ts.
import { type Server as HttpServer, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { addressOfPid, LIMITS } from '@meseta/base';
import type { ByteBudget } from './byte-budget.js';
import { type Connections, HEAD_TIMEOUT_MS, type PeerConnection } from './connections.js';
import { type FastPath, readCalls } from './fast-path.js';
import { createDatedTexts } from './http-date.js';
import { createMessageParser, type MessageHead } from './message-parser.js';
import { giveToHttp } from './pipelining.js';

export interface InboundOptions {
  readonly http: HttpServer;
  readonly fastPath: FastPath | undefined;
  readonly maxBodyBytes: number;
  /** Shared by all connections: the bytes of incomplete messages and bodies. */
  readonly budget: ByteBudget;
  readonly connections: Connections;
  deliver(head: MessageHead, body: Uint8Array, connection: PeerConnection): Delivered;
  bad(remote: string, reason: string): void;
}

/** The outcome of a message; `registered`: accepted from a registered sender. */
export type Delivered = 'accepted' | 'registered' | 'unknown' | { readonly refused: string };

export interface Inbound {
  /** `certifiedIps`: the addresses in the client certificate; undefined if none was verified. */
  accept(socket: Socket, certifiedIps?: readonly string[]): void;
}

export const MAX_HEAD_BYTES = LIMITS.requestHead.most;
/** After a read of this size more bytes may be waiting. */
const LARGE_READ_BYTES = 2 ** 15;

const datedResponses = createDatedTexts();

const answerOf = (status: string): string =>
  datedResponses(status, (date) => `HTTP/1.1 ${status}\r\n${date}Content-Length: 0\r\n\r\n`);

/** The status, and the reason of a refusal. */
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
    /** The socket is given away, or no longer read. */
    end(): void {
      isPaused = false;
    },
  };
}

/** Returns a function that accounts for a connection's buffered bytes: it returns false if the shared budget is exhausted. */
function createBufferAccount(socket: Socket, { budget, connections }: InboundOptions): (bytes: number) => boolean {
  let accountedBytes = 0;
  return (bytes) => {
    const more = bytes - accountedBytes;
    if (more <= 0) budget.release(-more);
    else if (!budget.reserve(more, accountedBytes)) return false;
    if (accountedBytes === 0 && bytes > 0) socket.setTimeout(HEAD_TIMEOUT_MS);
    else if (accountedBytes > 0 && bytes === 0) socket.setTimeout(0);
    accountedBytes = bytes;
    connections.setBufferedBytes(socket, bytes);
    return true;
  };
}

function readMessages(socket: Socket, connection: PeerConnection, options: InboundOptions): void {
  const { connections } = options;
  let answer = '';
  let close = false;
  const pacing = createPacing(socket);
  const accountBuffered = createBufferAccount(socket, options);
  const parser = createMessageParser(
    {
      message(head, body) {
        const delivered = options.deliver(head, body, connection);
        connections.markUsed(socket, delivered === 'registered' ? addressOfPid(head.from) : undefined);
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

  const finish = (): void => {
    if (answer !== '') socket.write(answer, 'latin1');
    answer = '';
    if (close) socket.end();
    else if (socket.writableLength > LIMITS.unreadResponses.most) {
      options.bad(remote(), 'it reads none of its answers');
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
    options.bad(remote(), `a request did not arrive within ${HEAD_TIMEOUT_MS} ms`);
    socket.destroy();
  };
  const onEnd = (): void => {
    socket.end();
  };
  const leave = (): void => {
    accountBuffered(0);
    pacing.end();
    socket.off('data', onData);
    socket.off('timeout', onTimeout);
    socket.off('end', onEnd);
    socket.off('close', onClose);
  };
  const onClose = (): void => {
    accountBuffered(0);
  };
  const onData = (bytes: Buffer): void => {
    if (bytes.length >= LARGE_READ_BYTES) pacing.pauseForTurn();
    const parsed = parser.push(bytes);
    if (parsed.kind === 'foreign' && !close) {
      leave();
      finish();
      passToFastPath(socket, parsed.rest, options);
      return;
    }
    if (parsed.kind === 'bad') refuse(parsed.reason, parsed.status);
    else if (!accountBuffered(parser.bufferedBytes))
      refuse('the incomplete messages of all connections exceed the limit', 413);
    finish();
  };
  socket.on('data', onData);
  socket.on('timeout', onTimeout);
  socket.on('end', onEnd);
  socket.on('close', onClose);
}

function passToFastPath(socket: Socket, rest: Buffer, { http, fastPath, budget, connections }: InboundOptions): void {
  if (fastPath === undefined) return passToHttp(socket, rest, http);
  readCalls(socket, rest, {
    fastPath,
    onCall: () => connections.markUsed(socket, undefined),
    onBuffered: (bytes) => connections.setBufferedBytes(socket, bytes),
    maxHeadBytes: MAX_HEAD_BYTES,
    budget,
    leave: (bytes) => passToHttp(socket, bytes, http),
  });
}

function passToHttp(socket: Socket, rest: Buffer, http: HttpServer): void {
  socket.pause();
  giveToHttp(socket, http, rest);
  process.nextTick(() => socket.resume());
}

export function createInbound(options: InboundOptions): Inbound {
  return {
    accept(socket, certifiedIps) {
      // A reset is followed by 'close', which is handled.
      socket.on('error', () => {});
      const connection = options.connections.add(socket, certifiedIps);
      if (connection !== undefined) readMessages(socket, connection, options);
    },
  };
}
