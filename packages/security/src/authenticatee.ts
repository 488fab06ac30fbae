// The agent's side of authentication (CRAM-MD5): the agent authenticates with its master before it registers. It also
// proves which incoming connection is the master's. The messages of an authentication go to an actor whose name only the
// process at the master's address has received, so the connection that they arrive on belongs to that process.
//
// Owns: the authentication under way, its result, the registration that waits for it, and the master's connection.
// Boundary: every message of the agent goes through `send`; the caller keeps the clock. Incoming connections are numbers.
// AUTHENTICATEE-1: a registration is sent only after the master completed an authentication. One authentication serves
//     until a registration is answered or the connection breaks, as a master then forgets the principal.
// AUTHENTICATEE-2: of several registrations that wait only the last one is sent.
// AUTHENTICATEE-3: an attempt that times out is followed by another. The bound of the random timeout doubles up to the
//     maximum.
// AUTHENTICATEE-4: messages out of turn change nothing.
// AUTHENTICATEE-5: a connection is the master's from an authentication that was completed over it until it closes or an
//     authentication is completed over another one.
import { addressOfPid, backoffBoundMs, type Pid } from '@meseta/base';
import type { LibprocessMessage } from '@meseta/wire';
import { type CramMd5Session, createCramMd5Client } from './cram-md5.js';
import type { ClientCredential } from './credentials.js';

export interface AuthenticateeOptions {
  readonly credential: ClientCredential;
  /** The agent's own actor, `slave(1)@ip:port`. */
  readonly pid: Pid;
  /** `--authentication_timeout_min` and `_max`: the ends of an attempt's timeout. */
  readonly timeoutMinMs: number;
  readonly timeoutMaxMs: number;
  /** `--authentication_backoff_factor`: the first bound of the random part of the timeout. */
  readonly backoffFactorMs: number;
  /** From 0 to 1. */
  random(): number;
  /** A new name that is hard to guess. */
  createSessionId(): string;
  deliver(to: Pid, from: string, message: LibprocessMessage): void;
  /** The master rejected the principal or the secret; do not retry. */
  refused(): void;
  /** The connection was proven to be the master's. */
  connectionProven(connection: number): void;
  log(level: 'info' | 'warning', text: string): void;
}

export interface Authenticatee {
  /** Sends a message of the agent's actor `from`; a registration waits for an authentication with `to` (AUTHENTICATEE-1). */
  send(to: Pid, from: string, message: LibprocessMessage, nowMs: number): void;
  /**
   * Takes a message to an actor of this process. Returns false if the actor is not one of an authentication: then the message
   * is for the agent. The caller passes the agent's messages too: an answered registration has used the authentication.
   */
  receive(to: string, from: Pid, message: LibprocessMessage, connection: number): boolean;
  /** Whether the incoming connection was proven to be that of the master (AUTHENTICATEE-5). */
  isMasterConnection(connection: number, master: Pid): boolean;
  /** Starts an authentication that proves the master's connection, unless one is under way; at most one in `PROOF_INTERVAL_MS`. */
  requestProof(master: Pid, nowMs: number): void;
  /** A connection to the address broke. */
  peerLost(address: string): void;
  /** An incoming connection closed. */
  connectionClosed(connection: number): void;
  /** Repeats an attempt that has timed out (AUTHENTICATEE-3). Times are monotonic, in milliseconds. */
  tick(nowMs: number): void;
  /** The time at which `tick` has something to do; undefined without an attempt. */
  nextMs(): number | undefined;
}

interface Attempt {
  readonly actor: string;
  readonly session: CramMd5Session;
  readonly master: Pid;
  readonly dueMs: number;
}

interface WaitingRegistration {
  readonly to: Pid;
  readonly from: string;
  readonly message: LibprocessMessage;
}

const PROOF_INTERVAL_MS = 5_000;
const ACTOR = 'crammd5-authenticatee(';
const REGISTRATIONS: ReadonlySet<LibprocessMessage['name']> = new Set([
  'RegisterAgentMessage',
  'ReregisterAgentMessage',
]);
const ANSWERS: ReadonlySet<LibprocessMessage['name']> = new Set(['AgentRegisteredMessage', 'AgentReregisteredMessage']);

export function createAuthenticatee(options: AuthenticateeOptions): Authenticatee {
  const { credential, deliver, log, timeoutMinMs, timeoutMaxMs, backoffFactorMs } = options;
  const backoff = { firstMs: backoffFactorMs, longestMs: Math.max(0, timeoutMaxMs - timeoutMinMs) };
  let authenticatedWith: Pid | undefined;
  let attempt: Attempt | undefined;
  let waiting: WaitingRegistration | undefined;
  let failures = 0;
  /** The master's connection (AUTHENTICATEE-5). */
  let proven: { readonly master: Pid; readonly connection: number } | undefined;
  let lastProofMs = Number.NEGATIVE_INFINITY;

  const beginAttempt = (master: Pid, nowMs: number): void => {
    const actor = `${ACTOR}${options.createSessionId()})`;
    const spreadMs = backoffBoundMs(backoff, failures);
    const session = createCramMd5Client(credential, options.pid);
    attempt = { actor, session, master, dueMs: nowMs + timeoutMinMs + options.random() * spreadMs };
    deliver(master, actor, session.begin());
  };

  return {
    send(to, from, message, nowMs) {
      if (!REGISTRATIONS.has(message.name) || authenticatedWith === to) {
        deliver(to, from, message);
        return;
      }
      waiting = { to, from, message };
      if (attempt?.master !== to) beginAttempt(to, nowMs);
    },
    isMasterConnection: (connection, master) => connection === proven?.connection && master === proven.master,
    requestProof(master, nowMs) {
      if (attempt !== undefined || nowMs - lastProofMs < PROOF_INTERVAL_MS) return;
      lastProofMs = nowMs;
      beginAttempt(master, nowMs);
    },
    receive(to, from, message, connection) {
      if (ANSWERS.has(message.name) && from === authenticatedWith && connection === proven?.connection)
        authenticatedWith = undefined;
      if (attempt === undefined || to !== attempt.actor) return to.startsWith(ACTOR);
      const { actor, session, master } = attempt;
      // The master sends from the actor of its session, at the master's address.
      if (addressOfPid(from) !== addressOfPid(master)) return true;
      const { replies, end } = session.receive(message);
      for (const reply of replies) deliver(from, actor, reply);
      if (end === undefined) return true;
      if (end.kind === 'authenticated') {
        attempt = undefined;
        failures = 0;
        authenticatedWith = master;
        proven = { master, connection };
        log('info', `authenticated with ${master} as ${JSON.stringify(end.principal)}`);
        if (waiting !== undefined) deliver(waiting.to, waiting.from, waiting.message);
        waiting = undefined;
        options.connectionProven(connection);
      } else if (end.kind === 'refused') {
        attempt = undefined;
        waiting = undefined;
        options.refused();
      } else log('warning', `authentication with ${master}: ${end.reason}`);
      return true;
    },
    peerLost(lostAddress) {
      if (authenticatedWith !== undefined && addressOfPid(authenticatedWith) === lostAddress)
        authenticatedWith = undefined;
    },
    connectionClosed(connection) {
      if (connection === proven?.connection) proven = undefined;
    },
    tick(nowMs) {
      if (attempt === undefined || attempt.dueMs > nowMs) return;
      failures++;
      log('warning', `authentication with ${attempt.master} timed out: trying again`);
      beginAttempt(attempt.master, nowMs);
    },
    nextMs: () => attempt?.dueMs,
  };
}
