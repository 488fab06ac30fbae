// One port for HTTP and libprocess, as in Mesos: whoever knows a process' `ip:port` can send it
// messages and ask its endpoints. Incoming: inbound.ts. Outgoing messages: peers.ts.
import {
  createServer as createHttpServer,
  type Server as HttpServer,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { err, LIMITS, ok, type Pid, type Result } from '@meseta/base';
import { createByteBudget, processBodies } from './byte-budget.js';
import { createInbound, HEAD_TIMEOUT_MS, MAX_HEAD_BYTES } from './inbound.js';
import { isLibprocess, parseEnvelope } from './message-parser.js';
import { createPeers } from './peers.js';
import { countRequest } from './pipelining.js';
import type { PlainCalls } from './plain-calls.js';
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
}

/** What an operator may want to read in the log. */
export type HostNote =
  | { readonly kind: 'peerOverLimit'; readonly address: string; readonly unsentBytes: number }
  | { readonly kind: 'peerLost'; readonly address: string; readonly reason: string }
  | { readonly kind: 'badMessage'; readonly remote: string; readonly reason: string }
  /** Plain text where TLS was expected, or a certificate that doesn't do. */
  | { readonly kind: 'tlsRefused'; readonly remote: string; readonly reason: string };

export interface HostOptions {
  readonly ip: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** What pids of this process show instead of the bound address. */
  readonly advertise?: { readonly ip?: string | undefined; readonly port?: number | undefined } | undefined;
  /** Undefined: plain text, in and out. */
  readonly tls?: TlsConfig | undefined;
  onMessage(message: PeerMessage): 'accepted' | 'unknown';
  onRequest(request: IncomingMessage, response: ServerResponse): void;
  /** Calls that need not go through node:http; what they refuse comes to `onRequest`. */
  readonly calls?: PlainCalls | undefined;
  /**
   * The connection to a linked address (`ip:port`) broke or could not be made: once a break, never from inside
   * `send` or `link`. The address is no longer linked then.
   */
  onPeerLost(address: string): void;
  onNote?(note: HostNote): void;
  /** A message's body; 64 MiB unless given. */
  readonly maxBodyBytes?: number | undefined;
  /** Unsent to one peer; 64 MiB unless given. */
  readonly maxUnsentBytes?: number | undefined;
}

export interface HostStats {
  readonly messagesReceived: number;
  readonly messagesSent: number;
  /** Received for an actor that is not here. */
  readonly messagesUnknown: number;
  /** Queued for a connection that broke or was cut off. */
  readonly messagesDropped: number;
  readonly peersOverLimit: number;
  readonly badMessages: number;
}

export interface Host {
  /** The advertised `ip:port`: what pids of this process end in. */
  readonly address: string;
  readonly bound: { readonly ip: string; readonly port: number };
  readonly stats: HostStats;
  /** Queues a message from the actor `from` of this process; in order for each address, at most once. */
  send(to: Pid, from: string, wireName: string, body: Uint8Array): void;
  /** Keeps a connection to the pid's address, and tells `onPeerLost` when it breaks. */
  link(to: Pid): void;
  unlink(to: Pid): void;
  /** Takes no more connections, sends what is queued, and closes everything. */
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
}

/**
 * node:http without a port of its own. Idle connections are kept, as Mesos keeps them: its scheduler
 * library takes the end of either of its two connections for the loss of the master. TCP keepalive
 * finds the dead ones.
 */
function httpServer(onRequest: (request: IncomingMessage, response: ServerResponse) => void): HttpServer {
  const http = createHttpServer({
    keepAliveTimeout: 0,
    headersTimeout: HEAD_TIMEOUT_MS,
    // A body may last as long as its stream does (ATTACH_CONTAINER_INPUT); readers have their own patience.
    requestTimeout: 0,
    requireHostHeader: false,
    maxHeaderSize: MAX_HEAD_BYTES,
  });
  // None is left out unseen: too many are refused (request-form.ts).
  http.maxHeadersCount = 0;
  /** Their last request could be read in two ways: so could what comes behind it. */
  const refused = new WeakSet<Socket>();
  http.on('request', (request, response) => {
    if (refused.has(request.socket)) return;
    countRequest(request.socket, response);
    const problem = normalizeRequest(request);
    if (problem === undefined) return onRequest(request, response);
    refused.add(request.socket);
    response.writeHead(problem.status, { 'content-type': 'text/plain', connection: 'close' }).end(problem.text);
  });
  // Starts the check of the timeouts, which node does when a server listens.
  http.emit('listening');
  return http;
}

