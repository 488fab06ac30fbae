// The master's side of authentication (CRAM-MD5): which peers are authenticating, which have authenticated, and which
// registrations wait for the result (Mesos: docs/authentication.md).
//
// Owns: the sessions, each an actor of this process, and for each connection the principals of the pids that authenticated
// on it.
// Boundary: the caller keeps the clock, sends the messages, and calls `admit` before it handles a registration. Connections
// are numbers. libprocess sends all messages from one process to another over one connection, which it keeps while they are
// linked, so agents and drivers authenticate on the connection that their messages arrive on.
// AUTHENTICATOR-1: a registration waits while its pid is authenticating on its connection.
// AUTHENTICATOR-2: a new authentication of a pid on a connection replaces the one under way there. The pid keeps its principal
//     until the new authentication ends.
// AUTHENTICATOR-3: a session ends after the timeout, and with its connection. The principals of a connection end with it.
// AUTHENTICATOR-4: a message over one connection changes nothing for the pids of others: a peer authenticates only actors at
//     its own address, and only the sender that began a session continues it, over the same connection.
// AUTHENTICATOR-5: what a peer can make this process keep is bounded. Pids have a limit of length, and a connection has limits
//     of sessions and of principals. When there are too many sessions in all, the oldest session of the connection with the
//     most sessions ends. Only the last few registrations wait for one session; when those that wait in all have too many
//     bytes, the connection with the most loses its own.
import { addressOfPid, type Counts, createCounts, LIMITS, type Pid, parsePid } from '@meseta/base';
import type { LibprocessMessage } from '@meseta/wire';
import { type CramMd5Session, challengeOf, createCramMd5Server } from './cram-md5.js';
import type { Secrets } from './credentials.js';

const MAX_SESSIONS = LIMITS.authentications.most;
const MAX_SESSIONS_OF_CONNECTION = LIMITS.connectionAuthentications.most;
const MAX_PRINCIPALS_OF_CONNECTION = LIMITS.connectionPrincipals.most;
/** The registrations that wait for one session: an agent repeats its own until it is answered. */
const MAX_WAITING = 8;
const MAX_WAITING_BYTES = LIMITS.waitingRegistrations.most;

export interface AuthenticatorOptions<Registration> {
  /** Undefined: every authentication is answered with an error. */
  readonly secrets: Secrets | undefined;
  /** `--authentication_v0_timeout`. */
  readonly timeoutMs: number;
  /** The name of this machine, a part of the challenges. */
  readonly host: string;
  /** A new text that is hard to guess. */
  random(): string;
  send(to: Pid, from: string, message: LibprocessMessage): void;
  /** The bytes of a registration that waits. */
  sizeOf(registration: Registration): number;
  /** A registration that waited (AUTHENTICATOR-1): call `admit` again. */
  resume(registration: Registration): void;
  log(level: 'info' | 'warning', text: string): void;
}

/** The sender of a message and the connection that it arrived on. */
export interface Sender {
  readonly from: Pid;
  readonly connection: number;
}

export interface Authenticator<Registration> {
  /**
   * A peer begins to authenticate `pid`. False, and nothing changes, if `pid` is at another address than the peer, or if the
   * connection has too many sessions.
   */
  begin(sender: Sender, pid: Pid, nowMs: number): boolean;
  /** Takes a message to an actor of this process; false if the actor is not a session. */
  receive(to: string, sender: Sender, message: LibprocessMessage): boolean;
  /** `waiting`: the registration that `registration` returned is kept, and comes back through `resume`. */
  admit(sender: Sender, registration: () => Registration): 'waiting' | { readonly principal: string | undefined };
  /** The principal that the pid authenticated as on the connection. */
  principalOf(sender: Sender): string | undefined;
  /** Whether the pid is authenticating or authenticated on any connection. */
  isKnown(pid: Pid): boolean;
  /** The connection closed. Returns the pids that had authenticated on it and on no other connection. */
  connectionClosed(connection: number): readonly Pid[];
  /** Ends the sessions that have timed out (AUTHENTICATOR-3). Times are monotonic, in milliseconds. */
  tick(nowMs: number): void;
  /** The time at which `tick` has something to do; undefined without a session. */
  nextMs(): number | undefined;
}

interface Session<Registration> {
  readonly actor: string;
  readonly pid: Pid;
  readonly peer: Sender;
  readonly cramMd5: CramMd5Session;
  readonly dueMs: number;
  readonly waiting: Registration[];
}

