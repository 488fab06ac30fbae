// The packet network: connections between addresses, each with two ordered pipes, and everything that can go wrong.
//
// Owns: every connection, what is on its way, which directions are cut, the chances of delay and breaking.
// SIMULATED-NETWORK-1: what is written to a connection arrives at most once and in order, as long as it lives; a new connection may
//     overtake what is still on its way on an old one.
// SIMULATED-NETWORK-2: what is lost is lost from some point on, and with its connection: TCP loses nothing in the middle.
// SIMULATED-NETWORK-3: an end hears of the other's end once, as `closed` or `broken`; a cut, a dead host and a pause say nothing until
//     something that was written stays unacknowledged for `unacknowledgedMs`.
import { type Random, uniform } from '@meseta/base';
import { happens, waiting } from './chance.js';
import { isPending, type Scheduled, type Timeline } from './timeline.js';

export type Ending = 'closed' | 'broken';

export interface Handlers {
  data(payload: unknown): void;
  ended(how: Ending): void;
}

/** One end of a connection, as its owner holds it. */
export interface End {
  readonly remote: string;
  write(payload: unknown): void;
  /** Arrives after all that was written. */
  close(): void;
}

export interface Listener {
  /** A connection was made; `protocol` is what the connecting side speaks. */
  accepted(end: End, protocol: string): Handlers;
}

/** Hears of what the network did to packets, by name. */
export type Happened = (what: string, times?: number) => void;

/** What the network does to packets. */
export interface NetworkOptions {
  readonly meanDelayMs: number;
  /** A connection breaks at a packet with this probability. */
  readonly breakChance: number;
  /** A packet and all behind it are held up, for some seconds, with this probability. */
  readonly stallChance: number;
  /** A client of HTTP makes a call again, on another connection, with this probability: the answer was lost on it. */
  readonly repeatChance: number;
  readonly unacknowledgedMs: number;
}

export interface Network {
  options: NetworkOptions;
  listen(address: string, listener: Listener): void;
  /** The process at the address ended: `reset` tells its peers (the kernel lives), `silent` doesn't (the host died). */
  gone(address: string, how: 'reset' | 'silent'): void;
  connect(from: string, to: string, protocol: string, handlers: Handlers): End;
  cut(from: string, to: string): void;
  heal(from: string, to: string): void;
  healAll(): void;
  isCut(from: string, to: string): boolean;
  /** Breaks every connection between the two that is open now; answers how many. */
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
  /** The arrivals to come, in their order. */
  readonly onTheWay: Scheduled[];
  readonly heldUp: Packet[];
  /** Set while something stays unacknowledged. */
  deadline: Scheduled | undefined;
  /** Told to the reader on arrival. */
  handlers: Handlers | undefined;
  readerGone: boolean;
  writerGone: boolean;
  /** The reader's host died and could tell nobody. */
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

/** What the functions below share. */
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

/** The end that reads `pipe` hears that it is over, and with that can't write either. */
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

/** The writer gives up if by then the way is still cut, there or back, or the reader is silent. */
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
    // SIMULATED-NETWORK-1: it is the first.
    pipe.onTheWay.shift();
    arrive(state, connection, pipe, packet);
  });
  pipe.onTheWay.push(arrival);
}

/** SIMULATED-NETWORK-2: of what is on its way a first part still arrives. */
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
    // Nothing more is taken, though its writer may not know yet.
    pipe.writerGone = true;
    transport(state, connection, pipe, BROKEN);
  }
}

function send(state: State, connection: Connection, pipe: Pipe, packet: Packet): void {
  if (pipe.writerGone) return;
  if (!connection.established) connection.before.push(packet);
  else if (pipe.silent) {
    // The host is back and knows nothing of the connection, or it isn't and nothing answers.
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
      // One that is still being made goes on trying: it reaches whoever listens there by then.
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
      // Before anything that was sent later.
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
