// The network: connections between addresses, each with two ordered pipes, and their faults.
//
// Owns: every connection, the packets in flight, the cut directions, and the options.
// SIMULATED-NETWORK-1: packets of a connection arrive at most once and in order; a new connection may overtake packets in
//     flight on an old one.
// SIMULATED-NETWORK-2: a connection that breaks loses a suffix of the packets in flight: TCP loses nothing in the middle.
// SIMULATED-NETWORK-3: an end is notified of the other's end once, as `closed` or `broken`. A cut, a dead host and a pause
//     are noticed only when a packet stays unacknowledged for `unacknowledgedMs`.
import { type Random, uniform } from '@meseta/base';
import { drawDelayMs, happens } from './chance.js';
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
  /** A peer connected with `protocol`. */
  accepted(end: End, protocol: string): Handlers;
}

/** Counts a fault of the network by its name. */
export type CountFault = (what: string, times?: number) => void;

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

/** A network without faults. */
export const QUIET_NETWORK: NetworkOptions = {
  meanDelayMs: 1,
  breakChance: 0,
  stallChance: 0,
  repeatChance: 0,
  unacknowledgedMs: 20_000,
};

export interface Network {
  options: NetworkOptions;
  listen(address: string, listener: Listener): void;
  /** The process at the address ended. `reset`: the kernel notifies its peers; `silent`: the host died with it. */
  endProcess(address: string, how: 'reset' | 'silent'): void;
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
  readonly inFlight: Scheduled[];
  readonly heldBack: Packet[];
  /** When the writer gives up; set while a packet stays unacknowledged. */
  deadline: Scheduled | undefined;
  /** The handlers of the reader. */
  handlers: Handlers | undefined;
  readerGone: boolean;
  writerGone: boolean;
  /** The reader's host died without notifying its peers. */
  silent: boolean;
}

interface Connection {
  readonly pipes: readonly [Pipe, Pipe];
  established: boolean;
  /** Packets written before it was established. */
  readonly unsent: Packet[];
}

const CONNECT_TIMEOUT_MS = 10_000;