interface ConnectionRecord<Registration> {
  readonly sessions: Map<Pid, Session<Registration>>;
  readonly principals: Map<Pid, string>;
  /** Of the registrations that wait for its sessions. */
  waitingBytes: number;
}

/** Sets or removes the principal of a pid on its connection; above the limit the oldest is removed (AUTHENTICATOR-5). */
function setPrincipal(
  principals: Map<Pid, string>,
  counts: readonly Counts<Pid>[],
  pid: Pid,
  principal: string | undefined,
): void {
  const remove = (each: Pid): void => {
    if (principals.delete(each)) for (const it of counts) it.subtract(each);
  };
  remove(pid);
  if (principal === undefined) return;
  for (const oldest of principals.keys()) {
    if (principals.size < MAX_PRINCIPALS_OF_CONNECTION) break;
    remove(oldest);
  }
  principals.set(pid, principal);
  for (const it of counts) it.add(pid);
}

/** The registrations that wait for sessions, with their bytes (AUTHENTICATOR-5). */
function createWaitingRegistrations<Registration>(
  connections: ReadonlyMap<number, ConnectionRecord<Registration>>,
  sizeOf: (registration: Registration) => number,
) {
  let totalBytes = 0;
  const addBytes = (connection: number, bytes: number): void => {
    const own = connections.get(connection);
    if (own !== undefined) own.waitingBytes += bytes;
    totalBytes += bytes;
  };
  /** Removes and returns the oldest registrations that wait for the session. */
  const take = ({ peer, waiting }: Session<Registration>, count = waiting.length): readonly Registration[] => {
    const taken = waiting.splice(0, count);
    for (const registration of taken) addBytes(peer.connection, -sizeOf(registration));
    return taken;
  };
  const dropThoseOfLargestConnection = (): void => {
    let most: ConnectionRecord<Registration> | undefined;
    for (const own of connections.values()) if (own.waitingBytes > (most?.waitingBytes ?? 0)) most = own;
    for (const session of most?.sessions.values() ?? []) take(session);
  };
  return {
    take,
    add(session: Session<Registration>, registration: Registration): void {
      session.waiting.push(registration);
      addBytes(session.peer.connection, sizeOf(registration));
      if (session.waiting.length > MAX_WAITING) take(session, 1);
      while (totalBytes > MAX_WAITING_BYTES) dropThoseOfLargestConnection();
    },
  };
}

/** The sessions, and the sessions and principals of each connection. */
function createSessionTable<Registration>(sizeOf: (registration: Registration) => number) {
  const sessions = new Map<string, Session<Registration>>();
  const connections = new Map<number, ConnectionRecord<Registration>>();
  /** The number of sessions of each connection. */
  const sessionCounts = createCounts<number>();
  /** The numbers of connections on which each pid has a session or a principal, and on which it has a principal. */
  const uses = createCounts<Pid>();
  const authenticated = createCounts<Pid>();
  const waiting = createWaitingRegistrations(connections, sizeOf);

  const recordOf = (connection: number): ConnectionRecord<Registration> => {
    const known = connections.get(connection) ?? { sessions: new Map(), principals: new Map(), waitingBytes: 0 };
    connections.set(connection, known);
    return known;
  };
  /** Returns the registrations that waited for the session. */
  const end = (session: Session<Registration>): readonly Registration[] => {
    const waited = waiting.take(session);
    sessions.delete(session.actor);
    const own = connections.get(session.peer.connection);
    if (own?.sessions.get(session.pid) !== session) return waited;
    own.sessions.delete(session.pid);
    sessionCounts.subtract(session.peer.connection);
    uses.subtract(session.pid);
    return waited;
  };
  /** AUTHENTICATOR-5: the session that must end before another begins. */
  const sessionToEvict = (): Session<Registration> | undefined => {
    if (sessions.size < MAX_SESSIONS) return undefined;
    const most = sessionCounts.largest();
    return most === undefined ? undefined : connections.get(most)?.sessions.values().next().value;
  };
  return {
    sessions,
    connections,
    isKnown: uses.has,
    end,
    addWaiting: waiting.add,
    /**
     * Replaces the pid's earlier session on the connection, and its registrations wait for the new one; or evicts a session
     * if there are too many.
     */
    open(session: Session<Registration>): void {
      const own = recordOf(session.peer.connection);
      const replaced = own.sessions.get(session.pid);
      const evicted = replaced === undefined ? sessionToEvict() : undefined;
      if (evicted !== undefined) end(evicted);
      const waited = replaced === undefined ? [] : end(replaced);
      sessions.set(session.actor, session);
      own.sessions.set(session.pid, session);
      sessionCounts.add(session.peer.connection);
      uses.add(session.pid);
      for (const registration of waited) waiting.add(session, registration);
    },
    /** The session ended with this principal; undefined if the authentication failed. */
    settle({ pid, peer }: Session<Registration>, principal: string | undefined): void {
      setPrincipal(recordOf(peer.connection).principals, [uses, authenticated], pid, principal);
    },
    close(connection: number): readonly Pid[] {
      const own = connections.get(connection);
      if (own === undefined) return [];
      for (const session of own.sessions.values()) waiting.take(session);
      connections.delete(connection);
      for (const session of own.sessions.values()) {
        sessions.delete(session.actor);
        sessionCounts.subtract(connection);
      }
      for (const pid of [...own.sessions.keys(), ...own.principals.keys()]) uses.subtract(pid);
      for (const pid of own.principals.keys()) authenticated.subtract(pid);
      return [...own.principals.keys()].filter((pid) => !authenticated.has(pid));
    },
  };
}

