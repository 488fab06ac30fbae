// Reads request bodies whole, within what all of them together may hold.
//
// Owns: the count of bytes of bodies in flight.
// B1: never more than `maxTotalBytes` are held by bodies that are being read, and no body is larger than `maxBodyBytes`.
// B2: a body's bytes count until its read ends; a refused one is no longer read and its connection closes after the answer.
import type { IncomingMessage } from 'node:http';
import { err, ok, type Result } from '@meseta/base';

export interface BodyLimits {
  /** 64 MiB unless given. */
  readonly maxBodyBytes: number;
  /** 256 MiB unless given. */
  readonly maxTotalBytes: number;
  /** The longest wait for the next byte; 60 s unless given. */
  readonly maxSilenceMs: number;
}

export interface BodyError {
  readonly code: 'tooLarge' | 'busy' | 'stalled' | 'aborted';
  /** What to answer; with `Connection: close`, as the rest of the body is not read. */
  readonly status: 400 | 408 | 413;
  readonly message: string;
}

export interface BodyReader {
  /** Bytes held by bodies that are being read. */
  readonly inFlightBytes: number;
  read(request: IncomingMessage): Promise<Result<Uint8Array, BodyError>>;
}

const MIB = 2 ** 20;

export function createBodyReader(limits: Partial<BodyLimits> = {}): BodyReader {
  const { maxBodyBytes = 64 * MIB, maxTotalBytes = 256 * MIB, maxSilenceMs = 60_000 } = limits;
  let inFlightBytes = 0;

  const overLimit = (bytes: number, more: number): BodyError | undefined => {
    if (bytes > maxBodyBytes) {
      return {
        code: 'tooLarge',
        status: 413,
        message: `The request's body is over the limit of ${maxBodyBytes} bytes`,
      };
    }
    if (inFlightBytes + more > maxTotalBytes) {
      return {
        code: 'busy',
        status: 413,
        message: `The bodies of all requests are over ${maxTotalBytes} bytes; try later`,
      };
    }
    return undefined;
  };

  const read = (request: IncomingMessage): Promise<Result<Uint8Array, BodyError>> =>
    new Promise((resolve) => {
      const announced = Number(request.headers['content-length'] ?? 0);
      const parts: Buffer[] = [];
      let bytes = 0;
      let settled = false;
      const settle = (result: Result<Uint8Array, BodyError>): void => {
        if (settled) return;
        settled = true;
        inFlightBytes -= bytes;
        clearTimeout(silence);
        request.off('data', onData);
        if (!result.ok) {
          // A socket that ends with unread bytes resets, and the client may not see the answer: what is
          // already under way is thrown away, and the connection closes after the answer.
          if (result.error.code !== 'aborted') request.resume();
        }
        resolve(result);
      };
      const silence = setTimeout(
        () =>
          settle(
            err({ code: 'stalled', status: 408, message: `No byte of the request's body came for ${maxSilenceMs} ms` }),
          ),
        maxSilenceMs,
      );
      const onData = (chunk: Buffer): void => {
        const over = overLimit(bytes + chunk.length, chunk.length);
        if (over !== undefined) {
          settle(err(over));
          return;
        }
        bytes += chunk.length;
        inFlightBytes += chunk.length;
        parts.push(chunk);
        silence.refresh();
      };
      const gone = (): void => settle(err({ code: 'aborted', status: 400, message: "The request's body ended early" }));
      const over = overLimit(announced, announced);
      if (over !== undefined) {
        settle(err(over));
        return;
      }
      request.on('data', onData);
      request.on('end', () =>
        settle(ok(parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts, bytes))),
      );
      request.on('error', gone);
      request.on('close', gone);
    });

  return {
    get inFlightBytes() {
      return inFlightBytes;
    },
    read,
  };
}
