// The master's side of CRAM-MD5 for all its peers: who is authenticating, who is authenticated, which messages wait for
// the outcome (behaviours.md 11 and 17; Mesos: docs/authentication.md).
//
// Owns: the sessions, each an actor of this process of its own, and the principal of every authenticated pid.
// Boundary: the caller keeps the clock, sends what it is told and asks `admit` before it works on a registration.
// P1: a registration that comes while its pid is authenticating waits for the end of that.
// P2: a new authentication of a pid discards the one under way and forgets the last one's outcome.
// P3: a session ends by itself after the timeout, and with the connection of its peer; so does what its pid was.
// P4: what strangers can make it hold is bounded: the oldest session makes room for a new one, and of the registrations
//     that wait for one outcome the last few are kept.
import { type Pid, parsePid } from '@meseta/base';
import type { LibprocessMessage } from '@meseta/wire';
import { type CramMd5Side, challengeOf, createCramMd5Server } from './cram-md5.js';
import type { Secrets } from './credentials.js';

const MAX_SESSIONS = 10_000;
const MAX_HELD = 8;

export interface PeerAuthenticationOptions<Held> {
  /** Undefined: nobody can authenticate, and whoever tries is told so. */
  readonly secrets: Secrets | undefined;
  readonly timeoutMs: number;
  readonly host: string;
  /** Hard to guess, another one each time. */
  random(): string;
  send(to: Pid, from: string, message: LibprocessMessage): void;
  /** Tell `lost` when the connection to it breaks. */
  link(to: Pid): void;
  /** A registration that waited (P1), with `admit` asked again. */
  resume(held: Held): void;
  log(level: 'info' | 'warning', text: string): void;
}

export interface PeerAuthentication<Held> {
  /** A peer begins: `from` is the actor that speaks for `pid`. */
  begin(from: Pid, pid: Pid, nowMs: number): void;
  /** A message to an actor of this process; false if it is none of the sessions'. */
  receive(to: string, from: Pid, message: LibprocessMessage): boolean;
  /** `waiting`: it was kept, and comes back through `resume`. */
  admit(pid: Pid, held: Held): 'waiting' | { readonly principal: string | undefined };
  lost(address: string): void;
  tick(nowMs: number): void;
  nextMs(): number | undefined;
}

interface Session<Held> {
  readonly actor: string;
  readonly pid: Pid;
  readonly peer: Pid;
  readonly side: CramMd5Side;
  readonly dueMs: number;
  readonly held: Held[];
}

const addressOf = (pid: Pid): string | undefined => {
  const parts = parsePid(pid);
  return parts.ok ? parts.value.address : undefined;
};

export function createPeerAuthentication<Held>(options: PeerAuthenticationOptions<Held>): PeerAuthentication<Held> {
  const { secrets, send, log } = options;
  const authenticated = new Map<Pid, string>();
  const sessions = new Map<string, Session<Held>>();
  const byPid = new Map<Pid, Session<Held>>();
  let count = 0;

  const end = (session: Session<Held>): void => {
    sessions.delete(session.actor);
    if (byPid.get(session.pid) === session) byPid.delete(session.pid);
  };

  return {
    begin(from, pid, nowMs) {
      authenticated.delete(pid);
      if (secrets === undefined) {
        send(from, 'master', { name: 'AuthenticationErrorMessage', body: { error: 'No authenticator loaded' } });
        return;
      }
      const before = byPid.get(pid);
      if (before !== undefined) end(before);
      const [oldest] = sessions.size < MAX_SESSIONS ? [] : sessions.values();
      if (oldest !== undefined) end(oldest);
      const challenge = challengeOf(options.random(), nowMs, options.host);
      const session: Session<Held> = {
        actor: `crammd5-authenticator-session(${++count})`,
        pid,
        peer: from,
        side: createCramMd5Server(secrets, challenge),
        dueMs: nowMs + options.timeoutMs,
        held: before?.held ?? [],
      };
      sessions.set(session.actor, session);
      byPid.set(pid, session);
      options.link(from);
      send(from, session.actor, session.side.begin());
    },
    receive(to, from, message) {
      const session = sessions.get(to);
      if (session === undefined) return false;
      // Only who began goes on.
      if (from !== session.peer) return true;
      const { replies, end: outcome } = session.side.receive(message);
      if (outcome?.kind === 'authenticated') {
        authenticated.set(session.pid, outcome.principal);
        log('info', `authenticated ${session.pid} as ${JSON.stringify(outcome.principal)}`);
      } else if (outcome !== undefined) {
        const why = outcome.kind === 'refused' ? 'wrong principal or secret' : outcome.reason;
        log('warning', `authentication of ${session.pid} failed: ${why}`);
      }
      if (outcome !== undefined) end(session);
      // A peer that hears of the end finds it done.
      for (const reply of replies) send(from, session.actor, reply);
      if (outcome !== undefined) for (const held of session.held) options.resume(held);
      return true;
    },
    admit(pid, held) {
      const session = byPid.get(pid);
      if (session === undefined) return { principal: authenticated.get(pid) };
      session.held.push(held);
      if (session.held.length > MAX_HELD) session.held.shift();
      return 'waiting';
    },
    lost(address) {
      for (const pid of authenticated.keys()) if (addressOf(pid) === address) authenticated.delete(pid);
      for (const session of [...sessions.values()]) if (addressOf(session.peer) === address) end(session);
    },
    tick(nowMs) {
      for (const session of [...sessions.values()]) {
        if (session.dueMs > nowMs) continue;
        log('warning', `authentication of ${session.pid} took longer than ${options.timeoutMs} ms`);
        end(session);
        for (const held of session.held) options.resume(held);
      }
    },
    nextMs() {
      // Sessions are in the order of their beginning, and all have the same time.
      const [first] = sessions.values();
      return first?.dueMs;
    },
  };
}
