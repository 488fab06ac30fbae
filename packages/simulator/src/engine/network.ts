// The packet network: connections between addresses, each with two ordered pipes, and everything that can go wrong.
//
// Owns: every connection, what is on its way, which directions are cut, the chances of delay and breaking.
// N1: what is written to a connection arrives at most once and in order, as long as it lives; a new connection may
//     overtake what is still on its way on an old one.
// N2: what is lost is lost from some point on, and with its connection: TCP loses nothing in the middle.
// N3: an end hears of the other's end once, as `closed` or `broken`; a cut, a dead host and a pause say nothing until
//     something that was written stays unacknowledged for `unacknowledgedMs`.
import { type Random, uniform } from '@meseta/base';
import { happens, waiting } from './chance.js';
import { cancel, type Scheduled, type Timeline } from './timeline.js';

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

/** What the network does to packets. */
export interface NetworkOptions {
  readonly meanDelayMs: number;
  /** A connection breaks at a packet with this probability. */
  readonly breakChance: number;
  /** A packet and all behind it are held up, for some seconds, with this probability. */
  readonly stallChance: number;
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
  /** Breaks every connection between the two that is open now. */
  breakConnections(a: string, b: string): void;
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
  readonly onTheWay: Set<{ readonly packet: Packet; scheduled: Scheduled }>;
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
  onTheWay: new Set(),
  heldUp: [],
  deadline: undefined,
  handlers: undefined,
  readerGone: false,
  writerGone: false,
  silent: false,
});

