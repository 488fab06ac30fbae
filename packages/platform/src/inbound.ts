// Incoming connections of the shared port: a libprocess message goes to our own parser,
// a plain call to our own reader of these, everything else to node:http with its bytes put back.
//
// Owns: every accepted socket until it closes.
// INBOUND-1: what a connection carries is decided request by request: a first request that is no libprocess
//     message makes it one of plain calls, and the first that isn't that either gives it to node:http, which still knows
//     a message and a call when it sees one later.
// INBOUND-2: a connection that has sent nothing may stay so for ever (Mesos' scheduler library opens one ahead
//     of need); one in the middle of a head or a message may be silent for `HEAD_TIMEOUT_MS`.
import { type Server as HttpServer, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { LIMITS } from '@meseta/base';
import type { ByteBudget } from './byte-budget.js';
import { createMessageParser, type MessageHead } from './message-parser.js';
import { giveToHttp } from './pipelining.js';
import { type PlainCalls, takeCalls } from './plain-calls.js';

export interface InboundOptions {
  readonly http: HttpServer;
  readonly calls: PlainCalls | undefined;
  readonly maxBodyBytes: number;
  /** What all connections together may hold of unfinished messages and bodies. */
  readonly budget: ByteBudget;
  /** Answers whether the actor is known. */
  deliver(head: MessageHead, body: Uint8Array): boolean;
  bad(remote: string, reason: string): void;
}

export interface Inbound {
  accept(socket: Socket): void;
  destroyAll(): void;
}

export const HEAD_TIMEOUT_MS = 60_000;
export const MAX_HEAD_BYTES = LIMITS.requestHead.most;

const answers = new Map<string, string>();
let answersSecond = 0;

const answerOf = (status: string): string => {
  const second = Math.floor(Date.now() / 1000);
  if (second !== answersSecond) {
    answers.clear();
    answersSecond = second;
  }
  const known = answers.get(status);
  if (known !== undefined) return known;
  const answer = `HTTP/1.1 ${status}\r\nDate: ${new Date(second * 1000).toUTCString()}\r\nContent-Length: 0\r\n\r\n`;
  answers.set(status, answer);
  return answer;
};

function readMessages(socket: Socket, options: InboundOptions): void {
  const { budget } = options;
  let answer = '';
  let close = false;
  let mine = 0;
  const parser = createMessageParser(
    {
      message(head, body) {
        answer += answerOf(options.deliver(head, body) ? '202 Accepted' : '404 Not Found');
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
    else if (!budget.take(more)) return false;
    if (mine === 0 && bytes > 0) socket.setTimeout(HEAD_TIMEOUT_MS);
    else if (mine > 0 && bytes === 0) socket.setTimeout(0);
    mine = bytes;
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
    answer += `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\nContent-Type: text/plain\r\nContent-Length: ${Buffer.byteLength(reason)}\r\n\r\n${reason}`;
    close = true;
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
    socket.off('data', onData);
    socket.off('timeout', onTimeout);
    socket.off('end', onEnd);
    socket.off('close', onClose);
  };
  const onClose = (): void => {
    hold(0);
  };
  const onData = (bytes: Buffer): void => {
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

function giveOn(socket: Socket, rest: Buffer, { http, calls, budget }: InboundOptions): void {
  if (calls === undefined) return handOver(socket, rest, http);
  takeCalls(socket, rest, {
    calls,
    maxHeadBytes: MAX_HEAD_BYTES,
    budget,
    leave: (bytes) => handOver(socket, bytes, http),
  });
}

function handOver(socket: Socket, rest: Buffer, http: HttpServer): void {
  socket.pause();
  socket.unshift(rest);
  giveToHttp(socket, http);
  process.nextTick(() => socket.resume());
}

export function createInbound(options: InboundOptions): Inbound {
  const sockets = new Set<Socket>();
  return {
    accept(socket) {
      sockets.add(socket);
      socket.on('close', () => sockets.delete(socket));
      // A reset is followed by 'close', which says all that matters.
      socket.on('error', () => {});
      readMessages(socket, options);
    },
    destroyAll() {
      for (const socket of sockets) socket.destroy();
    },
  };
}
