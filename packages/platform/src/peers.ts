// Outgoing libprocess messages: one connection per peer address.
//
// Owns: the sockets to peers, the messages queued for each, and the links.
// Boundary: a peer is an `ip:port`, taken from the recipient's pid. Answers are read and ignored.
// PEERS-1: messages to one address are sent in the order of `send`, each at most once. Messages queued for a connection that
//     breaks are lost; senders that need delivery retry until acknowledged.
// PEERS-2: a linked address is reported lost once for each break, which also removes its links, as in libprocess.
// PEERS-3: the unsent bytes of a peer exceed the limit by at most one message.
// PEERS-4: with TLS no byte of a message is sent before the peer's certificate was verified as configured.
// PEERS-5: at most `maxUnlinkedPeers` connections are open to addresses without a link. One more replaces the least recently
//     used one, and an idle one is closed after `IDLE_MS`.
import { connect, type Socket } from 'node:net';
import { addressOfPid, type Pid, pidOf } from '@meseta/base';
import type { OpenSecurely } from './tls.js';

export interface PeersOptions {
  readonly address: string;
  readonly maxUnsentBytes: number;
  readonly maxUnlinkedPeers: number;
  /** Undefined: plain text. */
  readonly tls?: { readonly open: OpenSecurely; readonly supportDowngrade: boolean } | undefined;
  onPeerLost(address: string): void;
  onNote(
    note:
      | { readonly kind: 'peerOverLimit'; readonly address: string; readonly unsentBytes: number }
      | { readonly kind: 'unlinkedPeerClosed'; readonly address: string }
      | { readonly kind: 'peerLost'; readonly address: string; readonly reason: string },
  ): void;
}

export interface Peers {
  readonly stats: { sent: number; dropped: number; overLimit: number; unlinkedPeersClosed: number };
  send(to: Pid, from: string, wireName: string, body: Uint8Array): void;
  link(to: Pid): void;
  unlink(to: Pid): void;
  close(): Promise<void>;
}

interface Peer {
  readonly address: string;
  socket: Socket;
  /** False during the TLS handshake, while frames wait (PEERS-4). */
  isReady: boolean;
  /** Closed by this process: it does not fall back to plain text. */
  isAbandoned: boolean;
  readonly links: Set<Pid>;
  frames: Uint8Array[];
  queuedBytes: number;
  queuedMessages: number;
  /** Why the connection ended, or will: the reason in the note about its loss. */
  reason: string;
}

/** Heads are kept for this many combinations of recipient, sender and message name. */
const MAX_KEPT_HEADS = 4096;
export const DEFAULT_MAX_UNLINKED_PEERS = 2_000;
/** A connection without links is closed after this time without traffic. */
const IDLE_MS = 60_000;
const CLOSE_GRACE_MS = 500;
const CHUNKED = 'Transfer-Encoding: chunked\r\n\r\n';
const FRAME_END = Buffer.from('\r\n0\r\n\r\n');
/** Size lines up to this size are kept. */
const MAX_KEPT_SIZE = 4096;
/** Smaller frames of one turn are copied into one write; larger bodies are written as they are. */
const COPY_BYTES = 65_536;

interface Endpoint {
  readonly host: string;
  readonly port: number;
}

const endpointOf = (address: string): Endpoint => {
  const colon = address.lastIndexOf(':');
  return { host: address.slice(0, colon).replace(/^\[(.*)\]$/, '$1'), port: Number(address.slice(colon + 1)) };
};

/** The socket queues frames until it is connected. */
const openPlainly = ({ host, port }: Endpoint): Socket =>
  connect({ host, port, noDelay: true, keepAlive: true, keepAliveInitialDelay: 60_000 });

/** The head of a message without the header lines that depend on its body. */
export const messageHead = (to: Pid, from: Pid, wireName: string): string => {
  const at = to.lastIndexOf('@');
  return (
    `POST /${to.slice(0, at)}/${wireName} HTTP/1.1\r\n` +
    `User-Agent: libprocess/${from}\r\nLibprocess-From: ${from}\r\n` +
    `Connection: Keep-Alive\r\nHost: ${to.slice(at + 1)}\r\n`
  );
};

const sizeLines: (Uint8Array | undefined)[] = [];

