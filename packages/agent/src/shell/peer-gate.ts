// Libprocess messages before the agent's core sees them: which connections the master and the executors speak over.
//
// Owns: messages that wait until a connection is shown to be the master's, and the connections of executors' drivers.
// Boundary: where the master is, the core knows; how a connection is shown to be its, security/authenticatee.ts.
// AGENT-GATE-1: with a credential, what claims to be of the master counts only over the connection on which the master has
//     answered this agent's authentication. Over another one it waits (the master may have connected anew) until an
//     authentication shows which one is the master's, and is dropped if it is not this one.
// AGENT-GATE-2: where peers are checked at all, an executor's driver has the connection over which it registered until that
//     closes; over others its messages are dropped. A connection has few drivers.
// AGENT-GATE-3: where executors must show a token, a driver, which has none to show, doesn't register: a stranger could.
// AGENT-GATE-4: where peers are checked, a scheduler's driver reaches executors by way of the master: it has not authenticated
//     here. With client certificates its address is known, and it may come directly.
// AGENT-GATE-5: what is dropped is counted; what waits is bounded.
import { counter, type Metrics } from '@meseta/api';
import { addressOfPid, LIMITS, type Pid } from '@meseta/base';
import type { Logger, PeerConnection, PeerMessage } from '@meseta/platform';
import { type LibprocessMessage, renderWireError } from '@meseta/wire';
import { decodeMessage } from '@meseta/wire/libprocess-codec';
import type { AgentInput } from '../core/io.js';
import type { Sender } from './authentication.js';

export interface AgentPeerGateOptions {
  readonly actor: string;
  readonly sender: Sender;
  /** The agent or its executors authenticate, or all who connect have certificates. */
  readonly checksPeers: boolean;
  /** Executors must show a token. */
  readonly executorsHaveTokens: boolean;
  readonly log: Logger;
  master(): Pid | undefined;
  push(input: AgentInput): void;
}

export interface AgentPeerGate {
  onMessage(message: PeerMessage): 'accepted' | 'registered' | 'unknown';
  onConnectionClosed(connection: PeerConnection): void;
  /** A connection was shown to be the master's (AGENT-GATE-1). */
  proven(connection: number): void;
  metrics(): Metrics;
}

const UNAUTHENTICATED = 'meseta/unauthenticated_messages';
const MAX_DRIVERS_OF_CONNECTION = LIMITS.connectionDrivers.most;
const MAX_WAITING_CONNECTIONS = 16;
const MAX_WAITING_MESSAGES = LIMITS.unverifiedMessages.most;
const MAX_WAITING_BYTES = 2 ** 20;

const EXECUTOR_REGISTRATIONS: ReadonlySet<LibprocessMessage['name']> = new Set([
  'RegisterExecutorMessage',
  'ReregisterExecutorMessage',
]);
const EXECUTOR_MESSAGES: ReadonlySet<LibprocessMessage['name']> = new Set([
  ...EXECUTOR_REGISTRATIONS,
  'StatusUpdateMessage',
  'ExecutorToFrameworkMessage',
]);

interface Arrived {
  readonly from: Pid;
  readonly message: LibprocessMessage;
}

/** Messages by connection, the connection that has waited longest first. */
function createWaiting() {
  const byConnection = new Map<number, { bytes: number; readonly messages: Arrived[] }>();
  return {
    /** How many were dropped for it. */
    add(connection: number, arrived: Arrived, bytes: number): number {
      const own = byConnection.get(connection) ?? { bytes: 0, messages: [] };
      if (own.messages.length >= MAX_WAITING_MESSAGES || own.bytes + bytes > MAX_WAITING_BYTES) return 1;
      own.bytes += bytes;
      own.messages.push(arrived);
      byConnection.set(connection, own);
      if (byConnection.size <= MAX_WAITING_CONNECTIONS) return 0;
      const [oldest] = byConnection.keys();
      return oldest === undefined ? 0 : this.take(oldest).length;
    },
    take(connection: number): readonly Arrived[] {
      const own = byConnection.get(connection);
      byConnection.delete(connection);
      return own?.messages ?? [];
    },
    takeAll(): readonly Arrived[] {
      return [...byConnection.keys()].flatMap((connection) => this.take(connection));
    },
  };
}

