// An agent's side of CRAM-MD5: it authenticates with its master before it registers (behaviours.md 11).
//
// Owns: the authentication under way or done, and the registration that waits for it.
// Boundary: whatever the agent sends goes through `send`; the caller keeps the clock.
// A1: a registration leaves only after the master has completed an authentication, and one authentication serves until
//     a registration is answered or the connection breaks: a master forgets who was behind a broken connection.
// A2: of registrations that wait only the last one leaves.
// A3: an attempt without an end is followed by another one, after a time whose bound doubles up to the maximum.
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
  deliver(to: Pid, from: string, message: LibprocessMessage): void;
  /** The master says that the principal or the secret is wrong: trying again won't help. */
  refused(): void;
  log(level: 'info' | 'warning', text: string): void;
}

export interface OwnAuthentication {
  send(to: Pid, from: string, message: LibprocessMessage, nowMs: number): void;
  /** A message to an actor of this process; false if it is none of ours. Sees those to the agent, too. */
  receive(to: string, from: Pid, message: LibprocessMessage): boolean;
  lost(address: string): void;
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
  let attempts = 0;
  let failures = 0;

  const begin = (master: Pid, nowMs: number): void => {
    const actor = `crammd5-authenticatee(${++attempts})`;
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
    receive(to, from, message) {
      if (ANSWERS.has(message.name) && from === doneWith) doneWith = undefined;
      if (attempt === undefined || to !== attempt.actor) return to.startsWith('crammd5-authenticatee(');
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
        log('info', `authenticated with ${master} as ${JSON.stringify(end.principal)}`);
        if (held !== undefined) deliver(held.to, held.from, held.message);
        held = undefined;
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
    tick(nowMs) {
      if (attempt === undefined || attempt.dueMs > nowMs) return;
      failures++;
      log('warning', `authentication with ${attempt.master} has not come to an end: trying again`);
      begin(attempt.master, nowMs);
    },
    nextMs: () => attempt?.dueMs,
  };
}
