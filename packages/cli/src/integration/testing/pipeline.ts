// Many requests over few connections: HTTP/1.1 by hand, each connection kept and always some requests ahead.
import { connect, type Socket } from 'node:net';

export interface RawRequest {
  readonly method: string;
  readonly target: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array | string;
}

export interface RawResponse {
  readonly status: number;
  readonly body: string;
}

/** Requests that wait for their responses on one connection. */
const MAX_UNANSWERED = 24;

/** The bytes of one request. */
function bytesOf({ method, target, headers, body }: RawRequest): Buffer {
  const bytes = Buffer.from(body as string);
  let head = `${method} ${target} HTTP/1.1\r\nHost: localhost\r\n`;
  for (const [name, value] of Object.entries(headers)) head += `${name}: ${value}\r\n`;
  return Buffer.concat([Buffer.from(`${head}Content-Length: ${bytes.length}\r\n\r\n`), bytes]);
}

/** Takes answers off a connection's bytes. */
function createResponseReader(onResponse: (answer: RawResponse) => void): (bytes: Buffer) => void {
  let buffered: Buffer = Buffer.alloc(0);
  const next = (): boolean => {
    const end = buffered.indexOf('\r\n\r\n');
    if (end < 0) return false;
    const head = buffered.toString('latin1', 0, end);
    const status = Number(head.slice(9, 12));
    const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
    const start = end + 4;
    if (length !== undefined) {
      const stop = start + Number(length);
      if (buffered.length < stop) return false;
      onResponse({ status, body: buffered.toString('utf8', start, stop) });
      buffered = buffered.subarray(stop);
      return true;
    }
    let at = start;
    let body = '';
    for (;;) {
      const line = buffered.indexOf('\r\n', at);
      if (line < 0) return false;
      const size = Number.parseInt(buffered.toString('latin1', at, line), 16);
      const stop = line + 2 + size;
      if (buffered.length < stop + 2) return false;
      body += buffered.toString('utf8', line + 2, stop);
      at = stop + 2;
      if (size === 0) break;
    }
    onResponse({ status, body });
    buffered = buffered.subarray(at);
    return true;
  };
  return (bytes) => {
    buffered = buffered.length === 0 ? bytes : Buffer.concat([buffered, bytes]);
    while (buffered.length > 0 && next());
  };
}

/** Sends all of them and gives every answer with its request; fails if a connection ends before its answers. */
export async function sendAll<R extends RawRequest>(
  address: string,
  requests: Iterable<R>,
  onResponse: (request: R, answer: RawResponse) => void,
  connections = 4,
): Promise<void> {
  const source = requests[Symbol.iterator]();
  await Promise.all(Array.from({ length: connections }, () => sendOver(address, source, onResponse)));
}

function sendOver<R extends RawRequest>(
  address: string,
  source: Iterator<R>,
  onResponse: (request: R, answer: RawResponse) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const unanswered: R[] = [];
    let done = false;
    const [host = '', port = ''] = address.split(':');
    const socket: Socket = connect({ host, port: Number(port), noDelay: true });
    const fill = (): void => {
      while (!done && unanswered.length < MAX_UNANSWERED) {
        const next = source.next();
        if (next.done === true) done = true;
        else {
          unanswered.push(next.value);
          socket.write(bytesOf(next.value));
        }
      }
      if (done && unanswered.length === 0) socket.end();
    };
    const read = createResponseReader((answer) => {
      const request = unanswered.shift();
      if (request !== undefined) onResponse(request, answer);
    });
    socket.on('connect', fill);
    socket.on('data', (bytes: Buffer) => {
      try {
        read(bytes);
        fill();
      } catch (error) {
        socket.destroy(error as Error);
      }
    });
    socket.on('error', reject);
    socket.on('close', () => {
      const [lost] = unanswered;
      if (lost === undefined) resolve();
      else reject(new Error(`${address} closed the connection on ${lost.method} ${lost.target}: ${String(lost.body)}`));
    });
  });
}
