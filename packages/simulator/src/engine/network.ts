// The network: connections between addresses, each with two ordered pipes, and their faults.
//
// Owns: every connection, the packets in flight, the cut directions, the probabilities of delays and breaks.
// SIMULATED-NETWORK-1: packets of a connection arrive at most once and in order; a new connection may overtake packets in
//     flight on an old one.
// SIMULATED-NETWORK-2: a connection that breaks loses a suffix of the packets in flight: TCP loses nothing in the middle.
// SIMULATED-NETWORK-3: an end is notified of the other's end once, as `closed` or `broken`. A cut, a dead host and a pause
//     are noticed only when a packet stays unacknowledged for `unacknowledgedMs`.
import { type Random, uniform } from '@meseta/base';
import { happens, waiting } from './chance.js';
import { isPending, type Scheduled, type Timeline } from './timeline.js';

export type Ending = 'closed' | 'broken';

export interface Handlers {
  data(payload: unknown): void;
  ended(how: Ending): void;
}

/** One end of a connection. */
export interface End {
  readonly remote: string;
  write(payload: unknown): void;
  /** The other end is notified after all packets that were written. */
  close(): void;
}

export interface Listener {
  /** A connection was made; `protocol` is what the connecting side speaks. */
  accepted(end: End, protocol: string): Handlers;
}

/** Counts the faults of the network by name. */
export type Happened = (what: string, times?: number) => void;

/** The delays and probabilities of faults. */
export interface NetworkOptions {
  readonly meanDelayMs: number;
  /** A connection breaks at a packet with this probability. */
  readonly breakChance: number;
  /** A packet and all behind it are delayed for some seconds with this probability. */
  readonly stallChance: number;
  /** An HTTP client repeats a call on another connection with this probability, as if the response was lost. */
  readonly repeatChance: number;
  readonly unacknowledgedMs: number;
}

export interface Network {
  options: NetworkOptions;
  listen(address: string, listener: Listener): void;
  /** The process at the address ended. `reset`: the kernel notifies its peers; `silent`: the host died with it. */
  gone(address: string, how: 'reset' | 'silent'): void;
  connect(from: string, to: string, protocol: string, handlers: Handlers): End;
  cut(from: string, to: string): void;
  heal(from: string, to: string): void;
  healAll(): void;
  isCut(from: string, to: string): boolean;
  /** Breaks every established connection between the two; returns their number. */
  breakConnections(a: string, b: string): number;
}

interface Packet {
  readonly kind: 'data' | 'closed' | 'broken';
  readonly payload: unknown;
}

/** One direction of a connection. */
interface Pipe {
  readonly from: string;
  readonly to: string;
  lastArrivalMs: number;
  /** The scheduled arrivals of the packets in flight, in order. */
  readonly onTheWay: Scheduled[];
  readonly heldUp: Packet[];
  /** When the writer gives up; set while a packet stays unacknowledged. */
  deadline: Scheduled | undefined;
  /** The reader's. */
  handlers: Handlers | undefined;
  readerGone: boolean;
  writerGone: boolean;
  /** The reader's host died without notifying its peers. */
  silent: boolean;
}

interface Connection {
  readonly pipes: readonly [Pipe, Pipe];
  established: boolean;
  readonly before: Packet[];
}

const CONNECT_TIMEOUT_MS = 10_000;

/** Both directions of a connection from one address to another. */
const createPipe = (from: string, to: string): Pipe => ({
  from,
  to,
  lastArrivalMs: 0,
  onTheWay: [],
  heldUp: [],
  deadline: undefined,
  handlers: undefined,
  readerGone: false,
  writerGone: false,
  silent: false,
});

/** The state of a network. */
interface State {
  readonly timeline: Timeline;
  readonly random: Random;
  readonly happened: Happened;
  options: NetworkOptions;
  readonly listeners: Map<string, Listener>;
  readonly cuts: Set<string>;
  readonly connections: Set<Connection>;
}

const isCut = ({ cuts }: State, from: string, to: string): boolean => cuts.size > 0 && cuts.has(`${from}>${to}`);

const other = (connection: Connection, pipe: Pipe): Pipe =>
  connection.pipes[0] === pipe ? connection.pipes[1] : connection.pipes[0];

