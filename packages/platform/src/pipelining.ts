// How many requests of one connection node:http has at a time. It reads all that a packet holds at once: 2000 requests of
// 30 bytes are 2000 requests under way, each with its answer in memory for as long as the client reads none.
//
// Owns: the bytes of a connection that node:http doesn't have yet.
// PIPELINING-1: node:http gets the bytes of a connection in their order, unchanged.
// PIPELINING-2: it has at most `unreadRequests` of a connection whose answers are not handed over; meanwhile no more is
//               read off the socket.
// PIPELINING-3: a connection is given more of them once a turn of the event loop, so that others have theirs in between.
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

/** Gives the socket to node:http. */
export function giveToHttp(socket: Socket, http: HttpServer): void {
  http.emit('connection', socket);
  const [feed] = socket.listeners('data') as ((bytes: Buffer) => void)[];
  if (feed === undefined) return;
  let waiting: Buffer[] = [];
  let pumping = false;
  let soon = false;
  const pump = (): void => {
    if (pumping) return;
    pumping = true;
    while (waiting.length > 0 && it.open < MOST && !socket.destroyed && !isPausedByHttp(socket)) {
      const [bytes] = waiting as [Buffer];
      const cut = cutAfter(bytes, MOST - it.open);
      if (cut === bytes.length) waiting.shift();
      else waiting[0] = bytes.subarray(cut);
      feed(cut === bytes.length ? bytes : bytes.subarray(0, cut));
    }
    pumping = false;
    if (socket.destroyed) waiting = [];
    if (waiting.length > 0) socket.pause();
  };
  const it: Paced = {
    open: 0,
    go() {
      if (waiting.length === 0 || soon) return;
      soon = true;
      setImmediate(() => {
        soon = false;
        pump();
        if (waiting.length === 0) socket.resume();
      });
    },
  };
  paced.set(socket, it);
  // node:http reads off the handle by itself until somebody else listens; then it leaves the reading to its listener.
  socket.on('data', (bytes: Buffer) => {
    waiting.push(bytes);
    pump();
  });
  socket.off('data', feed);
  // So node:http goes on once answers are taken.
  socket.on('resume', it.go);
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
