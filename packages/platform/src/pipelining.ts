// Limits the requests of one connection that node:http handles at a time. By itself it parses all requests of a packet: 2000
// requests of 30 bytes would be 2000 requests in progress, each with its answer in memory until the client reads it.
//
// Owns: the bytes of a connection that node:http has not received yet.
// PIPELINING-1: node:http receives the bytes of a connection unchanged and in order.
// PIPELINING-2: at most `unreadRequests` requests of a connection are in progress; meanwhile the socket is not read.
// PIPELINING-3: a connection continues once per turn of the event loop, so that other connections are served in between.
// PIPELINING-4: node:http learns of the end of the client's side after the last byte before it.
import type { Server as HttpServer, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { LIMITS } from '@meseta/base';

interface Paced {
  /** Requests whose answers are incomplete. */
  open: number;
  resume(): void;
}

/** Whether node:http has stopped reading because of unread answers; it must receive no bytes then. */
const isPausedByHttp = (socket: Socket): boolean =>
  (socket as Socket & { readonly _paused?: boolean })._paused === true;

const paced = new WeakMap<Socket, Paced>();

const MOST = LIMITS.unreadRequests.most;
/** The end of a head: a strictly parsed request has at least one. */
const EMPTY_LINE = Buffer.from('\n\r\n');

/** The end of a prefix in which at most `count` requests begin. */
function cutAfter(bytes: Buffer, count: number): number {
  let at = 0;
  for (let i = 0; i < count; i++) {
    const found = bytes.indexOf(EMPTY_LINE, at);
    if (found < 0) return bytes.length;
    at = found + EMPTY_LINE.length;
  }
  return at;
}

type Listener = (...args: unknown[]) => void;

/** Attaches the socket to node:http; returns the listeners of node:http for its bytes and its end, detached from it. */
function attach(socket: Socket, http: HttpServer) {
  const own = socket.listeners('end');
  http.emit('connection', socket);
  const feed = socket.listeners('data')[0] as Listener;
  const finish = socket.listeners('end').find((listener) => !own.includes(listener)) as Listener;
  // node:http reads directly from the socket's handle until 'data' has another listener, so one is added before its own goes.
  socket.on('data', () => {});
  socket.off('data', feed).off('end', finish).removeAllListeners('data');
  return { feed, finish };
}

/** Gives the socket to node:http, with the bytes that were read off it before; the client's side may have ended by then. */
export function giveToHttp(socket: Socket, http: HttpServer, first: Buffer): void {
  const { feed, finish } = attach(socket, http);
  let waiting: Buffer[] = first.length > 0 ? [first] : [];
  let hasEnded = socket.readableEnded;
  let isPumping = false;
  let isScheduled = false;
  const feedWaiting = (): void => {
    while (waiting.length > 0 && it.open < MOST && !socket.destroyed && !isPausedByHttp(socket)) {
      const [bytes] = waiting as [Buffer];
      const cut = cutAfter(bytes, MOST - it.open);
      if (cut === bytes.length) waiting.shift();
      else waiting[0] = bytes.subarray(cut);
      feed(cut === bytes.length ? bytes : bytes.subarray(0, cut));
    }
  };
  const pump = (): void => {
    if (isPumping) return;
    isPumping = true;
    feedWaiting();
    isPumping = false;
    if (socket.destroyed) waiting = [];
    if (waiting.length > 0) socket.pause();
    else if (hasEnded && !socket.destroyed) {
      hasEnded = false;
      finish();
    }
  };
  const it: Paced = {
    open: 0,
    resume() {
      if (waiting.length === 0 || isScheduled) return;
      isScheduled = true;
      setImmediate(() => {
        isScheduled = false;
        pump();
        if (waiting.length === 0) socket.resume();
      });
    },
  };
  paced.set(socket, it);
  socket.on('data', (bytes: Buffer) => {
    waiting.push(bytes);
    pump();
  });
  // PIPELINING-4.
  socket.on('end', () => {
    hasEnded = true;
    pump();
  });
  // node:http resumes the socket once answers have been read.
  socket.on('resume', it.resume);
  pump();
}

/** Counts a request until its answer is written. */
export function countRequest(socket: Socket, response: ServerResponse): void {
  const it = paced.get(socket);
  if (it === undefined) return;
  it.open++;
  response.once('close', () => {
    it.open--;
    it.resume();
  });
}