function settle(state: State, connection: Connection): void {
  const [a, b] = connection.pipes;
  if (a.writerGone && a.readerGone && b.writerGone && b.readerGone) state.connections.delete(connection);
}

/** Notifies the reader of `pipe` that the connection ended; it can no longer write either. */
function tellEnded(state: State, connection: Connection, pipe: Pipe, how: Ending): void {
  if (pipe.readerGone) return;
  const back = other(connection, pipe);
  pipe.readerGone = true;
  back.writerGone = true;
  state.timeline.cancel(back.deadline);
  settle(state, connection);
  pipe.handlers?.ended(how);
}

function arrive(state: State, connection: Connection, pipe: Pipe, packet: Packet): void {
  if (pipe.readerGone) return;
  if (pipe.heldUp.length > 0 || isCut(state, pipe.from, pipe.to)) {
    pipe.heldUp.push(packet);
    state.happened('packets held up by a cut');
    expectAcknowledgement(state, connection, pipe);
  } else if (packet.kind === 'data') pipe.handlers?.data(packet.payload);
  else tellEnded(state, connection, pipe, packet.kind);
}

/** The writer gives up if by then a direction is still cut or the reader's host is still dead. */
function expectAcknowledgement(state: State, connection: Connection, pipe: Pipe): void {
  if (isPending(pipe.deadline) || pipe.writerGone) return;
  pipe.deadline = state.timeline.after(state.options.unacknowledgedMs, () => {
    if (pipe.silent || isCut(state, pipe.from, pipe.to) || isCut(state, pipe.to, pipe.from)) {
      state.happened('connections given up, unacknowledged');
      tellEnded(state, connection, other(connection, pipe), 'broken');
    }
  });
}

function transport(state: State, connection: Connection, pipe: Pipe, packet: Packet): void {
  const { timeline, random, options } = state;
  const stallMs = happens(random, options.stallChance) ? 4_000 * uniform(random) : 0;
  if (stallMs > 0) state.happened('packets stalled');
  const arrivalMs = Math.max(pipe.lastArrivalMs, timeline.nowMs() + waiting(random, options.meanDelayMs) + stallMs);
  pipe.lastArrivalMs = arrivalMs;
  const arrival = timeline.at(arrivalMs, () => {
    // SIMULATED-NETWORK-1: this arrival is the first.
    pipe.onTheWay.shift();
    arrive(state, connection, pipe, packet);
  });
  pipe.onTheWay.push(arrival);
}

/** SIMULATED-NETWORK-2: a prefix of the packets in flight still arrives. */
function loseTail({ timeline, random, happened }: State, pipe: Pipe): void {
  const kept = Math.floor(uniform(random) * (pipe.onTheWay.length + 1));
  happened('packets lost with their connection', pipe.onTheWay.length - kept);
  for (const lost of pipe.onTheWay.splice(kept)) timeline.cancel(lost);
  pipe.lastArrivalMs = Math.max(timeline.nowMs(), pipe.onTheWay.at(-1)?.atMs ?? 0);
}

const BROKEN: Packet = { kind: 'broken', payload: undefined };

function breakBoth(state: State, connection: Connection): void {
  state.happened('connections broken');
  for (const pipe of connection.pipes) {
    if (pipe.readerGone) continue;
    loseTail(state, pipe);
    // No more packets are accepted, though the writer was not notified yet.
    pipe.writerGone = true;
    transport(state, connection, pipe, BROKEN);
  }
}

function send(state: State, connection: Connection, pipe: Pipe, packet: Packet): void {
  if (pipe.writerGone) return;
  if (!connection.established) connection.before.push(packet);
  else if (pipe.silent) {
    // A host that is back does not know the connection and resets it; a dead host answers nothing.
    if (state.listeners.has(pipe.to)) transport(state, connection, other(connection, pipe), BROKEN);
    else expectAcknowledgement(state, connection, pipe);
  } else if (happens(state.random, state.options.breakChance)) breakBoth(state, connection);
  else {
    transport(state, connection, pipe, packet);
    if (isCut(state, pipe.to, pipe.from)) expectAcknowledgement(state, connection, pipe);
  }
}

