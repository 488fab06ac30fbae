// How many requests of one connection node:http has at a time. It reads all that a packet holds at once: 2000 requests of
// 30 bytes are 2000 requests under way, each with its answer in memory for as long as the client reads none.
//
// Owns: the bytes of a connection that node:http doesn't have yet.
// PIPELINING-1: node:http gets the bytes of a connection in their order, unchanged.
// PIPELINING-2: it has at most `unreadRequests` of a connection whose answers are not handed over; meanwhile no more is
//               read off the socket.
// PIPELINING-3: a connection is given more of them once a turn of the event loop, so that others have theirs in between.
// PIPELINING-4: node:http hears of the end of the client's side after the last byte that came before it.
import type { Server as HttpServer, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { LIMITS } from '@meseta/base';

interface Paced {
  /** Requests without their whole answers. */
  open: number;
  go(): void;
}

/** Whether node:http has stopped reading, because of answers that are not taken: it must get nothing then. */
const isPausedByHttp = (socket: Socket): boolean =>
  (socket as Socket & { readonly _paused?: boolean })._paused === true;

const paced = new WeakMap<Socket, Paced>();

const MOST = LIMITS.unreadRequests.most;
/** A head ends with an empty line, and no strictly read request has fewer. */
const EMPTY_LINE = Buffer.from('\n\r\n');

/** Where the first `count` requests that these bytes may hold have begun, and no later one. */
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
  // A listener of another first: node:http reads off the handle by itself until there is one.
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
    go() {
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
  // So node:http goes on once answers are taken.
  socket.on('resume', it.go);
  pump();
}

/** Counts a request of node:http's until its answer is handed over. */
export function countRequest(socket: Socket, response: ServerResponse): void {
  const it = paced.get(socket);
  if (it === undefined) return;
  it.open++;
  response.once('close', () => {
    it.open--;
    it.go();
  });
}