/** The size line of a chunk. */
function sizeLine(size: number): Uint8Array {
  const known = sizeLines[size];
  if (known !== undefined) return known;
  const line = Buffer.from(`${size.toString(16)}\r\n`, 'latin1');
  if (size <= MAX_KEPT_SIZE) sizeLines[size] = line;
  return line;
}

const writeFrames = (socket: Socket, frames: readonly Uint8Array[]): void => {
  let run: Uint8Array[] = [];
  let runBytes = 0;
  const flush = (): void => {
    if (runBytes > 0) socket.write(Buffer.concat(run, runBytes));
    run = [];
    runBytes = 0;
  };
  for (const bytes of frames) {
    if (bytes.length > COPY_BYTES) {
      flush();
      socket.write(bytes);
      continue;
    }
    run.push(bytes);
    runBytes += bytes.length;
    if (runBytes > COPY_BYTES) flush();
  }
  flush();
};

type Stats = Peers['stats'];

function flush(peer: Peer, stats: Stats): void {
  if (!peer.isReady) return;
  const { frames } = peer;
  peer.frames = [];
  peer.queuedBytes = 0;
  stats.sent += peer.queuedMessages;
  peer.queuedMessages = 0;
  writeFrames(peer.socket, frames);
}

function dropQueued(peer: Peer, stats: Stats): void {
  stats.dropped += peer.queuedMessages;
  peer.frames = [];
  peer.queuedBytes = 0;
  peer.queuedMessages = 0;
}

/** Opens a connection; `onDisconnected` is called at its end, possibly twice. */
function openPeer(address: string, tls: PeersOptions['tls'], stats: Stats, onDisconnected: (peer: Peer) => void): Peer {
  const endpoint = endpointOf(address);
  const secure = tls?.open(endpoint.host, endpoint.port);
  const peer: Peer = {
    address,
    socket: secure?.socket ?? openPlainly(endpoint),
    isReady: secure === undefined,
    isAbandoned: false,
    links: new Set(),
    frames: [],
    queuedBytes: 0,
    queuedMessages: 0,
    reason: 'the peer closed the connection',
  };
  const startSending = (): void => {
    watchSocket(peer, onDisconnected);
    peer.isReady = true;
    flush(peer, stats);
  };
  if (secure === undefined) watchSocket(peer, onDisconnected);
  secure?.onSecured((problem) => {
    if (problem === undefined) return startSending();
    const { socket } = peer;
    socket.on('error', () => {});
    socket.destroy();
    peer.reason = problem;
    if (!tls?.supportDowngrade || peer.isAbandoned) return onDisconnected(peer);
    peer.socket = openPlainly(endpoint);
    startSending();
  });
  return peer;
}

function watchSocket(peer: Peer, onDisconnected: (peer: Peer) => void): void {
  const { socket } = peer;
  if (socket.destroyed) {
    onDisconnected(peer);
    return;
  }
  socket.resume();
  socket.setTimeout(IDLE_MS, () => {
    if (peer.links.size === 0) socket.end();
  });
  socket.on('error', (error) => {
    peer.reason = error.message;
  });
  // A peer that has ended its side reads no more: later messages use a new connection.
  socket.on('end', () => onDisconnected(peer));
  socket.on('close', () => onDisconnected(peer));
}

const closePeer = (peer: Peer): Promise<void> =>
  new Promise((resolve) => {
    const { socket } = peer;
    peer.isAbandoned = true;
    if (socket.closed) return resolve();
    const timer = setTimeout(() => socket.destroy(), CLOSE_GRACE_MS);
    socket.once('close', () => {
      clearTimeout(timer);
      resolve();
    });
    socket.end();
  });

/** Returns a function that encodes a message as a list of buffers. */
function createFraming(address: string): (to: Pid, from: string, wireName: string, body: Uint8Array) => Uint8Array[] {
  /** By recipient, sender and name: busy peers receive the same heads repeatedly. */
  const heads = new Map<string, Uint8Array>();
  const headOf = (to: Pid, from: string, wireName: string): Uint8Array => {
    const key = `${to} ${from} ${wireName}`;
    const known = heads.get(key);
    if (known !== undefined) return known;
    const head = Buffer.from(`${messageHead(to, pidOf(from, address), wireName)}${CHUNKED}`, 'latin1');
    if (heads.size >= MAX_KEPT_HEADS) heads.clear();
    heads.set(key, head);
    return head;
  };
  return (to, from, wireName, body) =>
    body.length === 0
      ? [Buffer.from(`${messageHead(to, pidOf(from, address), wireName)}\r\n`, 'latin1')]
      : [headOf(to, from, wireName), sizeLine(body.length), body, FRAME_END];
}