/** A message on a connection that began with plain HTTP. */
async function messageOverHttp(
  request: IncomingMessage,
  response: ServerResponse,
  readBody: (
    request: IncomingMessage,
  ) => Promise<Result<Uint8Array, { readonly status: number; readonly message: string }>>,
  deliver: (message: PeerMessage) => boolean,
): Promise<void> {
  const from = request.headers['libprocess-from'];
  const envelope = parseEnvelope(request.url ?? '', request.headers['user-agent'], from?.toString());
  const body = envelope.ok ? await readBody(request) : err({ status: 400, message: envelope.error });
  if (!envelope.ok || !body.ok) {
    const { status, message } = body.ok ? { status: 400, message: '' } : body.error;
    response.writeHead(status, { 'content-type': 'text/plain', connection: 'close' }).end(message);
    return;
  }
  response.writeHead(deliver({ ...envelope.value, body: body.value }) ? 202 : 404, { 'content-length': 0 }).end();
}

const listen = (server: Server, ip: string, port: number): Promise<HostError | undefined> =>
  new Promise((resolve) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      resolve({
        code: LISTEN_ERRORS[error.code ?? ''] ?? 'listenFailed',
        message: `Flags --ip, --port: can't listen on ${ip}:${port}: ${error.message}`,
      }),
    );
    server.listen({ host: ip, port, backlog: 4096 }, () => resolve(undefined));
  });

function statsOf(counters: Counters, peers: ReturnType<typeof createPeers>): HostStats {
  return {
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

/** Opens the port. A port that is taken is a value, so that the caller can say what to do about it. */
export async function createHost(options: HostOptions): Promise<Result<Host, HostError>> {
  const maxBodyBytes = options.maxBodyBytes ?? LIMITS.requestBody.most;
  const budget = options.maxBodyBytes === undefined ? processBodies : createByteBudget(4 * maxBodyBytes);
  const counters: Counters = { received: 0, unknown: 0, bad: 0 };
  const note = (what: HostNote): void => options.onNote?.(what);

  const deliver = (message: PeerMessage): boolean => {
    counters.received++;
    if (options.onMessage(message) === 'accepted') return true;
    counters.unknown++;
    return false;
  };
  const bodies = createBodyReader({ maxBodyBytes, budget });
  const http = httpServer((request, response) => {
    const { headers, method } = request;
    if (!isLibprocess(method, headers['user-agent'], headers['libprocess-from']?.toString())) {
      options.onRequest(request, response);
      return;
    }
    messageOverHttp(request, response, bodies.read, deliver);
  });
  const inbound = createInbound({
    http,
    calls: options.calls,
    maxBodyBytes,
    budget,
    deliver: (head, body) => deliver({ to: head.to, from: head.from, wireName: head.wireName, body }),
    bad(remote, reason) {
      counters.bad++;
      note({ kind: 'badMessage', remote, reason });
    },
  });
  const { tls } = options;
  const secure =
    tls &&
    createTlsAcceptor(tls, inbound.accept, (remote, reason) => {
      note({ kind: 'tlsRefused', remote, reason });
    });
  // Half-open: an HTTP client may end its side and still wait for its answer.
  const server = createServer(
    { allowHalfOpen: true, noDelay: true, keepAlive: true, keepAliveInitialDelay: 60_000 },
    secure?.accept ?? inbound.accept,
  );
  const failed = await listen(server, options.ip, options.port);
  if (failed !== undefined) {
    http.close();
    return err(failed);
  }
  const { address: ip, port } = server.address() as AddressInfo;
  const address = `${options.advertise?.ip ?? ip}:${options.advertise?.port ?? port}`;
  const peers = createPeers({
    address,
    maxUnsentBytes: options.maxUnsentBytes ?? 64 * MIB,
    tls: tls && { open: createTlsConnector(tls), supportDowngrade: tls.supportDowngrade },
    onPeerLost: options.onPeerLost,
    onNote: note,
  });
  return ok({
    address,
    bound: { ip, port },
    stats: statsOf(counters, peers),
    send: peers.send,
    link: peers.link,
    unlink: peers.unlink,
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      await peers.close();
      http.close();
      inbound.destroyAll();
      secure?.destroyAll();
      await closed;
    },
  });
}