/** AGENT-GATE-2. */
function createDriverConnections() {
  const connections = new Map<Pid, number>();
  const drivers = new Map<number, Set<Pid>>();
  return {
    isIts(from: Pid, connection: number, registers: boolean): boolean {
      const known = connections.get(from);
      if (known !== undefined || !registers) return known === connection;
      const own = drivers.get(connection) ?? new Set();
      if (own.size >= MAX_DRIVERS_OF_CONNECTION) return false;
      drivers.set(connection, own.add(from));
      connections.set(from, connection);
      return true;
    },
    closed(connection: number): void {
      for (const pid of drivers.get(connection) ?? []) connections.delete(pid);
      drivers.delete(connection);
    },
  };
}

export function createAgentPeerGate(options: AgentPeerGateOptions): AgentPeerGate {
  const { actor, sender, checksPeers, executorsHaveTokens, log, push } = options;
  const waiting = createWaiting();
  const drivers = createDriverConnections();
  const warn = (kind: string, text: string): void => log.limited('warning', kind, text);
  let dropped = 0;

  const drop = (from: Pid, why: string, count = 1): void => {
    dropped += count;
    warn(why, `dropped a message of ${from}: ${why}`);
  };
  /** Why the core doesn't see a message of anyone but the master; undefined if it may. */
  const problemOf = ({ from, message }: Arrived, { id, certifiedIps }: PeerConnection): string | undefined => {
    if (EXECUTOR_MESSAGES.has(message.name)) {
      if (executorsHaveTokens)
        return 'executors must show a token (--authenticate_http_executors), and by libprocess they have none to show';
      const registers = EXECUTOR_REGISTRATIONS.has(message.name);
      if (checksPeers && !drivers.isIts(from, id, registers)) return 'it did not register over this connection';
    }
    if (message.name === 'FrameworkToExecutorMessage' && checksPeers && certifiedIps === undefined)
      return 'schedulers have not authenticated here, and reach executors by way of the master';
    return undefined;
  };
  const takeMasters = (
    master: Pid,
    arrived: Arrived,
    connection: PeerConnection,
    bytes: number,
  ): 'accepted' | 'registered' => {
    const { from, message } = arrived;
    if (sender.isMasters(connection.id, master)) {
      sender.receive(actor, from, message, connection.id);
      push({ kind: 'message', from, message });
      return 'registered';
    }
    const over = waiting.add(connection.id, arrived, bytes);
    if (over > 0) drop(from, "too many wait for a sign that their connection is the master's", over);
    sender.askForProof(master);
    return 'accepted';
  };

  return {
    onMessage({ to, from, wireName, body, connection }) {
      const decoded = decodeMessage(wireName, body);
      if (to !== actor) {
        return decoded.ok && sender.receive(to, from, decoded.value, connection.id) ? 'accepted' : 'unknown';
      }
      if (!decoded.ok) {
        warn('undecodable', `message ${wireName} of ${from}: ${renderWireError(decoded.error)}`);
        return 'unknown';
      }
      const arrived = { from, message: decoded.value };
      const master = options.master();
      if (master !== undefined && addressOfPid(from) === addressOfPid(master)) {
        return takeMasters(master, arrived, connection, body.length);
      }
      const problem = problemOf(arrived, connection);
      if (problem === undefined) push({ kind: 'message', ...arrived });
      else drop(from, problem);
      return 'accepted';
    },
    onConnectionClosed({ id }) {
      sender.closed(id);
      drivers.closed(id);
      const [first, ...more] = waiting.take(id);
      if (first !== undefined) drop(first.from, "its connection was not the master's", 1 + more.length);
    },
    proven(connection) {
      for (const { from, message } of waiting.take(connection)) {
        sender.receive(actor, from, message, connection);
        push({ kind: 'message', from, message });
      }
      const [first, ...more] = waiting.takeAll();
      if (first !== undefined) drop(first.from, "its connection is not the master's", 1 + more.length);
    },
    metrics: () => new Map([[UNAUTHENTICATED, counter(dropped)]]),
  };
}
