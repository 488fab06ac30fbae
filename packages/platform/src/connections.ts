// Incoming connections of the shared port: their origin, their state, and the choice of those to close when there are too many.
//
// Owns: every accepted socket until it closes.
// Boundary: sockets and times; the caller reads and answers requests. A connection is silent until the head of its first
// request has arrived, then idle; busy while node:http answers a request; stalled if the client has read no byte of the
// answer for `STALLED_MS`; or a peer's: it has carried a message of a registered sender. Messages and fast-path calls leave
// it idle.
// CONNECTIONS-1: at most `maxConnections` are open. One more closes the oldest silent one, else the oldest idle one, else the
//     oldest stalled one, each of the address that has the most of them: a flood from one address closes connections of that
//     address. If there is none, the new connection is closed. Busy connections and those of peers stay open.
// CONNECTIONS-2: at most `maxSilent` connections stay open that were silent for longer than `SILENT_GRACE_MS`. (Mesos'
//     scheduler library opens a connection early and may keep it silent for long.)
// CONNECTIONS-3: a connection is closed if the head of a request does not arrive within `HEAD_TIMEOUT_MS` from its first
//     byte, or its body arrives more slowly than `MIN_BODY_BYTES_PER_MS`. (read-body.ts does so for bodies of node:http.)
// CONNECTIONS-4: at most `MAX_CONNECTIONS_OF_PEER` count as one sender's, the last ones that began to: without authentication
//     any client can claim to be a registered sender. Others become idle or busy ones.
import type { Socket } from 'node:net';
import { LIMITS } from '@meseta/base';
import { canonicalIp } from './addresses.js';
import { createConnectionPool } from './connection-pool.js';

/** An incoming connection, as the recipient of its messages sees it. */
export interface PeerConnection {
  /** Unique in this process. */
  readonly id: number;
  /** The remote address. */
  readonly ip: string;
  /** The addresses in its client certificate; undefined if none was verified. */
  readonly certifiedIps: readonly string[] | undefined;
}

export interface ConnectionLimits {
  readonly maxConnections: number;
  readonly maxSilent: number;
}

export const DEFAULT_CONNECTION_LIMITS: ConnectionLimits = { maxConnections: 20_000, maxSilent: 1_000 };
export const HEAD_TIMEOUT_MS = 60_000;
export const SILENT_GRACE_MS = 10_000;
export const MIN_BODY_BYTES_PER_MS = LIMITS.bodyRate.most / 1000;
export const STALLED_MS = 30_000;
/** libprocess uses one, and briefly a second one when a link breaks. */
const MAX_CONNECTIONS_OF_PEER = LIMITS.peerConnections.most;
const SWEEP_MS = 5_000;
/** The idle order is updated at most this often per connection, as an update per message would cost more. */
const USE_RESOLUTION_MS = 1_000;

export interface ConnectionStats {
  open: number;
  /** Closed to make room, or refused, or silent too long. */
  cut: number;
  /** Closed because a request did not arrive in time. */
  slow: number;
}

export interface ConnectionsOptions {
  readonly limits: ConnectionLimits;
  nowMs(): number;
  onClosed(connection: PeerConnection): void;
  onCut(remote: string, reason: string): void;
}

interface Tracked extends PeerConnection {
  readonly socket: Socket;
  kind: 'silent' | 'idle' | 'busy' | 'stalled' | 'peer';
  /** The address in the pid of the registered sender. */
  peer: string | undefined;
  requests: number;
  sinceMs: number;
  /** When the incomplete request began, and its buffered bytes. */
  requestBegunMs: number | undefined;
  bufferedBytes: number;
  /** The bytes of answers that the client has read, and when the last of them were. */
  readBytes: number;
  lastReadMs: number;
}

