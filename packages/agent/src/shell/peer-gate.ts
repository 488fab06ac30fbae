// Checks libprocess messages before the agent's core gets them: whether they came over a connection of the master or of the
// executor that they name.
//
// Owns: the messages that wait until their connection is proven to be the master's, and the connections of drivers.
// Boundary: where the master is, the core knows; how a connection is shown to be its, security/authenticatee.ts.
// AGENT-GATE-1: with a credential, a message in the master's name is accepted only over the connection on which the master
//     answered this agent's authentication. A message over another connection waits, as the master may have reconnected. The
//     next authentication proves one connection to be the master's; messages over others are dropped.
// AGENT-GATE-2: where peers are checked, an executor's driver is bound to the connection over which it registered until that
//     closes; its messages over other connections are dropped. The number of drivers of a connection is limited.
// AGENT-GATE-3: where executors must present a token, drivers can't register, as they have no token to present.
// AGENT-GATE-4: where peers are checked, messages of scheduler drivers to executors must come through the master, because
//     drivers don't authenticate with agents. With client certificates their address is certified, and they may come directly.
// AGENT-GATE-5: dropped messages are counted; the number and size of waiting messages are limited.
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
  /** The agent or its executors authenticate, or every peer has a client certificate. */
  readonly checksPeers: boolean;
  /** Executors must present a token. */
  readonly executorsHaveTokens: boolean;
  readonly log: Logger;
  master(): Pid | undefined;
  push(input: AgentInput): void;
}

export interface AgentPeerGate {
  onMessage(message: PeerMessage): 'accepted' | 'registered' | 'unknown';
  onConnectionClosed(connection: PeerConnection): void;
  /** The connection is proven to be the master's (AGENT-GATE-1). */
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

interface ReceivedMessage {
  readonly from: Pid;
  readonly message: LibprocessMessage;
}

/** Waiting messages by connection; the connection that has waited longest comes first. */
function createWaitingMessages() {
  const byConnection = new Map<number, { bytes: number; readonly messages: ReceivedMessage[] }>();
  return {
    /** Returns how many messages were dropped to keep the limits. */
    add(connection: number, received: ReceivedMessage, bytes: number): number {
      const own = byConnection.get(connection) ?? { bytes: 0, messages: [] };
      if (own.messages.length >= MAX_WAITING_MESSAGES || own.bytes + bytes > MAX_WAITING_BYTES) return 1;
      own.bytes += bytes;
      own.messages.push(received);
      byConnection.set(connection, own);
      if (byConnection.size <= MAX_WAITING_CONNECTIONS) return 0;
      const [oldest] = byConnection.keys();
      return oldest === undefined ? 0 : this.take(oldest).length;
    },
    take(connection: number): readonly ReceivedMessage[] {
      const own = byConnection.get(connection);
      byConnection.delete(connection);
      return own?.messages ?? [];
    },
    takeAll(): readonly ReceivedMessage[] {
      return [...byConnection.keys()].flatMap((connection) => this.take(connection));
    },
  };
}

/** The connections of executors' drivers (AGENT-GATE-2). */
function createDriverConnections() {
  const connections = new Map<Pid, number>();
  const drivers = new Map<number, Set<Pid>>();
  return {
    /** Whether a driver may send over the connection. A driver that registers is bound to it. */
    mayUse(from: Pid, connection: number, registers: boolean): boolean {
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
  const waiting = createWaitingMessages();
  const drivers = createDriverConnections();
  const warn = (kind: string, text: string): void => log.limited('warning', kind, text);
  let dropped = 0;

  const drop = (from: Pid, reason: string, count = 1): void => {
    dropped += count;
    warn(reason, `dropped a message of ${from}: ${reason}`);
  };
  /** Why a message that is not in the master's name is dropped; undefined: it is accepted. */
  const findProblem = (
    { from, message }: ReceivedMessage,
    { id, certifiedIps }: PeerConnection,
  ): string | undefined => {
    if (EXECUTOR_MESSAGES.has(message.name)) {
      if (executorsHaveTokens)
        return 'executors must present a token (--authenticate_http_executors), and libprocess messages have none';
      const registers = EXECUTOR_REGISTRATIONS.has(message.name);
      if (checksPeers && !drivers.mayUse(from, id, registers))
        return 'the executor did not register over this connection';
    }
    if (message.name === 'FrameworkToExecutorMessage' && checksPeers && certifiedIps === undefined)
      return 'schedulers do not authenticate with agents; their messages to executors must come through the master';
    return undefined;
  };
  const receiveFromMaster = (
    master: Pid,
    received: ReceivedMessage,
    connection: PeerConnection,
    bytes: number,
  ): 'accepted' | 'registered' => {
    const { from, message } = received;
    if (sender.isMasterConnection(connection.id, master)) {
      sender.receive(actor, from, message, connection.id);
      push({ kind: 'message', from, message });
      return 'registered';
    }
    const excess = waiting.add(connection.id, received, bytes);
    if (excess > 0) drop(from, "too many wait for the proof that their connection is the master's", excess);
    sender.requestProof(master);
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
      const received = { from, message: decoded.value };
      const master = options.master();
      if (master !== undefined && addressOfPid(from) === addressOfPid(master)) {
        return receiveFromMaster(master, received, connection, body.length);
      }
      const problem = findProblem(received, connection);
      if (problem === undefined) push({ kind: 'message', ...received });
      else drop(from, problem);
      return 'accepted';
    },
    onConnectionClosed({ id }) {
      sender.connectionClosed(id);
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
