// The port of a rehearsed master: messages, calls and requests are bytes of connections in memory.
//
// Boundary: what the master sends is encoded and dropped. Nothing leaves the process, and no address of the machine is used.
import { createServer, type ServerResponse } from 'node:http';
import { Duplex } from 'node:stream';
import { addressOfPid, hostOf, type Pid, present } from '@meseta/base';
import type { Host, HostStats, PeerConnection } from '@meseta/platform';
import { parseCallHead } from '@meseta/platform/fast-path-head';
import { createMessageParser, type MessageParser } from '@meseta/platform/message-parser';
import { messageHead } from '@meseta/platform/peers';
import type { LibprocessMessage, SchedulerCall } from '@meseta/wire';
import { SchedulerCallCodec } from '@meseta/wire/codecs';
import { encodeMessage } from '@meseta/wire/libprocess-codec';
import { PROTOBUF_TYPE } from '@meseta/wire/media';
import type { StreamId } from '../../core/io.js';
import type { MasterPort, PortHandlers } from '../port.js';

/** Of a block for documentation (RFC 5737); nothing is sent to it. */
const ADDRESS = '192.0.2.1:5050';
const MASTER = `master@${ADDRESS}` as Pid;
const LIMITS = { maxHeadBytes: 65_536, maxBodyBytes: 2 ** 24 };
const SCHEDULER_PATH = '/api/v1/scheduler';

export interface HttpRequest {
  readonly method: 'GET' | 'POST';
  readonly target: string;
  readonly accept: string;
  readonly contentType?: string;
  readonly body?: Uint8Array;
}

export interface MemoryPort {
  readonly port: MasterPort;
  /** An agent sends a message over its connection. */
  sendMessage(from: Pid, message: LibprocessMessage): void;
  /** A scheduler sends a call on its open stream. */
  sendCall(streamId: StreamId, call: SchedulerCall): void;
  /** A client sends a request over a connection of its own, which stays open. */
  sendRequest(request: HttpRequest): void;
  /** The connection to the agent breaks. */
  breakConnection(agent: Pid): void;
  /** The number of requests and calls that were answered; an open stream is none. */
  readonly answered: { requests: number; calls: number };
  close(): void;
}

/** A connection whose client reads everything at once and keeps nothing. */
function createConnection(): Duplex {
  const connection = new Duplex({ read: () => {}, write: (_chunk, _encoding, done) => done() });
  // What node:http calls on a socket.
  return Object.assign(connection, { setTimeout: () => connection, setNoDelay: () => connection });
}

const NO_STATS: HostStats = {
  messagesReceived: 0,
  messagesSent: 0,
  messagesUnknown: 0,
  messagesDropped: 0,
  peersOverLimit: 0,
  badMessages: 0,
  messagesFromElsewhere: 0,
  connections: { open: 0, cut: 0, slow: 0 },
  unlinkedPeersClosed: 0,
};

const host: Host = {
  address: ADDRESS,
  bound: { ip: hostOf(ADDRESS), port: 0 },
  stats: NO_STATS,
  send: () => {},
  link: () => {},
  unlink: () => {},
  close: async () => {},
};

export function openMemoryPort(): MemoryPort {
  const answered = { requests: 0, calls: 0 };
  const connections = new Set<Duplex>();
  const agents = new Map<Pid, MessageParser>();
  let handlers: PortHandlers | undefined;
  const handled = (): PortHandlers => present(handlers, 'the handlers of the rehearsed master');
  const http = createServer((request, response: ServerResponse) => {
    response.once('finish', () => {
      answered.requests++;
    });
    handled().onRequest(request, response);
  });
  const parserOf = (from: Pid): MessageParser => {
    const connection: PeerConnection = { id: agents.size, ip: hostOf(addressOfPid(from)), certifiedIps: undefined };
    const message = (head: { to: string; from: Pid; wireName: string }, body: Uint8Array): void =>
      void handled().onMessage({ ...head, body, connection });
    return createMessageParser({ message, continueExpected: () => {} }, LIMITS);
  };
  return {
    answered,
    port: {
      host,
      serve(served) {
        handlers = served;
      },
    },
    sendMessage(from, message) {
      const parser = agents.get(from) ?? parserOf(from);
      agents.set(from, parser);
      const { wireName, bytes } = encodeMessage(message);
      const head = `${messageHead(MASTER, from, wireName)}Content-Length: ${bytes.length}\r\n\r\n`;
      parser.push(Buffer.concat([Buffer.from(head, 'latin1'), bytes]));
    },
    sendCall(streamId, call) {
      const body = SchedulerCallCodec.encode(call);
      const head = parseCallHead(
        `POST ${SCHEDULER_PATH} HTTP/1.1\r\nHost: ${ADDRESS}\r\nContent-Type: ${PROTOBUF_TYPE}\r\n` +
          `Mesos-Stream-Id: ${streamId}\r\nContent-Length: ${body.length}`,
      );
      handled().tryHandleCall(present(head, 'the head of a call'), body, () => {
        answered.calls++;
      });
    },
    sendRequest({ method, target, accept, contentType, body }) {
      const connection = createConnection();
      connections.add(connection);
      http.emit('connection', connection);
      const head =
        `${method} ${target} HTTP/1.1\r\nHost: ${ADDRESS}\r\nAccept: ${accept}\r\n` +
        (body === undefined ? '' : `Content-Type: ${contentType}\r\nContent-Length: ${body.length}\r\n`);
      connection.push(Buffer.concat([Buffer.from(`${head}\r\n`, 'latin1'), body ?? new Uint8Array()]));
    },
    breakConnection(agent) {
      agents.delete(agent);
      handled().onPeerLost(addressOfPid(agent));
    },
    close() {
      for (const connection of connections) connection.destroy();
      http.close();
    },
  };
}