export function createAuthenticator<Registration>(
  options: AuthenticatorOptions<Registration>,
): Authenticator<Registration> {
  const { secrets, send, log } = options;
  const table = createSessionTable<Registration>(options.sizeOf);
  const { sessions, connections, isKnown, open, end, settle, close, addWaiting } = table;
  let lastSession = 0;

  return {
    begin(peer, pid, nowMs) {
      // AUTHENTICATOR-4: at its own address only.
      const claimed = parsePid(pid);
      if (!claimed.ok || claimed.value.address !== addressOfPid(peer.from)) return false;
      if (secrets === undefined) {
        send(peer.from, 'master', { name: 'AuthenticationErrorMessage', body: { error: 'No authenticator loaded' } });
        return true;
      }
      const own = connections.get(peer.connection)?.sessions;
      const before = own?.get(pid);
      if (before === undefined && own !== undefined && own.size >= MAX_SESSIONS_OF_CONNECTION) return false;
      const challenge = challengeOf(options.random(), nowMs, options.host);
      const session: Session<Registration> = {
        actor: `crammd5-authenticator-session(${++lastSession})`,
        pid,
        peer,
        cramMd5: createCramMd5Server(secrets, challenge),
        dueMs: nowMs + options.timeoutMs,
        waiting: [],
      };
      open(session);
      send(peer.from, session.actor, session.cramMd5.begin());
      return true;
    },
    receive(to, { from, connection }, message) {
      const session = sessions.get(to);
      if (session === undefined) return false;
      // AUTHENTICATOR-4: the sender and the connection that began the session only.
      if (from !== session.peer.from || connection !== session.peer.connection) return true;
      const { replies, end: outcome } = session.cramMd5.receive(message);
      if (outcome?.kind === 'authenticated') {
        settle(session, outcome.principal);
        log('info', `authenticated ${session.pid} as ${JSON.stringify(outcome.principal)}`);
      } else if (outcome !== undefined) {
        settle(session, undefined);
        const why = outcome.kind === 'refused' ? 'wrong principal or secret' : outcome.reason;
        log('warning', `authentication of ${session.pid} failed: ${why}`);
      }
      const waited = outcome === undefined ? [] : end(session);
      // The result is in place before the peer learns of it.
      for (const reply of replies) send(from, session.actor, reply);
      for (const registration of waited) options.resume(registration);
      return true;
    },
    admit({ from, connection }, registration) {
      const own = connections.get(connection);
      const session = own?.sessions.get(from);
      if (session === undefined) return { principal: own?.principals.get(from) };
      addWaiting(session, registration());
      return 'waiting';
    },
    principalOf: ({ from, connection }) => connections.get(connection)?.principals.get(from),
    isKnown,
    connectionClosed: close,
    tick(nowMs) {
      const late: Session<Registration>[] = [];
      // Sessions are in the order of their start, and have one timeout.
      for (const session of sessions.values()) {
        if (session.dueMs > nowMs) break;
        late.push(session);
      }
      const [first] = late;
      if (first !== undefined) {
        const others = late.length === 1 ? '' : ` and ${late.length - 1} others`;
        log('warning', `authentication of ${first.pid}${others} took longer than ${options.timeoutMs} ms`);
      }
      for (const session of late) for (const registration of end(session)) options.resume(registration);
    },
    nextMs() {
      const [first] = sessions.values();
      return first?.dueMs;
    },
  };
}