export interface Connections {
  readonly stats: Readonly<ConnectionStats>;
  /** Undefined: there was no room, and the socket was closed. */
  add(socket: Socket, certifiedIps: readonly string[] | undefined): PeerConnection | undefined;
  find(socket: Socket): PeerConnection | undefined;
  /** The number of bytes buffered for an incomplete request; 0 without one. */
  setBufferedBytes(socket: Socket, bytes: number): void;
  /** The head of a request has arrived; its answer has ended. */
  requestBegan(socket: Socket): void;
  requestEnded(socket: Socket): void;
  /** A message arrived and was answered. `peer`: the address of its sender if that is registered. */
  markUsed(socket: Socket, peer: string | undefined): void;
  closeAll(): void;
}

function createConnectionTable({ nowMs, onClosed, onCut }: ConnectionsOptions) {
  const all = new Map<Socket, Tracked>();
  const pools = {
    silent: createConnectionPool<Tracked>(),
    idle: createConnectionPool<Tracked>(),
    stalled: createConnectionPool<Tracked>(),
  } as const;
  const peers = new Map<string, Set<Tracked>>();
  const stats: ConnectionStats = { open: 0, cut: 0, slow: 0 };
  const leaveKind = (it: Tracked): void => {
    if (it.kind !== 'busy' && it.kind !== 'peer') pools[it.kind].delete(it);
    if (it.peer === undefined) return;
    const ofPeer = peers.get(it.peer);
    ofPeer?.delete(it);
    if (ofPeer?.size === 0) peers.delete(it.peer);
    it.peer = undefined;
  };
  const setKind = (it: Tracked, kind: Tracked['kind']): void => {
    leaveKind(it);
    it.kind = kind;
    it.sinceMs = nowMs();
    if (kind !== 'busy' && kind !== 'peer') pools[kind].add(it);
  };
  const remove = (it: Tracked): void => {
    if (!all.delete(it.socket)) return;
    leaveKind(it);
    stats.open = all.size;
    onClosed(it);
  };
  return {
    all,
    pools,
    stats,
    remove,
    setKind,
    /** CONNECTIONS-4. */
    setPeer(it: Tracked, peer: string): void {
      setKind(it, 'peer');
      it.peer = peer;
      const ofPeer = peers.get(peer) ?? new Set();
      peers.set(peer, ofPeer.add(it));
      const [oldest] = ofPeer;
      if (ofPeer.size > MAX_CONNECTIONS_OF_PEER && oldest !== undefined)
        setKind(oldest, oldest.requests > 0 ? 'busy' : 'idle');
    },
    cut(it: Tracked, why: 'cut' | 'slow', reason: string): void {
      stats[why]++;
      onCut(`${it.ip}:${it.socket.remotePort}`, reason);
      it.socket.destroy();
      // 'close' is emitted in a later turn; until then the connection would be counted.
      remove(it);
    },
  };
}

type ConnectionTable = ReturnType<typeof createConnectionTable>;

/** Closes one connection; false if every connection is in use (CONNECTIONS-1). */
function makeRoom({ pools, cut }: ConnectionTable, { maxConnections }: ConnectionLimits): boolean {
  const next = pools.silent.nextToClose() ?? pools.idle.nextToClose() ?? pools.stalled.nextToClose();
  if (next === undefined) return false;
  cut(next, 'cut', `more than ${maxConnections} connections are open, and this one is ${next.kind}`);
  return true;
}

/** Makes a busy connection stalled when its client stops reading the answer, and busy when it reads again. */
function updateStalled(it: Tracked, setKind: ConnectionTable['setKind'], nowMs: number): void {
  const { bytesWritten, writableLength } = it.socket;
  const readBytes = bytesWritten - writableLength;
  if (writableLength === 0 || readBytes !== it.readBytes) {
    it.readBytes = readBytes;
    it.lastReadMs = nowMs;
    if (it.kind === 'stalled') setKind(it, 'busy');
  } else if (it.kind === 'busy' && nowMs - it.lastReadMs >= STALLED_MS) setKind(it, 'stalled');
}