const createPipe = (from: string, to: string): Pipe => ({
  from,
  to,
  lastArrivalMs: 0,
  inFlight: [],
  heldBack: [],
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
  readonly countFault: CountFault;
  options: NetworkOptions;
  readonly listeners: Map<string, Listener>;
  readonly cuts: Set<string>;
  readonly connections: Set<Connection>;
}

const isCut = ({ cuts }: State, from: string, to: string): boolean => cuts.size > 0 && cuts.has(`${from}>${to}`);

const other = (connection: Connection, pipe: Pipe): Pipe =>
  connection.pipes[0] === pipe ? connection.pipes[1] : connection.pipes[0];

function deleteIfClosed(state: State, connection: Connection): void {
  const [a, b] = connection.pipes;
  if (a.writerGone && a.readerGone && b.writerGone && b.readerGone) state.connections.delete(connection);
}

/** Notifies the reader of `pipe` that the connection ended; it can no longer write either. */
function notifyEnded(state: State, connection: Connection, pipe: Pipe, how: Ending): void {
  if (pipe.readerGone) return;
  const back = other(connection, pipe);
  pipe.readerGone = true;
  back.writerGone = true;
  state.timeline.cancel(back.deadline);
  deleteIfClosed(state, connection);
  pipe.handlers?.ended(how);
}

function arrive(state: State, connection: Connection, pipe: Pipe, packet: Packet): void {
  if (pipe.readerGone) return;
  if (pipe.heldBack.length > 0 || isCut(state, pipe.from, pipe.to)) {
    pipe.heldBack.push(packet);
    state.countFault('packets held back by a cut');
    expectAcknowledgement(state, connection, pipe);
  } else if (packet.kind === 'data') pipe.handlers?.data(packet.payload);
  else notifyEnded(state, connection, pipe, packet.kind);
}

/** The writer gives up if by then a direction is still cut or the reader's host is still dead. */
function expectAcknowledgement(state: State, connection: Connection, pipe: Pipe): void {
  if (isPending(pipe.deadline) || pipe.writerGone) return;
  pipe.deadline = state.timeline.after(state.options.unacknowledgedMs, () => {
    if (pipe.silent || isCut(state, pipe.from, pipe.to) || isCut(state, pipe.to, pipe.from)) {
      state.countFault('connections timed out unacknowledged');
      notifyEnded(state, connection, other(connection, pipe), 'broken');
    }
  });
}

function scheduleArrival(state: State, connection: Connection, pipe: Pipe, packet: Packet): void {
  const { timeline, random, options } = state;
  const stallMs = happens(random, options.stallChance) ? 4_000 * uniform(random) : 0;
  if (stallMs > 0) state.countFault('packets stalled');
  const arrivalMs = Math.max(pipe.lastArrivalMs, timeline.nowMs() + drawDelayMs(random, options.meanDelayMs) + stallMs);
  pipe.lastArrivalMs = arrivalMs;
  const arrival = timeline.at(arrivalMs, () => {
    // SIMULATED-NETWORK-1: this arrival is the first.
    pipe.inFlight.shift();
    arrive(state, connection, pipe, packet);
  });
  pipe.inFlight.push(arrival);
}

/** SIMULATED-NETWORK-2: a prefix of the packets in flight still arrives. */
function loseTail({ timeline, random, countFault }: State, pipe: Pipe): void {
  const kept = Math.floor(uniform(random) * (pipe.inFlight.length + 1));
  countFault('packets lost with their connection', pipe.inFlight.length - kept);
  for (const lost of pipe.inFlight.splice(kept)) timeline.cancel(lost);
  pipe.lastArrivalMs = Math.max(timeline.nowMs(), pipe.inFlight.at(-1)?.atMs ?? 0);
}

const BROKEN: Packet = { kind: 'broken', payload: undefined };

function breakBoth(state: State, connection: Connection): void {
  state.countFault('connections broken');
  for (const pipe of connection.pipes) {
    if (pipe.readerGone) continue;
    loseTail(state, pipe);
    // Further packets are dropped; the writer is notified later.
    pipe.writerGone = true;
    scheduleArrival(state, connection, pipe, BROKEN);
  }
}

function send(state: State, connection: Connection, pipe: Pipe, packet: Packet): void {
  if (pipe.writerGone) return;
  if (!connection.established) connection.unsent.push(packet);
  else if (pipe.silent) {
    // A host that is back does not know the connection and resets it; a dead host answers nothing.
    if (state.listeners.has(pipe.to)) scheduleArrival(state, connection, other(connection, pipe), BROKEN);
    else expectAcknowledgement(state, connection, pipe);
  } else if (happens(state.random, state.options.breakChance)) breakBoth(state, connection);
  else {
    scheduleArrival(state, connection, pipe, packet);
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
    deleteIfClosed(state, connection);
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
    if (timeline.nowMs() >= deadlineMs) notifyEnded(state, connection, back, 'broken');
    else timeline.after(1_000, () => establish(state, connection, deadlineMs, protocol));
    return;
  }
  const listener = listeners.get(out.to);
  if (listener === undefined) {
    notifyEnded(state, connection, back, 'broken');
    return;
  }
  connection.established = true;
  out.handlers = listener.accepted(endOf(state, connection, back), protocol);
  for (const packet of connection.unsent.splice(0)) send(state, connection, out, packet);
}

function endProcess(state: State, address: string, how: 'reset' | 'silent'): void {
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
      // The notice of a break may just have been lost: the peer, which does not know of it, writes on.
      if (how === 'silent' && !pipe.readerGone) inward.writerGone = false;
      if (how === 'silent') state.countFault('connections that went silent');
      if (how === 'reset' && connection.established) scheduleArrival(state, connection, pipe, BROKEN);
      deleteIfClosed(state, connection);
    }
  }
}

function heal(state: State, from: string, to: string): void {
  state.cuts.delete(`${from}>${to}`);
  for (const connection of state.connections) {
    for (const pipe of connection.pipes) {
      if (pipe.from !== from || pipe.to !== to) continue;
      // These arrive before the packets that were sent later.
      for (const packet of pipe.heldBack.splice(0)) arrive(state, connection, pipe, packet);
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
  countFault: CountFault = () => {},
): Network {
  const state: State = {
    timeline,
    random,
    countFault,
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
    endProcess: (address, how) => endProcess(state, address, how),
    connect(from, to, protocol, handlers) {
      const connection: Connection = {
        pipes: [createPipe(from, to), createPipe(to, from)],
        established: false,
        unsent: [],
      };
      connection.pipes[1].handlers = handlers;
      state.connections.add(connection);
      const deadlineMs = timeline.nowMs() + CONNECT_TIMEOUT_MS;
      const roundTripMs = 2 * drawDelayMs(random, state.options.meanDelayMs);
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