const endOf = (state: State, connection: Connection, outgoing: Pipe): End => ({
  remote: outgoing.to,
  write: (payload) => send(state, connection, outgoing, { kind: 'data', payload }),
  close() {
    send(state, connection, outgoing, { kind: 'closed', payload: undefined });
    outgoing.writerGone = true;
    other(connection, outgoing).readerGone = true;
    settle(state, connection);
  },
});

function establish(state: State, connection: Connection, deadlineMs: number, protocol: string): void {
  const { timeline, connections, listeners } = state;
  const [out, back] = connection.pipes;
  if (back.readerGone) {
    connections.delete(connection);
    return;
  }
  if (isCut(state, out.from, out.to) || isCut(state, out.to, out.from)) {
    if (timeline.nowMs() >= deadlineMs) tellEnded(state, connection, back, 'broken');
    else timeline.after(1_000, () => establish(state, connection, deadlineMs, protocol));
    return;
  }
  const listener = listeners.get(out.to);
  if (listener === undefined) {
    tellEnded(state, connection, back, 'broken');
    return;
  }
  connection.established = true;
  out.handlers = listener.accepted(endOf(state, connection, back), protocol);
  for (const packet of connection.before.splice(0)) send(state, connection, out, packet);
}

function gone(state: State, address: string, how: 'reset' | 'silent'): void {
  state.listeners.delete(address);
  for (const connection of [...state.connections]) {
    for (const pipe of connection.pipes) {
      // A connection attempt goes on: it reaches the process that listens there by then.
      if (pipe.from !== address || (pipe === connection.pipes[1] && !connection.established)) continue;
      const inward = other(connection, pipe);
      inward.readerGone = true;
      pipe.writerGone = true;
      state.timeline.cancel(pipe.deadline);
      loseTail(state, pipe);
      inward.silent = how === 'silent';
      if (how === 'silent') state.happened('connections that went silent');
      if (how === 'reset' && connection.established) transport(state, connection, pipe, BROKEN);
      settle(state, connection);
    }
  }
}

function heal(state: State, from: string, to: string): void {
  state.cuts.delete(`${from}>${to}`);
  for (const connection of state.connections) {
    for (const pipe of connection.pipes) {
      if (pipe.from !== from || pipe.to !== to) continue;
      // Before the packets that were sent later.
      for (const packet of pipe.heldUp.splice(0)) arrive(state, connection, pipe, packet);
    }
  }
}

function breakConnections(state: State, a: string, b: string): number {
  let broken = 0;
  for (const connection of [...state.connections]) {
    const [out] = connection.pipes;
    const joins = (out.from === a && out.to === b) || (out.from === b && out.to === a);
    if (!joins || !connection.established) continue;
    breakBoth(state, connection);
    broken++;
  }
  return broken;
}

export function createNetwork(
  timeline: Timeline,
  random: Random,
  options: NetworkOptions,
  happened: Happened = () => {},
): Network {
  const state: State = {
    timeline,
    random,
    happened,
    options,
    listeners: new Map(),
    cuts: new Set(),
    connections: new Set(),
  };
  return {
    get options() {
      return state.options;
    },
    set options(changed) {
      state.options = changed;
    },
    isCut: (from, to) => isCut(state, from, to),
    listen: (address, listener) => void state.listeners.set(address, listener),
    gone: (address, how) => gone(state, address, how),
    connect(from, to, protocol, handlers) {
      const connection: Connection = {
        pipes: [createPipe(from, to), createPipe(to, from)],
        established: false,
        before: [],
      };
      connection.pipes[1].handlers = handlers;
      state.connections.add(connection);
      const deadlineMs = timeline.nowMs() + CONNECT_TIMEOUT_MS;
      const roundTripMs = 2 * waiting(random, state.options.meanDelayMs);
      timeline.after(roundTripMs, () => establish(state, connection, deadlineMs, protocol));
      return endOf(state, connection, connection.pipes[0]);
    },
    cut: (from, to) => void state.cuts.add(`${from}>${to}`),
    heal: (from, to) => heal(state, from, to),
    healAll() {
      for (const way of [...state.cuts]) {
        const [from = '', to = ''] = way.split('>');
        heal(state, from, to);
      }
    },
    breakConnections: (a, b) => breakConnections(state, a, b),
  };
}
