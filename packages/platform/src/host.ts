// One port for HTTP and libprocess, as in Mesos: the `ip:port` of a process takes messages and requests of endpoints.
// Incoming connections: inbound.ts, connections.ts. Outgoing messages: peers.ts.
//
// HOST-1: with `requirePeerAddressIpMatch` a message is accepted only if its sender's pid contains the connection's remote
//     address; without it, on a connection with a verified client certificate, the pid must contain the remote address or an
//     address of the certificate. Other messages are answered 400 and counted.
// HOST-2: a client that ends its sending side after its requests gets every answer; only streams end with it (client-end.ts).
// HOST-3: `onMessage` gets no message of a connection after `onConnectionClosed` has reported it: its state would never be
//     removed.
import {
  createServer as createHttpServer,
  type Server as HttpServer,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { addressOfPid, err, hostOf, LIMITS, ok, type Pid, type Result } from '@meseta/base';
import { addressOf, canonicalIp } from './addresses.js';
import { createByteBudget, sharedBodyBudget } from './byte-budget.js';
import {
  type ConnectionLimits,
  type ConnectionStats,
  type Connections,
  createConnections,
  DEFAULT_CONNECTION_LIMITS,
  HEAD_TIMEOUT_MS,
  type PeerConnection,
} from './connections.js';
import type { FastPath } from './fast-path.js';
import { createInbound, type Delivered, MAX_HEAD_BYTES, replyTo } from './inbound.js';
import { isLibprocess, parseEnvelope } from './message-parser.js';
import { createPeers, DEFAULT_MAX_UNLINKED_PEERS } from './peers.js';
import { countRequest } from './pipelining.js';
import { createBodyReader } from './read-body.js';
import { normalizeRequest } from './request-form.js';
import { createTlsAcceptor, createTlsConnector } from './tls.js';
import type { TlsConfig } from './tls-config.js';

export interface PeerMessage {
  /** The actor's id, e.g. `master`, `slave(1)`. */
  readonly to: string;
  readonly from: Pid;
  /** Full protobuf name, e.g. `mesos.internal.PingSlaveMessage`. */
  readonly wireName: string;
  /** Valid until `onMessage` returns. */
  readonly body: Uint8Array;
  readonly connection: PeerConnection;
}

export type { ConnectionLimits, PeerConnection } from './connections.js';

/** An event that the caller may log. */
export type HostNote =
  | { readonly kind: 'peerOverLimit'; readonly address: string; readonly unsentBytes: number }
  | { readonly kind: 'peerLost'; readonly address: string; readonly reason: string }
  | { readonly kind: 'badMessage'; readonly remote: string; readonly reason: string }
  /** A connection was closed to make room or because its request took too long. */
  | { readonly kind: 'connectionCut'; readonly remote: string; readonly reason: string }
  /** The least recently used connection to an address without a link was closed for a new one. */
  | { readonly kind: 'unlinkedPeerClosed'; readonly address: string }
  /** Plain text instead of TLS, or a certificate that was rejected. */
  | { readonly kind: 'tlsRefused'; readonly remote: string; readonly reason: string };

/** The note as a log line. */
export function hostNoteText(note: HostNote): string {
  switch (note.kind) {
    case 'peerOverLimit':
      return `closed the connection to ${note.address}: ${note.unsentBytes} bytes were unsent`;
    case 'peerLost':
      return `lost the connection to ${note.address}: ${note.reason}`;
    case 'connectionCut':
      return `closed the connection of ${note.remote}: ${note.reason}`;
    case 'unlinkedPeerClosed':
      return `closed the connection to ${note.address}, where nothing is registered: too many of this kind were open`;
    case 'badMessage':
      return `bad message from ${note.remote}: ${note.reason}`;
    case 'tlsRefused':
      return `refused the connection of ${note.remote}: ${note.reason}`;
  }
}

export interface HostOptions {
  readonly ip: string;
  /** 0: any free port. */
  readonly port: number;
  /** The address in pids of this process, instead of the bound one. */
  readonly advertise?: { readonly ip?: string | undefined; readonly port?: number | undefined } | undefined;
  /** Undefined: plain text, in and out. */
  readonly tls?: TlsConfig | undefined;
  /** Messages must come from the address that their sender claims (`--require_peer_address_ip_match`). */
  readonly requirePeerAddressIpMatch?: boolean | undefined;
  readonly connectionLimits?: ConnectionLimits | undefined;
  /** The number of open connections to addresses without a link. */
  readonly maxUnlinkedPeers?: number | undefined;
  /** `registered`: accepted from a registered sender, whose connection is never closed to make room. */
  onMessage(message: PeerMessage): 'accepted' | 'registered' | 'unknown';
  onConnectionClosed?(connection: PeerConnection): void;
  onRequest(request: IncomingMessage, response: ServerResponse): void;
  /** The fast path for calls; requests that it does not take are given to `onRequest`. */
  readonly fastPath?: FastPath | undefined;
  /**
   * The connection to a linked address (`ip:port`) broke or could not be opened. Called once for each break, never from
   * within `send` or `link`; the address is no longer linked.
   */
  onPeerLost(address: string): void;
  /** Peers can cause any number of notes: log them with `Logger.limited`. */
  onNote?(note: HostNote): void;
  /** The longest body of a message; 64 MiB unless given. */
  readonly maxBodyBytes?: number | undefined;
  /** The most unsent bytes of one peer; 64 MiB unless given. */
  readonly maxUnsentBytes?: number | undefined;
}

export interface HostStats {
  readonly messagesReceived: number;
  readonly messagesSent: number;
  /** Received for an unknown actor. */
  readonly messagesUnknown: number;
  /** Queued for a connection that broke or was closed. */
  readonly messagesDropped: number;
  readonly peersOverLimit: number;
  readonly badMessages: number;
  /** Received from another address than the sender's. */
  readonly messagesFromElsewhere: number;
  readonly connections: Readonly<ConnectionStats>;
  /** Outgoing connections without a link that were closed to make room. */
  readonly unlinkedPeersClosed: number;
}

export interface Host {
  /** The advertised `ip:port`, the address in pids of this process. */
  readonly address: string;
  readonly bound: { readonly ip: string; readonly port: number };
  readonly stats: HostStats;
  /** Queues a message from the actor `from` of this process; in order for each address, at most once. */
  send(to: Pid, from: string, wireName: string, body: Uint8Array): void;
  /** Keeps a connection to the pid's address open and calls `onPeerLost` when it breaks. */
  link(to: Pid): void;
  unlink(to: Pid): void;
  /** Stops listening, sends the queued messages, and closes all connections. */
  close(): Promise<void>;
}

export interface HostError {
  readonly code: 'addressInUse' | 'addressNotAvailable' | 'notPermitted' | 'listenFailed';
  readonly message: string;
}

const MIB = 2 ** 20;
const LISTEN_ERRORS: Readonly<Record<string, HostError['code']>> = {
  EADDRINUSE: 'addressInUse',
  EADDRNOTAVAIL: 'addressNotAvailable',
  EACCES: 'notPermitted',
};

interface Counters {
  received: number;
  unknown: number;
  bad: number;
  elsewhere: number;
}

/**
 * node:http without a port of its own. Idle connections are kept, as Mesos keeps them: its scheduler
 * library takes the end of either of its two connections for the loss of the master. TCP keepalive
 * finds the dead ones.
 */
function createHttp(onRequest: (request: IncomingMessage, response: ServerResponse) => void): HttpServer {
  const http = createHttpServer({
    keepAliveTimeout: 0,
    headersTimeout: HEAD_TIMEOUT_MS,
    // A body may last as long as its stream (ATTACH_CONTAINER_INPUT); the readers of bodies have timeouts.
    requestTimeout: 0,
    requireHostHeader: false,
    maxHeaderSize: MAX_HEAD_BYTES,
  });
  // HOST-2. Node documents no option for it; without it a client that ends its side is cut off before its answer.
  Object.assign(http, { httpAllowHalfOpen: true });
  // All header lines are kept, so that request-form.ts can refuse too many.
  http.maxHeadersCount = 0;
  /** Sockets whose last request was refused as ambiguous; so are the bytes after it. */
  const refused = new WeakSet<Socket>();
  http.on('request', (request, response) => {
    if (refused.has(request.socket)) return;
    countRequest(request.socket, response);
    const problem = normalizeRequest(request);
    if (problem === undefined) return onRequest(request, response);
    refused.add(request.socket);
    response.writeHead(problem.status, { 'content-type': 'text/plain', connection: 'close' }).end(problem.text);
  });
  // Starts the timeout checks, which Node starts when a server listens.
  http.emit('listening');
  return http;
}

/** Receives a message on a connection that node:http reads. */
async function receiveOverHttp(
  { request, response, connections }: { request: IncomingMessage; response: ServerResponse; connections: Connections },
  readBody: (
    request: IncomingMessage,
  ) => Promise<Result<Uint8Array, { readonly status: number; readonly message: string }>>,
  deliver: (message: PeerMessage) => Delivered,
): Promise<void> {
  const from = request.headers['libprocess-from'];
  const envelope = parseEnvelope(request.url ?? '', request.headers['user-agent'], from?.toString());
  const body = envelope.ok ? await readBody(request) : err({ status: 400, message: envelope.error });
  if (!envelope.ok || !body.ok) {
    const { status, message } = body.ok ? { status: 400, message: '' } : body.error;
    response.writeHead(status, { 'content-type': 'text/plain', connection: 'close' }).end(message);
    return;
  }
  // HOST-3: the connection may have closed while the body was read and decompressed.
  const connection = connections.find(request.socket);
  if (connection === undefined) return;
  const delivered = deliver({ ...envelope.value, body: body.value, connection });
  connections.markUsed(request.socket, delivered === 'registered' ? addressOfPid(envelope.value.from) : undefined);
  const { status, reason } = replyTo(delivered);
  response.writeHead(status, { 'content-length': Buffer.byteLength(reason) }).end(reason);
}

const listen = (server: Server, ip: string, port: number): Promise<HostError | undefined> =>
  new Promise((resolve) => {
    server.once('error', ({ code = '', message }: NodeJS.ErrnoException) => {
      const hint = code === 'EADDRINUSE' ? ': another process uses the port; choose another one with --port' : '';
      resolve({
        code: LISTEN_ERRORS[code] ?? 'listenFailed',
        message: `Flags --ip, --port: can't listen on ${ip}:${port}: ${message}${hint}`,
      });
    });
    server.listen({ host: ip, port, backlog: 4096 }, () => resolve(undefined));
  });

/** HOST-1. */
function isSenderAddressVerified({ from, connection }: PeerMessage, requireMatch: boolean): boolean {
  const { ip, certifiedIps } = connection;
  if (!requireMatch && certifiedIps === undefined) return true;
  const claimed = canonicalIp(hostOf(addressOfPid(from)));
  if (claimed === undefined) return false;
  if (claimed === ip) return true;
  return certifiedIps?.some((it) => canonicalIp(it) === claimed) === true && !requireMatch;
}

function createDelivery(options: HostOptions, counters: Counters): (message: PeerMessage) => Delivered {
  const requireMatch = options.requirePeerAddressIpMatch === true;
  return (message) => {
    if (!isSenderAddressVerified(message, requireMatch)) {
      counters.elsewhere++;
      return { refused: `the sender ${message.from} is not at ${message.connection.ip}, which the message came from` };
    }
    counters.received++;
    const answer = options.onMessage(message);
    if (answer === 'unknown') counters.unknown++;
    return answer;
  };
}

function statsOf(counters: Counters, peers: ReturnType<typeof createPeers>, connections: Connections): HostStats {
  return {
    connections: connections.stats,
    get messagesFromElsewhere() {
      return counters.elsewhere;
    },
    get unlinkedPeersClosed() {
      return peers.stats.unlinkedPeersClosed;
    },
    get messagesReceived() {
      return counters.received;
    },
    get messagesSent() {
      return peers.stats.sent;
    },
    get messagesUnknown() {
      return counters.unknown;
    },
    get messagesDropped() {
      return peers.stats.dropped;
    },
    get peersOverLimit() {
      return peers.stats.overLimit;
    },
    get badMessages() {
      return counters.bad;
    },
  };
}

/** Opens the port. A failure to listen is a value, so that the caller can tell the user what to do. */
export async function createHost(options: HostOptions): Promise<Result<Host, HostError>> {
  const maxBodyBytes = options.maxBodyBytes ?? LIMITS.requestBody.most;
  const budget = options.maxBodyBytes === undefined ? sharedBodyBudget : createByteBudget(4 * maxBodyBytes);
  const counters: Counters = { received: 0, unknown: 0, bad: 0, elsewhere: 0 };
  const note = (it: HostNote): void => options.onNote?.(it);
  const { connectionLimits = DEFAULT_CONNECTION_LIMITS } = options;
  const connections = createConnections({
    limits: connectionLimits,
    nowMs: () => performance.now(),
    onClosed: (connection) => options.onConnectionClosed?.(connection),
    onCut: (remote, reason) => note({ kind: 'connectionCut', remote, reason }),
  });
  const deliver = createDelivery(options, counters);
  const bodies = createBodyReader({ maxBodyBytes, budget });
  const http = createHttp((request, response) => {
    const { headers, method, socket } = request;
    connections.requestBegan(socket);
    response.once('close', () => connections.requestEnded(socket));
    if (!isLibprocess(method, headers['user-agent'], headers['libprocess-from']?.toString())) {
      options.onRequest(request, response);
      return;
    }
    receiveOverHttp({ request, response, connections }, bodies.read, deliver);
  });
  const inbound = createInbound({
    http,
    fastPath: options.fastPath,
    connections,
    maxBodyBytes,
    budget,
    deliver: ({ to, from, wireName }, body, connection) => deliver({ to, from, wireName, body, connection }),
    bad(remote, reason) {
      counters.bad++;
      note({ kind: 'badMessage', remote, reason });
    },
  });
  const { tls } = options;
  const secure =
    tls &&
    createTlsAcceptor(tls, connectionLimits.maxSilent, inbound.accept, (remote, reason) =>
      note({ kind: 'tlsRefused', remote, reason }),
    );
  // HOST-2.
  const server = createServer(
    { allowHalfOpen: true, noDelay: true, keepAlive: true, keepAliveInitialDelay: 60_000 },
    secure?.accept ?? ((socket) => inbound.accept(socket)),
  );
  const failed = await listen(server, options.ip, options.port);
  if (failed !== undefined) {
    http.close();
    connections.closeAll();
    return err(failed);
  }
  const { address: ip, port } = server.address() as AddressInfo;
  const address = addressOf(options.advertise?.ip ?? ip, options.advertise?.port ?? port);
  const peers = createPeers({
    address,
    maxUnsentBytes: options.maxUnsentBytes ?? 64 * MIB,
    maxUnlinkedPeers: options.maxUnlinkedPeers ?? DEFAULT_MAX_UNLINKED_PEERS,
    tls: tls && { open: createTlsConnector(tls), supportDowngrade: tls.supportDowngrade },
    onPeerLost: options.onPeerLost,
    onNote: note,
  });
  return ok({
    address,
    bound: { ip, port },
    stats: statsOf(counters, peers, connections),
    send: peers.send,
    link: peers.link,
    unlink: peers.unlink,
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      await peers.close();
      http.close();
      connections.closeAll();
      secure?.destroyAll();
      await closed;
    },
  });
}