/** Peers without a link, least recently used first (PEERS-5). */
function createUnlinkedPeers(max: number) {
  const unlinked = new Set<Peer>();
  return {
    /** Marks the peer as the most recently used; returns the peer to close if there are too many. */
    markUsed(peer: Peer): Peer | undefined {
      if (peer.links.size > 0) return undefined;
      unlinked.delete(peer);
      unlinked.add(peer);
      if (unlinked.size <= max) return undefined;
      const [oldest] = unlinked;
      return oldest;
    },
    delete: (peer: Peer) => unlinked.delete(peer),
  };
}

export function createPeers(options: PeersOptions): Peers {
  const peers = new Map<string, Peer>();
  const frameOf = createFraming(options.address);
  const unlinked = createUnlinkedPeers(options.maxUnlinkedPeers);
  const stats: Stats = { sent: 0, dropped: 0, overLimit: 0, unlinkedPeersClosed: 0 };
  let isClosed = false;

  const onDisconnected = (peer: Peer): void => {
    if (peers.get(peer.address) === peer) peers.delete(peer.address);
    unlinked.delete(peer);
    dropQueued(peer, stats);
    if (isClosed || peer.links.size === 0) return;
    peer.links.clear();
    options.onNote({ kind: 'peerLost', address: peer.address, reason: peer.reason });
    options.onPeerLost(peer.address);
  };
  const peerOf = (pid: Pid): Peer => {
    const address = addressOfPid(pid);
    let peer = peers.get(address);
    if (peer === undefined) {
      peer = openPeer(address, options.tls, stats, onDisconnected);
      peers.set(address, peer);
    }
    return peer;
  };
  const disconnectIfOverLimit = (peer: Peer): void => {
    const unsentBytes = peer.queuedBytes + peer.socket.writableLength;
    if (unsentBytes <= options.maxUnsentBytes) return;
    stats.overLimit++;
    peer.reason = `${unsentBytes} bytes were unsent`;
    // The loss is reported when the socket has closed, never from within `send`.
    disconnect(peer);
    options.onNote({ kind: 'peerOverLimit', address: peer.address, unsentBytes });
  };
  /** Unlike `onDisconnected`, without a report: that follows from the socket's 'close'. */
  const disconnect = (peer: Peer): void => {
    peers.delete(peer.address);
    unlinked.delete(peer);
    dropQueued(peer, stats);
    peer.isAbandoned = true;
    peer.socket.destroy();
  };
  const markUsed = (peer: Peer): void => {
    const oldest = unlinked.markUsed(peer);
    if (oldest === undefined) return;
    stats.unlinkedPeersClosed++;
    oldest.reason = 'another connection needed its place';
    disconnect(oldest);
    options.onNote({ kind: 'unlinkedPeerClosed', address: oldest.address });
  };

  return {
    stats,
    send(to, from, wireName, body) {
      if (isClosed) return;
      const peer = peerOf(to);
      markUsed(peer);
      if (peer.frames.length === 0) process.nextTick(flush, peer, stats);
      for (const part of frameOf(to, from, wireName, body)) {
        peer.frames.push(part);
        peer.queuedBytes += part.length;
      }
      peer.queuedMessages++;
      disconnectIfOverLimit(peer);
    },
    link(to) {
      if (isClosed) return;
      const peer = peerOf(to);
      peer.links.add(to);
      unlinked.delete(peer);
    },
    unlink(to) {
      const peer = peers.get(addressOfPid(to));
      peer?.links.delete(to);
      if (peer !== undefined) markUsed(peer);
    },
    async close() {
      isClosed = true;
      const open = [...peers.values()];
      for (const peer of open) flush(peer, stats);
      await Promise.all(open.map(closePeer));
    },
  };
}
