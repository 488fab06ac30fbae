// An agent's side of CRAM-MD5: it authenticates with its master before it registers. The answers also
// show the agent over which connection its master speaks: they are to an actor whose name only the process at the master's
// address has heard, so whoever answers is that process.
//
// Owns: the authentication under way or done, the registration that waits for it, and the connection that is the master's.
// Boundary: whatever the agent sends goes through `send`; the caller keeps the clock. Incoming connections are numbers.
// OWN-AUTHENTICATION-1: a registration leaves only after the master has completed an authentication, and one authentication
//     serves until a registration is answered or the connection breaks: a master forgets who was behind a broken connection.
// OWN-AUTHENTICATION-2: of registrations that wait only the last one leaves.
// OWN-AUTHENTICATION-3: an attempt without an end is followed by another one, after a time whose bound doubles up to the
//     maximum.
// OWN-AUTHENTICATION-4: messages that answer nothing that this side has said change nothing.
// OWN-AUTHENTICATION-5: a connection is the master's if an authentication with the master was completed over it, until it
//     closes or another authentication was completed over another one.
import { type Pid, parsePid, pidOf } from '@meseta/base';
import type { LibprocessMessage } from '@meseta/wire';
import { type CramMd5Side, createCramMd5Client } from './cram-md5.js';
import type { OwnCredential } from './credentials.js';

export interface OwnAuthenticationOptions {
  readonly credential: OwnCredential;
  /** The agent's own actor, `slave(1)@ip:port`. */
  readonly pid: Pid;
  readonly timeoutMinMs: number;
  readonly timeoutMaxMs: number;
  readonly backoffFactorMs: number;
  /** From 0 to 1. */
  random(): number;
  /** Hard to guess, another one each time. */
  secret(): string;
  deliver(to: Pid, from: string, message: LibprocessMessage): void;
  /** The master says that the principal or the secret is wrong: trying again won't help. */
  refused(): void;
  /** A connection was shown to be the master's. */
  proven(connection: number): void;
  log(level: 'info' | 'warning', text: string): void;
}

export interface OwnAuthentication {
  send(to: Pid, from: string, message: LibprocessMessage, nowMs: number): void;
  /** A message to an actor of this process; false if it is none of ours. Sees those to the agent, too. */
  receive(to: string, from: Pid, message: LibprocessMessage, connection: number): boolean;
  isMasters(connection: number, master: Pid): boolean;
  /** Has the master show over which connection it speaks, if that is not under way; at most once in `PROOF_INTERVAL_MS`. */
  askForProof(master: Pid, nowMs: number): void;
  lost(address: string): void;
  /** An incoming connection is closed. */
  closed(connection: number): void;
  tick(nowMs: number): void;
  nextMs(): number | undefined;
}

interface Attempt {
  readonly actor: string;
  readonly side: CramMd5Side;
  readonly master: Pid;
  readonly dueMs: number;
}

interface Held {
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

const addressOf = (pid: Pid): string | undefined => {
  const parts = parsePid(pid);
  return parts.ok ? parts.value.address : undefined;
};

export function createOwnAuthentication(options: OwnAuthenticationOptions): OwnAuthentication {
  const { credential, deliver, log, timeoutMinMs, timeoutMaxMs, backoffFactorMs } = options;
  const own = parsePid(options.pid);
  const address = own.ok ? own.value.address : '';
  let doneWith: Pid | undefined;
  let attempt: Attempt | undefined;
  let held: Held | undefined;
  let failures = 0;
  /** OWN-AUTHENTICATION-5. */
  let shown: { readonly master: Pid; readonly connection: number } | undefined;
  let lastProofMs = Number.NEGATIVE_INFINITY;

  const begin = (master: Pid, nowMs: number): void => {
    const actor = `${ACTOR}${options.secret()})`;
    const spreadMs = Math.min(backoffFactorMs * 2 ** failures, Math.max(0, timeoutMaxMs - timeoutMinMs));
    const side = createCramMd5Client(credential, pidOf(own.ok ? own.value.id : '', address));
    attempt = { actor, side, master, dueMs: nowMs + timeoutMinMs + options.random() * spreadMs };
    deliver(master, actor, side.begin());
  };

  return {
    send(to, from, message, nowMs) {
      if (!REGISTRATIONS.has(message.name) || doneWith === to) {
        deliver(to, from, message);
        return;
      }
      held = { to, from, message };
      if (attempt?.master !== to) begin(to, nowMs);
    },
    isMasters: (connection, master) => connection === shown?.connection && master === shown.master,
    askForProof(master, nowMs) {
      if (attempt !== undefined || nowMs - lastProofMs < PROOF_INTERVAL_MS) return;
      lastProofMs = nowMs;
      begin(master, nowMs);
    },
    receive(to, from, message, connection) {
      if (ANSWERS.has(message.name) && from === doneWith && connection === shown?.connection) doneWith = undefined;
      if (attempt === undefined || to !== attempt.actor) return to.startsWith(ACTOR);
      const { actor, side, master } = attempt;
      // It speaks from the actor of its session; the address is the master's.
      if (addressOf(from) !== addressOf(master)) return true;
      const { replies, end } = side.receive(message);
      for (const reply of replies) deliver(from, actor, reply);
      if (end === undefined) return true;
      if (end.kind === 'authenticated') {
        attempt = undefined;
        failures = 0;
        doneWith = master;
        shown = { master, connection };
        log('info', `authenticated with ${master} as ${JSON.stringify(end.principal)}`);
        if (held !== undefined) deliver(held.to, held.from, held.message);
        held = undefined;
        options.proven(connection);
      } else if (end.kind === 'refused') {
        attempt = undefined;
        held = undefined;
        options.refused();
      } else log('warning', `authentication with ${master}: ${end.reason}`);
      return true;
    },
    lost(lostAddress) {
      if (doneWith !== undefined && addressOf(doneWith) === lostAddress) doneWith = undefined;
    },
    closed(connection) {
      if (connection === shown?.connection) shown = undefined;
    },
    tick(nowMs) {
      if (attempt === undefined || attempt.dueMs > nowMs) return;
      failures++;
      log('warning', `authentication with ${attempt.master} has not come to an end: trying again`);
      begin(attempt.master, nowMs);
    },
    nextMs: () => attempt?.dueMs,
  };
}
