// TLS under the shared port and under messages to peers. Mesos: docs/ssl.md.
//
// Server: a connection that does not begin with TLS is refused, unless downgrade is on: then its first byte decides (22
// begins a handshake and no HTTP request).
// Client: nothing is sent to a peer before its certificate was verified, if that is configured. If the handshake fails and
// downgrade is on, the connection is opened again in plain text.
//
// TLS-1: at most `maxHandshakes` connections have not completed their handshake (with downgrade: sent their first byte). One
//     more closes the oldest one of the address that has the most of them.
//
// Peers are identified by address, not by name. By `hostname_validation_scheme`:
// - openssl: a server's certificate must contain its address (with `verify_ipadd`); names of clients are not checked.
// - legacy: the certificate of either side must contain the name that a reverse look-up of the address returns or, with
//   `verify_ipadd`, the address.
import { lookupService } from 'node:dns/promises';
import type { Socket } from 'node:net';
import {
  connect as connectTls,
  createSecureContext,
  createServer as createTlsServer,
  type DetailedPeerCertificate,
  type TLSSocket,
} from 'node:tls';
import { canonicalIp, withoutMapping } from './addresses.js';
import { createConnectionPool } from './connection-pool.js';
import type { TlsConfig } from './tls-config.js';

const HANDSHAKE_TIMEOUT_MS = 60_000;
const HANDSHAKE_BYTE = 22;

/** The names and addresses in a certificate; the common name counts too, as in Mesos. */
function namesOf({ subject, subjectaltname }: DetailedPeerCertificate): {
  readonly names: readonly string[];
  readonly addresses: readonly string[];
} {
  const alternatives = (subjectaltname ?? '').split(', ');
  const after = (prefix: string): string[] =>
    alternatives.filter((it) => it.startsWith(prefix)).map((it) => it.slice(prefix.length));
  const common: unknown = subject?.CN;
  const own = typeof common === 'string' ? [common] : Array.isArray(common) ? (common as string[]) : [];
  return { names: [...after('DNS:'), ...own], addresses: after('IP Address:') };
}

/** The number of certificates between the peer's own and the last of its chain. */
function depthOf(certificate: DetailedPeerCertificate): number {
  let depth = 0;
  for (let at = certificate; at.issuerCertificate !== undefined && at.issuerCertificate !== at; ) {
    at = at.issuerCertificate;
    depth++;
  }
  return Math.max(0, depth - 1);
}

/** Compared as numbers: `2001:DB8::1` and `2001:db8:0::1` are one. */
const sameAddress = (one: string, other: string): boolean =>
  one === other || canonicalIp(one) === (canonicalIp(other) ?? other);

/** The problem with the peer's certificate beyond the checks of the handshake; undefined if there is none. */
async function problemOf(socket: TLSSocket, side: 'server' | 'client', config: TlsConfig): Promise<string | undefined> {
  const certificate = socket.getPeerCertificate(true);
  const remote = withoutMapping(socket.remoteAddress ?? '');
  if (Object.keys(certificate).length === 0) return 'the peer has sent no certificate';
  if (depthOf(certificate) > config.verifyDepth) return `its chain is longer than ${config.verifyDepth}`;
  if (config.hostnameValidation === 'openssl' && side === 'server') return undefined;
  const { names, addresses } = namesOf(certificate);
  if (config.verifyIpAddress && addresses.some((address) => sameAddress(address, remote))) return undefined;
  if (config.hostnameValidation === 'openssl') {
    return config.verifyIpAddress
      ? `its certificate is not for the address ${remote}`
      : 'peers are identified by address: their certificates can only be verified with ssl_verify_ipadd';
  }
  const name = await lookupService(remote, socket.remotePort ?? 0).then(
    ({ hostname }) => hostname,
    () => undefined,
  );
  if (name !== undefined && names.includes(name)) return undefined;
  return `its certificate is for ${names.join(', ') || 'no name'}, and the name of ${remote} is ${name ?? 'unknown'}`;
}

export interface TlsAcceptor {
  /** Calls `taken` with the connection to read, or `refused`. */
  accept(socket: Socket): void;
  /** Destroys all connections, those given to `taken` too. */
  destroyAll(): void;
}

interface Handshake {
  readonly ip: string;
  readonly socket: Socket;
}

