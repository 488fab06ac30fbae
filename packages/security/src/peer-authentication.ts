// The master's side of CRAM-MD5 for all its peers: who is authenticating, who is authenticated, which messages wait for
// the outcome (Mesos: docs/authentication.md).
//
// Owns: the sessions, each an actor of this process of its own, and by connection the principal of every pid that has
// authenticated on it.
// Boundary: the caller keeps the clock, sends what it is told and asks `admit` before it works on a registration. A
// connection is known by its number. libprocess sends everything from one process to another over one connection, which it
// keeps while they are linked: agents and drivers authenticate on the connection that their messages come by.
// PEER-AUTHENTICATION-1: a registration that comes while its pid is authenticating on its connection waits for the end.
// PEER-AUTHENTICATION-2: a new authentication of a pid on a connection discards the one under way there; what the pid was
//     there stays until the new one has come to an end.
// PEER-AUTHENTICATION-3: a session ends by itself after the timeout, and with its connection; so does what its pids were.
// PEER-AUTHENTICATION-4: what comes over a connection changes nothing for the pids of others: a peer authenticates actors at
//     its own address, and only whoever began goes on, over the same connection.
// PEER-AUTHENTICATION-5: what strangers can make it hold and do is bounded: a connection with many sessions begins no other
//     ones, and of all the oldest one of the connection that has the most makes room; of the registrations that wait for one
//     outcome the last few are kept.
import { LIMITS, type Pid, parsePid } from '@meseta/base';
import type { LibprocessMessage } from '@meseta/wire';
import { type CramMd5Side, challengeOf, createCramMd5Server } from './cram-md5.js';
import type { Secrets } from './credentials.js';

const MAX_SESSIONS = LIMITS.authentications.most;
const MAX_SESSIONS_OF_CONNECTION = LIMITS.connectionAuthentications.most;
const MAX_HELD = 8;

export interface PeerAuthenticationOptions<Held> {
  /** Undefined: nobody can authenticate, and whoever tries is told so. */
  readonly secrets: Secrets | undefined;
  readonly timeoutMs: number;
  readonly host: string;
  /** Hard to guess, another one each time. */
  random(): string;
  send(to: Pid, from: string, message: LibprocessMessage): void;
  /** A registration that waited (PEER-AUTHENTICATION-1), with `admit` asked again. */
  resume(held: Held): void;
  log(level: 'info' | 'warning', text: string): void;
}

/** Who sends over which connection. */
export interface Sender {
  readonly from: Pid;
  readonly connection: number;
}

export interface PeerAuthentication<Held> {
  /**
   * A peer begins: it speaks for `pid`. False, and the message is ignored, if that is at another address, or if the
   * connection has too many authentications under way.
   */
  begin(sender: Sender, pid: Pid, nowMs: number): boolean;
  /** A message to an actor of this process; false if it is none of the sessions'. */
  receive(to: string, sender: Sender, message: LibprocessMessage): boolean;
  /** `waiting`: it was kept, and comes back through `resume`. */
  admit(sender: Sender, held: Held): 'waiting' | { readonly principal: string | undefined };
  /** As whom the pid has authenticated on the connection. */
  principalOf(sender: Sender): string | undefined;
  /** Whether the pid is authenticating or authenticated on any connection. */
  knows(pid: Pid): boolean;
  /** The connection is closed; answers who had authenticated on it and on no other one. */
  closed(connection: number): readonly Pid[];
  tick(nowMs: number): void;
  nextMs(): number | undefined;
}

interface Session<Held> {
  readonly actor: string;
  readonly pid: Pid;
  readonly peer: Sender;
  readonly side: CramMd5Side;
  readonly dueMs: number;
  readonly held: Held[];
}

/** What is known of one connection. */
interface Of<Held> {
  readonly sessions: Map<Pid, Session<Held>>;
  readonly principals: Map<Pid, string>;
}

const addressOf = (pid: Pid): string | undefined => {
  const parts = parsePid(pid);
  return parts.ok ? parts.value.address : undefined;
};

function createCounts<T>() {
  const counts = new Map<T, number>();
  return {
    has: (it: T): boolean => counts.has(it),
    add: (it: T): unknown => counts.set(it, (counts.get(it) ?? 0) + 1),
    subtract(it: T): void {
      const left = (counts.get(it) ?? 0) - 1;
      if (left > 0) counts.set(it, left);
      else counts.delete(it);
    },
  };
}

