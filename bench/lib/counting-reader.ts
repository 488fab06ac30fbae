// An HTTP/1.1 client that reads answers with a Content-Length one after the other on one connection and only counts their
// bytes, so that large answers cost it little.
import { connect } from 'node:net';

export interface CountingReader {
  /** Resolves with the length of the answer's body once it has been received. */
  read(request: string): Promise<number>;
  close(): void;
}

const HEAD_END = '\r\n\r\n';

export function createCountingReader(address: string): CountingReader {
  const [host, port] = address.split(':') as [string, string];
  let head = '';
  let length = 0;
  let left = 0;
  let done: (bytes: number) => void = () => {};
  let failed: (cause: Error) => void = () => {};
  const take = (bytes: number, buffer: Uint8Array): boolean => {
    let body = bytes;
    if (left === 0) {
      const before = head.length;
      head += Buffer.from(buffer.buffer, buffer.byteOffset, bytes).toString('latin1');
      const end = head.indexOf(HEAD_END);
      if (end < 0) return true;
      if (!head.startsWith('HTTP/1.1 200')) failed(new Error(head.slice(0, end)));
      length = Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1]);
      body = before + bytes - end - HEAD_END.length;
      head = '';
      left = length;
    }
    left -= body;
    if (left === 0) done(length);
    return true;
  };
  const onread = { buffer: Buffer.alloc(1 << 20), callback: take };
  const socket = connect({ host, port: Number(port), noDelay: true, onread });
  socket.on('error', (cause) => failed(cause));
  socket.on('close', () => failed(new Error('the connection was closed')));
  return {
    read: (request) =>
      new Promise((resolve, reject) => {
        done = resolve;
        failed = reject;
        socket.write(request);
      }),
    close: () => socket.destroy(),
  };
}
