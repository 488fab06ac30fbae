// An HTTP/1.1 client that costs the load generator little: it writes prepared bytes to a few persistent connections and parses
// only the status and the Content-Length of answers, which answers to calls have.
import { connect, type Socket } from 'node:net';

export interface HttpCalls {
  /** Calls wait for a free connection, in order; resolves with the answer's status. */
  post(path: string, headers: string, body: Uint8Array): Promise<number>;
  close(): void;
}

interface Call {
  readonly bytes: Buffer;
  readonly done: (status: number) => void;
  readonly failed: (cause: Error) => void;
}

interface Connection {
  readonly socket: Socket;
  current: Call | undefined;
  unread: Buffer;
}

const HEAD_END = '\r\n\r\n';

/** `headers`: lines that end in CRLF each. */
const requestBytes = (address: string, path: string, headers: string, body: Uint8Array): Buffer =>
  Buffer.concat([
    Buffer.from(`POST ${path} HTTP/1.1\r\nHost: ${address}\r\n${headers}Content-Length: ${body.length}\r\n\r\n`),
    body,
  ]);

/** The answer's status and its bytes; undefined while it is not all there. */
function answerOf(bytes: Buffer): { readonly status: number; readonly length: number } | undefined {
  const end = bytes.indexOf(HEAD_END);
  if (end < 0) return undefined;
  const head = bytes.toString('latin1', 0, end);
  const body = Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? 0);
  const length = end + HEAD_END.length + body;
  return bytes.length < length ? undefined : { status: Number(head.slice(9, 12)), length };
}

export function createHttpCalls(address: string, connections: number): HttpCalls {
  const [host, port] = address.split(':') as [string, string];
  const waiting: Call[] = [];
  let taken = 0;
  const next = (connection: Connection): void => {
    const call = waiting[taken];
    connection.current = call;
    if (call === undefined) return;
    taken++;
    if (taken === waiting.length) {
      waiting.length = 0;
      taken = 0;
    }
    connection.socket.write(call.bytes);
  };
  const open = (): Connection => {
    const connection: Connection = {
      socket: connect({ host, port: Number(port), noDelay: true }),
      current: undefined,
      unread: Buffer.alloc(0),
    };
    connection.socket.on('data', (chunk) => {
      connection.unread = connection.unread.length === 0 ? chunk : Buffer.concat([connection.unread, chunk]);
      const answer = answerOf(connection.unread);
      if (answer === undefined) return;
      connection.unread = connection.unread.subarray(answer.length);
      const { current } = connection;
      next(connection);
      current?.done(answer.status);
    });
    connection.socket.on('error', (cause) => connection.current?.failed(cause));
    return connection;
  };
  const all = Array.from({ length: connections }, open);
  return {
    post: (path, headers, body) =>
      new Promise((done, failed) => {
        waiting.push({ bytes: requestBytes(address, path, headers, body), done, failed });
        const free = all.find(({ current }) => current === undefined);
        if (free !== undefined) next(free);
      }),
    close() {
      for (const { socket } of all) socket.destroy();
    },
  };
}