/** The sessions, and what each connection's pids have shown to be. */
function createBook<Held>() {
  const sessions = new Map<string, Session<Held>>();
  const connections = new Map<number, Of<Held>>();
  /** Connections by how many sessions they have. */
  const byCount = Array.from({ length: MAX_SESSIONS_OF_CONNECTION + 1 }, () => new Set<number>());
  /** On how many connections each pid has a session or a principal, and on how many it has authenticated. */
  const uses = createCounts<Pid>();
  const authenticated = createCounts<Pid>();

  const of = (connection: number): Of<Held> => {
    const known = connections.get(connection) ?? { sessions: new Map(), principals: new Map() };
    connections.set(connection, known);
    return known;
  };
  const end = (session: Session<Held>): void => {
    sessions.delete(session.actor);
    const own = connections.get(session.peer.connection);
    if (own?.sessions.get(session.pid) !== session) return;
    own.sessions.delete(session.pid);
    count(session.peer.connection, own.sessions.size + 1, own.sessions.size);
    uses.subtract(session.pid);
  };
  const count = (connection: number, before: number, now: number): void => {
    byCount[before]?.delete(connection);
    if (now > 0) byCount[now]?.add(connection);
  };
  /** PEER-AUTHENTICATION-5: the session that makes room for another one of these. */
  const inTheWay = (): Session<Held> | undefined => {
    if (sessions.size < MAX_SESSIONS) return undefined;
    const [most] = byCount.findLast(({ size }) => size > 0) ?? [];
    return most === undefined ? undefined : connections.get(most)?.sessions.values().next().value;
  };
  return {
    sessions,
    connections,
    knows: uses.has,
    end,
    /** In place of the pid's earlier one on the connection, or of another one where there are too many. */
    open(session: Session<Held>): void {
      const own = of(session.peer.connection);
      const over = own.sessions.get(session.pid) ?? inTheWay();
      if (over !== undefined) end(over);
      sessions.set(session.actor, session);
      own.sessions.set(session.pid, session);
      count(session.peer.connection, own.sessions.size - 1, own.sessions.size);
      uses.add(session.pid);
    },
    settle({ pid, peer }: Session<Held>, principal: string | undefined): void {
      const { principals } = of(peer.connection);
      if (principals.delete(pid)) for (const counts of [uses, authenticated]) counts.subtract(pid);
      if (principal === undefined) return;
      principals.set(pid, principal);
      for (const counts of [uses, authenticated]) counts.add(pid);
    },
    close(connection: number): readonly Pid[] {
      const own = connections.get(connection);
      if (own === undefined) return [];
      connections.delete(connection);
      byCount[own.sessions.size]?.delete(connection);
      for (const session of own.sessions.values()) sessions.delete(session.actor);
      for (const pid of [...own.sessions.keys(), ...own.principals.keys()]) uses.subtract(pid);
      for (const pid of own.principals.keys()) authenticated.subtract(pid);
      return [...own.principals.keys()].filter((pid) => !authenticated.has(pid));
    },
  };
}

export function createPeerAuthentication<Held>(options: PeerAuthenticationOptions<Held>): PeerAuthentication<Held> {
  const { secrets, send, log } = options;
  const { sessions, connections, knows, open, end, settle, close } = createBook<Held>();
  let count = 0;

  return {
    begin(peer, pid, nowMs) {
      // PEER-AUTHENTICATION-4.
      const address = addressOf(pid);
      if (address === undefined || address !== addressOf(peer.from)) return false;
      if (secrets === undefined) {
        send(peer.from, 'master', { name: 'AuthenticationErrorMessage', body: { error: 'No authenticator loaded' } });
        return true;
      }
      const own = connections.get(peer.connection)?.sessions;
      const before = own?.get(pid);
      if (before === undefined && own !== undefined && own.size >= MAX_SESSIONS_OF_CONNECTION) return false;
      const challenge = challengeOf(options.random(), nowMs, options.host);
      const session: Session<Held> = {
        actor: `crammd5-authenticator-session(${++count})`,
        pid,
        peer,
        side: createCramMd5Server(secrets, challenge),
        dueMs: nowMs + options.timeoutMs,
        held: before?.held ?? [],
      };
      open(session);
      send(peer.from, session.actor, session.side.begin());
      return true;
    },
    receive(to, { from, connection }, message) {
      const session = sessions.get(to);
      if (session === undefined) return false;
      // PEER-AUTHENTICATION-4.
      if (from !== session.peer.from || connection !== session.peer.connection) return true;
      const { replies, end: outcome } = session.side.receive(message);
      if (outcome?.kind === 'authenticated') {
        settle(session, outcome.principal);
        log('info', `authenticated ${session.pid} as ${JSON.stringify(outcome.principal)}`);
      } else if (outcome !== undefined) {
        settle(session, undefined);
        const why = outcome.kind === 'refused' ? 'wrong principal or secret' : outcome.reason;
        log('warning', `authentication of ${session.pid} failed: ${why}`);
      }
      if (outcome !== undefined) end(session);
      // A peer that hears of the end finds it done.
      for (const reply of replies) send(from, session.actor, reply);
      if (outcome !== undefined) for (const held of session.held) options.resume(held);
      return true;
    },
    admit({ from, connection }, held) {
      const own = connections.get(connection);
      const session = own?.sessions.get(from);
      if (session === undefined) return { principal: own?.principals.get(from) };
      session.held.push(held);
      if (session.held.length > MAX_HELD) session.held.shift();
      return 'waiting';
    },
    principalOf: ({ from, connection }) => connections.get(connection)?.principals.get(from),
    knows,
    closed: close,
    tick(nowMs) {
      const late: Session<Held>[] = [];
      // Sessions are in the order of their beginning, and all have the same time.
      for (const session of sessions.values()) {
        if (session.dueMs > nowMs) break;
        late.push(session);
      }
      const [first] = late;
      if (first !== undefined) {
        const others = late.length === 1 ? '' : ` and ${late.length - 1} others`;
        log('warning', `authentication of ${first.pid}${others} took longer than ${options.timeoutMs} ms`);
      }
      for (const session of late) {
        end(session);
        for (const held of session.held) options.resume(held);
      }
    },
    nextMs() {
      const [first] = sessions.values();
      return first?.dueMs;
    },
  };
}