export function createNetwork(timeline: Timeline, random: Random, options: NetworkOptions): Network {
  const listeners = new Map<string, Listener>();
  const cuts = new Set<string>();
  const connections = new Set<Connection>();
  const isCut = (from: string, to: string): boolean => cuts.has(`${from}>${to}`);

  const other = (connection: Connection, pipe: Pipe): Pipe =>
    connection.pipes[0] === pipe ? connection.pipes[1] : connection.pipes[0];

  const settle = (connection: Connection): void => {
    const [a, b] = connection.pipes;
    if (a.writerGone && a.readerGone && b.writerGone && b.readerGone) connections.delete(connection);
  };

  /** The end that reads `pipe` hears that it is over, and with that can't write either. */
  const tellEnded = (connection: Connection, pipe: Pipe, how: Ending): void => {
    if (pipe.readerGone) return;
    const back = other(connection, pipe);
    pipe.readerGone = true;
    back.writerGone = true;
    cancel(back.deadline);
    settle(connection);
    pipe.handlers?.ended(how);
  };

  const arrive = (connection: Connection, pipe: Pipe, packet: Packet): void => {
    if (pipe.readerGone) return;
    if (pipe.heldUp.length > 0 || isCut(pipe.from, pipe.to)) {
      pipe.heldUp.push(packet);
      expectAcknowledgement(connection, pipe);
      return;
    }
    if (packet.kind === 'data') pipe.handlers?.data(packet.payload);
    else tellEnded(connection, pipe, packet.kind);
  };

  /** The writer gives up if by then the way is still cut, there or back, or the reader is silent. */
  const expectAcknowledgement = (connection: Connection, pipe: Pipe): void => {
    if (pipe.deadline?.run !== undefined || pipe.writerGone) return;
    pipe.deadline = timeline.after(network.options.unacknowledgedMs, () => {
      if (pipe.silent || isCut(pipe.from, pipe.to) || isCut(pipe.to, pipe.from)) {
        tellEnded(connection, other(connection, pipe), 'broken');
      }
    });
  };

  const transport = (connection: Connection, pipe: Pipe, packet: Packet): void => {
    const { meanDelayMs, stallChance } = network.options;
    const stallMs = happens(random, stallChance) ? 4_000 * uniform(random) : 0;
    const arrivalMs = Math.max(pipe.lastArrivalMs, timeline.nowMs() + waiting(random, meanDelayMs) + stallMs);
    pipe.lastArrivalMs = arrivalMs;
    const travelling = {
      packet,
      scheduled: timeline.at(arrivalMs, () => {
        pipe.onTheWay.delete(travelling);
        arrive(connection, pipe, packet);
      }),
    };
    pipe.onTheWay.add(travelling);
  };

  /** N2: of what is on its way a first part still arrives. */
  const loseTail = (pipe: Pipe): void => {
    const kept = Math.floor(uniform(random) * (pipe.onTheWay.size + 1));
    let index = 0;
    for (const travelling of pipe.onTheWay) {
      if (index++ < kept) continue;
      cancel(travelling.scheduled);
      pipe.onTheWay.delete(travelling);
    }
    pipe.lastArrivalMs = Math.max(timeline.nowMs(), ...[...pipe.onTheWay].map(({ scheduled }) => scheduled.atMs));
  };

  const breakBoth = (connection: Connection): void => {
    for (const pipe of connection.pipes) {
      if (pipe.readerGone) continue;
      loseTail(pipe);
      // Nothing more is taken, though its writer may not know yet.
      pipe.writerGone = true;
      transport(connection, pipe, { kind: 'broken', payload: undefined });
    }
  };

  const send = (connection: Connection, pipe: Pipe, packet: Packet): void => {
    if (pipe.writerGone) return;
    if (!connection.established) {
      connection.before.push(packet);
      return;
    }
    if (pipe.silent) {
      // The host is back and knows nothing of the connection, or it isn't and nothing answers.
      if (!listeners.has(pipe.to)) expectAcknowledgement(connection, pipe);
      else transport(connection, other(connection, pipe), { kind: 'broken', payload: undefined });
      return;
    }
    if (happens(random, network.options.breakChance)) {
      breakBoth(connection);
      return;
    }
    transport(connection, pipe, packet);
    if (isCut(pipe.to, pipe.from)) expectAcknowledgement(connection, pipe);
  };

  const endOf = (connection: Connection, outgoing: Pipe): End => ({
    remote: outgoing.to,
    write: (payload) => send(connection, outgoing, { kind: 'data', payload }),
    close() {
      send(connection, outgoing, { kind: 'closed', payload: undefined });
      outgoing.writerGone = true;
      other(connection, outgoing).readerGone = true;
      settle(connection);
    },
  });

  const establish = (connection: Connection, deadlineMs: number, protocol: string): void => {
    const [out, back] = connection.pipes;
    if (back.readerGone) {
      connections.delete(connection);
      return;
    }
    if (isCut(out.from, out.to) || isCut(out.to, out.from)) {
      if (timeline.nowMs() >= deadlineMs) tellEnded(connection, back, 'broken');
      else timeline.after(1_000, () => establish(connection, deadlineMs, protocol));
      return;
    }
    const listener = listeners.get(out.to);
    if (listener === undefined) {
      tellEnded(connection, back, 'broken');
      return;
    }
    connection.established = true;
    out.handlers = listener.accepted(endOf(connection, back), protocol);
    for (const packet of connection.before.splice(0)) send(connection, out, packet);
  };

  const network: Network = {
    options,
    isCut,
    listen: (address, listener) => void listeners.set(address, listener),
    gone(address, how) {
      listeners.delete(address);
      for (const connection of [...connections]) {
        for (const pipe of connection.pipes) {
          if (pipe.from !== address) continue;
          const inward = other(connection, pipe);
          inward.readerGone = true;
          pipe.writerGone = true;
          cancel(pipe.deadline);
          loseTail(pipe);
          inward.silent = how === 'silent';
          if (how === 'reset' && connection.established) {
            transport(connection, pipe, { kind: 'broken', payload: undefined });
          }
          settle(connection);
        }
      }
    },
    connect(from, to, protocol, handlers) {
      const connection: Connection = {
        pipes: [createPipe(from, to), createPipe(to, from)],
        established: false,
        before: [],
      };
      connection.pipes[1].handlers = handlers;
      connections.add(connection);
      const deadlineMs = timeline.nowMs() + CONNECT_TIMEOUT_MS;
      timeline.after(2 * waiting(random, network.options.meanDelayMs), () =>
        establish(connection, deadlineMs, protocol),
      );
      return endOf(connection, connection.pipes[0]);
    },
    cut: (from, to) => void cuts.add(`${from}>${to}`),
    heal(from, to) {
      cuts.delete(`${from}>${to}`);
      for (const connection of connections) {
        for (const pipe of connection.pipes) {
          if (pipe.from !== from || pipe.to !== to) continue;
          // Before anything that was sent later.
          for (const packet of pipe.heldUp.splice(0)) arrive(connection, pipe, packet);
        }
      }
    },
    healAll() {
      for (const way of [...cuts]) {
        const [from = '', to = ''] = way.split('>');
        network.heal(from, to);
      }
    },
    breakConnections(a, b) {
      for (const connection of [...connections]) {
        const [out] = connection.pipes;
        const joins = (out.from === a && out.to === b) || (out.from === b && out.to === a);
        if (joins && connection.established) breakBoth(connection);
      }
    },
  };
  return network;
}