/** CONNECTIONS-3. */
const isTooSlow = ({ requestBegunMs, bufferedBytes }: Tracked, nowMs: number): boolean =>
  requestBegunMs !== undefined && nowMs - requestBegunMs > HEAD_TIMEOUT_MS + bufferedBytes / MIN_BODY_BYTES_PER_MS;

/** CONNECTIONS-2, CONNECTIONS-3, and the detection of stalled connections. */
function sweep({ all, setKind, cut }: ConnectionTable, { maxSilent }: ConnectionLimits, nowMs: number): void {
  const longSilent = createConnectionPool<Tracked>();
  for (const it of [...all.values()]) {
    if (it.kind === 'busy' || it.kind === 'stalled') updateStalled(it, setKind, nowMs);
    if (isTooSlow(it, nowMs)) cut(it, 'slow', 'a request did not arrive in time');
    else if (it.kind === 'silent' && nowMs - it.sinceMs > SILENT_GRACE_MS) longSilent.add(it);
  }
  while (longSilent.size > maxSilent) {
    const next = longSilent.nextToClose();
    if (next === undefined) return;
    longSilent.delete(next);
    cut(next, 'cut', `more than ${maxSilent} connections have sent no request yet`);
  }
}

export function createConnections(options: ConnectionsOptions): Connections {
  const { limits, nowMs, onCut } = options;
  const table = createConnectionTable(options);
  const { all, stats, setKind, setPeer, remove } = table;
  let lastId = 0;
  const timer = setInterval(() => sweep(table, limits, nowMs()), SWEEP_MS);
  timer.unref();

  return {
    stats,
    find: (socket) => all.get(socket),
    add(socket, certifiedIps) {
      const ip = canonicalIp(socket.remoteAddress ?? '') ?? '';
      if (all.size >= limits.maxConnections && !makeRoom(table, limits)) {
        stats.cut++;
        onCut(
          `${ip}:${socket.remotePort}`,
          `more than ${limits.maxConnections} connections are open, and all are in use`,
        );
        socket.destroy();
        return undefined;
      }
      const it: Tracked = {
        id: ++lastId,
        ip,
        certifiedIps,
        socket,
        kind: 'busy',
        peer: undefined,
        requests: 0,
        sinceMs: 0,
        requestBegunMs: undefined,
        bufferedBytes: 0,
        readBytes: 0,
        lastReadMs: 0,
      };
      all.set(socket, it);
      stats.open = all.size;
      setKind(it, 'silent');
      socket.on('close', () => remove(it));
      return it;
    },
    setBufferedBytes(socket, bytes) {
      const it = all.get(socket);
      if (it === undefined) return;
      it.bufferedBytes = bytes;
      it.requestBegunMs = bytes === 0 ? undefined : (it.requestBegunMs ?? nowMs());
    },
    requestBegan(socket) {
      const it = all.get(socket);
      if (it === undefined) return;
      it.requests++;
      if (it.kind === 'silent' || it.kind === 'idle') setKind(it, 'busy');
    },
    requestEnded(socket) {
      const it = all.get(socket);
      if (it === undefined) return;
      it.requests--;
      if ((it.kind === 'busy' || it.kind === 'stalled') && it.requests === 0) setKind(it, 'idle');
    },
    markUsed(socket, peer) {
      const it = all.get(socket);
      if (it === undefined) return;
      // CONNECTIONS-3: bytes buffered from now on belong to the next request.
      it.requestBegunMs = undefined;
      if (it.kind === 'peer') return;
      if (peer !== undefined) setPeer(it, peer);
      else if (it.kind === 'silent' || (it.kind === 'idle' && nowMs() - it.sinceMs > USE_RESOLUTION_MS))
        setKind(it, 'idle');
    },
    closeAll() {
      clearInterval(timer);
      for (const { socket } of all.values()) socket.destroy();
    },
  };
}
