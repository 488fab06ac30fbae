// One connection to a ZooKeeper server: frames in both directions.
//
// Boundary: what the frames mean is the session's. It calls back `onFrame` for each, and `onClosed` once.
// ZKCONNECTION-1: a frame that claims more than `MAX_FRAME_BYTES` closes the connection before its bytes are stored.
// ZKCONNECTION-2: with TLS nothing is sent before the server's certificate has been verified, its host name or address included.
import { connect, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { Server } from '../service-address.js';
import type { TlsContents } from '../tls-files.js';

export interface Connection {
  write(frame: Buffer): void;
  /** Closes at once; `onClosed` follows. */
  destroy(reason: string): void;
  /** Closes after what was written. */
  end(): void;
}

export interface ConnectionHandlers {
  onOpen(): void;
  onFrame(frame: Buffer): void;
  /** The reason for the log. */
  onClosed(reason: string): void;
}

/** A znode has at most 1 MiB; the names of a directory of the registry may need more. */
const MAX_FRAME_BYTES = 32 * 2 ** 20;
const LENGTH_BYTES = 4;

/** ZKCONNECTION-2, also where NODE_TLS_REJECT_UNAUTHORIZED=0 is in the environment. */
const openSocket = ({ host, port }: Server, tls: TlsContents | undefined, onOpen: () => void): Socket =>
  tls === undefined
    ? connect({ host, port }, onOpen)
    : connectTls(
        { host, port, ...tls, rejectUnauthorized: true, ...(isIP(host) === 0 && { servername: host }) },
        onOpen,
      );

/** Without `tls` the connection is not encrypted. */
export function openConnection(server: Server, tls: TlsContents | undefined, handlers: ConnectionHandlers): Connection {
  const socket = openSocket(server, tls, handlers.onOpen).setNoDelay();
  let reason = 'the server closed the connection';
  let chunks: Buffer[] = [];
  let buffered = 0;

  /** The first bytes, joined; undefined while fewer have arrived. */
  const peek = (bytes: number): Buffer | undefined => {
    if (buffered < bytes) return undefined;
    if ((chunks[0] as Buffer).length < bytes) chunks = [Buffer.concat(chunks)];
    return chunks[0] as Buffer;
  };
  const destroy = (why: string): void => {
    reason = why;
    socket.destroy();
  };
  const takeFrame = (): Buffer | undefined => {
    const length = peek(LENGTH_BYTES)?.readInt32BE(0);
    if (length === undefined) return undefined;
    if (length < 0 || length > MAX_FRAME_BYTES) {
      destroy(`the server sent a frame of ${length} bytes, expected at most ${MAX_FRAME_BYTES}`);
      return undefined;
    }
    const end = LENGTH_BYTES + length;
    const joined = peek(end);
    if (joined === undefined) return undefined;
    const rest = joined.subarray(end);
    chunks = rest.length === 0 ? chunks.slice(1) : [rest, ...chunks.slice(1)];
    buffered -= end;
    return joined.subarray(LENGTH_BYTES, end);
  };

  socket.on('data', (chunk) => {
    chunks.push(chunk);
    buffered += chunk.length;
    for (;;) {
      const frame = socket.destroyed ? undefined : takeFrame();
      if (frame === undefined) return;
      handlers.onFrame(frame);
    }
  });
  socket.on('error', (error) => {
    reason = error.message;
  });
  socket.on('close', () => handlers.onClosed(reason));
  return { write: (frame) => void socket.write(frame), destroy, end: () => void socket.end() };
}