/** TLS-1. */
function createHandshakes(most: number, cut: (socket: Socket) => void) {
  const pool = createConnectionPool<Handshake>();
  const byEnds = new Map<string, Handshake>();
  /** node:tls wraps a socket in another one: the addresses of both ends identify it. */
  const endsOf = ({ remoteAddress, remotePort, localAddress }: Socket): string =>
    `${remoteAddress} ${remotePort} ${localAddress}`;
  const end = (ends: string): void => {
    const handshake = byEnds.get(ends);
    if (handshake === undefined) return;
    byEnds.delete(ends);
    pool.delete(handshake);
  };
  return {
    begin(socket: Socket): void {
      const ends = endsOf(socket);
      end(ends);
      const handshake: Handshake = { ip: canonicalIp(socket.remoteAddress ?? '') ?? '', socket };
      byEnds.set(ends, handshake);
      pool.add(handshake);
      socket.on('close', () => {
        if (byEnds.get(ends) === handshake) end(ends);
      });
      const next = pool.size > most ? pool.nextToClose() : undefined;
      if (next === undefined) return;
      pool.delete(next);
      cut(next.socket);
    },
    end: (socket: Socket) => end(endsOf(socket)),
  };
}

export function createTlsAcceptor(
  config: TlsConfig,
  maxHandshakes: number,
  taken: (socket: Socket, certifiedIps?: readonly string[]) => void,
  refused: (remote: string, reason: string) => void,
): TlsAcceptor {
  const { requireClientCert, supportDowngrade } = config;
  const open = new Set<Socket>();
  const nameOf = (socket: Socket): string => `${socket.remoteAddress}:${socket.remotePort}`;
  const handshakes = createHandshakes(maxHandshakes, (socket) => {
    refused(nameOf(socket), `more than ${maxHandshakes} connections have not completed their handshakes`);
    socket.destroy();
  });
  const take: typeof taken = (socket, certifiedIps) => {
    handshakes.end(socket);
    if (!socket.destroyed) taken(socket, certifiedIps);
  };
  const server = createTlsServer({
    ...config.context,
    allowHalfOpen: true,
    requestCert: requireClientCert,
    rejectUnauthorized: requireClientCert,
    handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
  });
  server.on('tlsClientError', (error, socket) => {
    refused(nameOf(socket), error.message);
    socket.destroy();
  });
  server.on('secureConnection', (socket) => {
    // No other listener exists until the socket is taken; a reset is followed by 'close'.
    socket.on('error', () => {});
    if (!requireClientCert) return take(socket);
    problemOf(socket, 'server', config).then((problem) => {
      if (problem === undefined) return take(socket, namesOf(socket.getPeerCertificate(true)).addresses);
      refused(nameOf(socket), problem);
      socket.destroy();
    });
  });
  return {
    accept(socket) {
      open.add(socket);
      socket.on('close', () => open.delete(socket));
      socket.on('error', () => {});
      handshakes.begin(socket);
      if (!supportDowngrade) {
        server.emit('connection', socket);
        return;
      }
      // The socket is half-open (HOST-2): without a first byte no reader would end this side.
      const onEnd = (): void => void socket.destroy();
      socket.once('end', onEnd);
      socket.once('data', (bytes: Buffer) => {
        socket.off('end', onEnd);
        socket.pause();
        socket.unshift(bytes);
        if (bytes[0] === HANDSHAKE_BYTE) server.emit('connection', socket);
        else take(socket);
        process.nextTick(() => socket.resume());
      });
    },
    destroyAll() {
      for (const socket of open) socket.destroy();
    },
  };
}

export interface SecureConnection {
  readonly socket: Socket;
  /** Calls back once: with undefined when messages may be sent, else with the problem. */
  onSecured(secured: (problem: string | undefined) => void): void;
}

export type OpenSecurely = (host: string, port: number) => SecureConnection;

export function createTlsConnector(config: TlsConfig): OpenSecurely {
  const secureContext = createSecureContext(config.context);
  return (host, port) => {
    const socket = connectTls({
      host,
      port,
      secureContext,
      rejectUnauthorized: config.verifyServerCert,
      // The certificate is verified below, by address.
      checkServerIdentity: () => undefined,
    });
    socket.setNoDelay(true);
    socket.setKeepAlive(true, 60_000);
    const tooLong = (): void => {
      socket.destroy(new Error('the handshake took too long'));
    };
    socket.setTimeout(HANDSHAKE_TIMEOUT_MS, tooLong);
    return {
      socket,
      onSecured(secured) {
        let once: typeof secured | undefined = secured;
        const report = (problem: string | undefined): void => {
          once?.(problem);
          once = undefined;
        };
        socket.once('secureConnect', () => {
          socket.off('timeout', tooLong);
          if (config.verifyServerCert) problemOf(socket, 'client', config).then(report);
          else report(undefined);
        });
        socket.once('error', (error) => report(error.message));
        socket.once('close', () => report('the peer closed the connection'));
      },
    };
  };
}
