// A minimal libprocess transport for emulated agents: one listener per address, one socket to the master, and one write per
// turn. It costs little, so that the load generator does not dominate the measurement.
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { type Pid, pidOf } from '@meseta/base';
import { createMessageParser } from '@meseta/platform/message-parser';
import { messageHead } from '@meseta/platform/peers';
import type { LibprocessMessage } from '@meseta/wire';
import { encodeMessage } from '@meseta/wire/libprocess-codec';

const LIMITS = { maxHeadBytes: 65_536, maxBodyBytes: 2 ** 26 };
const ACCEPTED = 'HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n';

export interface EmulatedPeer {
  readonly address: string;
  send(actor: string, to: Pid, message: LibprocessMessage): void;
  /** Closes the connection to the master; the next message opens a new one. */
  disconnect(): void;
  close(): void;
  readonly sent: { messages: number; bytes: number };
}

export interface PeerOptions {
  /** On loopback: 127.x.y.z. */
  readonly ip: string;
  onMessage(actor: string, from: Pid, wireName: string, body: Uint8Array): void;
}

function listen(options: PeerOptions, sockets: Set<Socket>): Promise<Server> {
  const server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    let answers = 0;
    const parser = createMessageParser(
      {
        message(head, body) {
          answers++;
          options.onMessage(head.to, head.from, head.wireName, body);
        },
        continueExpected() {},
      },
      LIMITS,
    );
    socket.on('data', (bytes) => {
      parser.push(bytes);
      if (answers > 0) socket.write(ACCEPTED.repeat(answers), 'latin1');
      answers = 0;
    });
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
  });
  return new Promise((resolve) => server.listen(0, options.ip, () => resolve(server)));
}

export async function openPeer(options: PeerOptions): Promise<EmulatedPeer> {
  const sockets = new Set<Socket>();
  const server = await listen(options, sockets);
  const address = `${options.ip}:${(server.address() as AddressInfo).port}`;
  const sent = { messages: 0, bytes: 0 };
  let out: Socket | undefined;
  let frames: Buffer[] = [];

  const open = (to: Pid): Socket => {
    const [host, port] = to.slice(to.indexOf('@') + 1).split(':') as [string, string];
    const socket = connect({ host, port: Number(port), localAddress: options.ip, noDelay: true });
    socket.resume();
    socket.on('error', () => {});
    socket.on('close', () => {
      if (out === socket) out = undefined;
    });
    return socket;
  };
  return {
    address,
    sent,
    send(actor, to, message) {
      const { wireName, bytes } = encodeMessage(message);
      const head = messageHead(to, pidOf(actor, address), wireName);
      const body =
        bytes.length === 0
          ? [Buffer.from(`${head}\r\n`)]
          : [
              Buffer.from(`${head}Transfer-Encoding: chunked\r\n\r\n${bytes.length.toString(16)}\r\n`, 'latin1'),
              bytes,
              Buffer.from('\r\n0\r\n\r\n'),
            ];
      sent.messages++;
      sent.bytes += bytes.length;
      if (frames.length === 0) {
        setImmediate(() => {
          out ??= open(to);
          out.write(Buffer.concat(frames));
          frames = [];
        });
      }
      frames.push(Buffer.concat(body));
    },
    disconnect() {
      out?.destroy();
      out = undefined;
    },
    close() {
      server.close();
      out?.destroy();
      for (const socket of sockets) socket.destroy();
    },
  };
}
