// Incoming connections of the shared port: a libprocess message goes to our own parser,
// a plain call to our own reader of these, everything else to node:http with its bytes put back.
//
// Owns: every accepted socket until it closes.
// N1: what a connection carries is decided request by request: a first request that is no libprocess
//     message makes it one of plain calls, and the first that isn't that either gives it to node:http, which still knows
//     a message and a call when it sees one later.
// N2: a connection that has sent nothing may stay so for ever (Mesos' scheduler library opens one ahead
//     of need); one in the middle of a head or a message may be silent for `HEAD_TIMEOUT_MS`.
import type { Server as HttpServer } from 'node:http';
import type { Socket } from 'node:net';
import { createMessageParser, type MessageHead } from './message-parser.js';
import { type PlainCalls, takeCalls } from './plain-calls.js';

export interface InboundOptions {
  readonly http: HttpServer;
  readonly calls: PlainCalls | undefined;
  readonly maxBodyBytes: number;
  /** What all connections together may hold of unfinished messages. */
  readonly maxHeldBytes: number;
  /** Answers whether the actor is known. */
  deliver(head: MessageHead, body: Uint8Array): boolean;
  bad(remote: string, reason: string): void;
}

export interface Inbound {
  accept(socket: Socket): void;
  destroyAll(): void;
}

export const HEAD_TIMEOUT_MS = 60_000;
export const MAX_HEAD_BYTES = 65_536;
/** A sender that reads none of its answers is cut off at this. */
const MAX_UNREAD_ANSWER_BYTES = 2 ** 20;

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

interface Held {
  bytes: number;
}

function readMessages(socket: Socket, options: InboundOptions, held: Held): void {
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

  const hold = (bytes: number): void => {
    held.bytes += bytes - mine;
    if (mine === 0 && bytes > 0) socket.setTimeout(HEAD_TIMEOUT_MS);
    else if (mine > 0 && bytes === 0) socket.setTimeout(0);
    mine = bytes;
  };
  const finish = (): void => {
    if (answer !== '') socket.write(answer, 'latin1');
    answer = '';
    if (close) socket.end();
    else if (socket.writableLength > MAX_UNREAD_ANSWER_BYTES) {
      options.bad(remote(), 'reads none of its answers');
      socket.destroy();
    }
  };
  const refuse = (reason: string): void => {
    options.bad(remote(), reason);
    answer += `HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: text/plain\r\nContent-Length: ${Buffer.byteLength(reason)}\r\n\r\n${reason}`;
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
  const onClose = (): void => hold(0);
  const onData = (bytes: Buffer): void => {
    const parsed = parser.push(bytes);
    if (parsed.kind === 'bad') refuse(parsed.reason);
    if (parsed.kind === 'foreign' && !close) {
      leave();
      finish();
      giveOn(socket, parsed.rest, options, held);
      return;
    }
    hold(parser.heldBytes);
    if (held.bytes > options.maxHeldBytes) refuse('too many bytes of unfinished messages');
    finish();
  };
  socket.on('data', onData);
  socket.on('timeout', onTimeout);
  socket.on('end', onEnd);
  socket.on('close', onClose);
}

function giveOn(socket: Socket, rest: Buffer, { http, calls, maxHeldBytes }: InboundOptions, held: Held): void {
  if (calls === undefined) return giveToHttp(socket, rest, http);
  takeCalls(socket, rest, {
    calls,
    maxHeadBytes: MAX_HEAD_BYTES,
    hold(bytes) {
      held.bytes += bytes;
      return held.bytes <= maxHeldBytes;
    },
    leave: (bytes) => giveToHttp(socket, bytes, http),
  });
}

function giveToHttp(socket: Socket, rest: Buffer, http: HttpServer): void {
  socket.pause();
  socket.unshift(rest);
  http.emit('connection', socket);
  process.nextTick(() => socket.resume());
}

export function createInbound(options: InboundOptions): Inbound {
  const sockets = new Set<Socket>();
  const held: Held = { bytes: 0 };
  return {
    accept(socket) {
      sockets.add(socket);
      socket.on('close', () => sockets.delete(socket));
      // A reset is followed by 'close', which says all that matters.
      socket.on('error', () => {});
      readMessages(socket, options, held);
    },
    destroyAll() {
      for (const socket of sockets) socket.destroy();
    },
  };
}
