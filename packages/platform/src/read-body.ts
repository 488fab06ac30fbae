// Reads complete request bodies within limits, and decompresses gzipped ones, as libprocess does.
//
// Owns: the bodies being read; their bytes are taken from a shared budget.
// BODIES-1: bodies over 64 KiB that are being read hold at most the budget, compressed and decompressed, and no body exceeds
//           `maxBodyBytes`.
// BODIES-2: the bytes of a body count until it is read or refused. A refused body is not read further, and its connection
//           closes after the answer.
// BODIES-3: the cost of a body is limited by its size, in any number of pieces and however far it decompresses.
// BODIES-4: after the first `maxSilenceMs` a body must arrive at `MIN_BODY_BYTES_PER_MS` or faster, so that one sent byte by
//           byte does not occupy its connection for days.
import type { IncomingMessage } from 'node:http';
import { createGunzip } from 'node:zlib';
import { err, LIMITS, ok, type Result } from '@meseta/base';
import { type BodyParts, createBodyParts } from './body-parts.js';
import { type ByteBudget, FREE_BYTES, sharedBodyBudget } from './byte-budget.js';
import { MIN_BODY_BYTES_PER_MS } from './connections.js';

export interface BodyLimits {
  /** 64 MiB unless given. */
  readonly maxBodyBytes: number;
  /** The budget of the process, 256 MiB, unless given. */
  readonly budget: ByteBudget;
  /** The longest wait for the next byte, and the tolerance for slow bodies; 60 s unless given. */
  readonly maxSilenceMs: number;
}

export interface BodyError {
  readonly code: 'tooLarge' | 'busy' | 'stalled' | 'aborted' | 'notGzip';
  /** The status to answer with; `Connection: close` is needed, as the rest of the body is not read. */
  readonly status: 400 | 408 | 413;
  readonly message: string;
}

type Body = Result<Uint8Array, BodyError>;

export interface BodyReader {
  read(request: IncomingMessage): Promise<Body>;
}

/** A larger decompressed body may be at most `MAX_GZIP_RATIO` times as long as the compressed one. */
const FREE_UNPACKED_BYTES = 2 ** 20;
const MAX_GZIP_RATIO = 100;

const tooLarge = (message: string): BodyError => ({ code: 'tooLarge', status: 413, message });
const overBody = ({ maxBodyBytes }: BodyLimits): BodyError =>
  tooLarge(`The request's body is over the limit of ${maxBodyBytes} bytes`);
const tooSlow: BodyError = {
  code: 'stalled',
  status: 408,
  message: `The request's body arrives at less than ${MIN_BODY_BYTES_PER_MS * 1000} bytes a second`,
};
const busy = ({ budget }: BodyLimits): BodyError => ({
  code: 'busy',
  status: 413,
  message: `The bodies of all requests are over ${budget.maxBytes} bytes; try later`,
});

export function createBodyReader(given: Partial<BodyLimits> = {}): BodyReader {
  const { maxBodyBytes = LIMITS.requestBody.most, budget = sharedBodyBudget, maxSilenceMs = 60_000 } = given;
  const limits: BodyLimits = { maxBodyBytes, budget, maxSilenceMs };
  return { read: (request) => new Promise((resolve) => readBody(request, limits, resolve)) };
}

function readBody(request: IncomingMessage, limits: BodyLimits, resolve: (body: Body) => void): void {
  const { maxBodyBytes, budget, maxSilenceMs } = limits;
  const announced = Number(request.headers['content-length'] ?? 0);
  const gunzip = isGzipped(request) ? createGunzip({ chunkSize: 65_536 }) : undefined;
  const parts = createBodyParts();
  /** Received, before decompression. */
  let packedBytes = 0;
  const begunMs = performance.now();
  let settled = false;
  const settle = (result: Body): void => {
    if (settled) return;
    settled = true;
    clearTimeout(silence);
    request.off('data', onPacked);
    request.off('data', onData);
    if (!result.ok) {
      budget.release(parts.bytes);
      gunzip?.destroy();
      // A socket closed with unread bytes is reset, and the client may lose the answer: the bytes in flight are read and
      // dropped until the connection closes after the answer.
      if (result.error.code !== 'aborted') request.resume();
    }
    resolve(result);
  };
  const fail = (error: BodyError): void => settle(err(error));
  const silence = setTimeout(
    () => fail({ code: 'stalled', status: 408, message: `No byte of the request's body came for ${maxSilenceMs} ms` }),
    maxSilenceMs,
  );
  const onPacked = (piece: Buffer): void => {
    packedBytes += piece.length;
    silence.refresh();
    if (packedBytes > maxBodyBytes) fail(overBody(limits));
    if (performance.now() - begunMs > maxSilenceMs + packedBytes / MIN_BODY_BYTES_PER_MS) fail(tooSlow);
  };
  const onData = (piece: Buffer): void => {
    if (settled) return;
    if (!budget.reserve(piece.length, parts.bytes)) return fail(busy(limits));
    parts.add(piece);
    const problem = problemWith(parts, limits, gunzip === undefined ? undefined : packedBytes);
    if (problem !== undefined) fail(problem);
  };
  const onEnd = (): void => {
    if (settled) return;
    budget.release(parts.bytes);
    settle(ok(parts.take()));
  };
  const gone = (): void => {
    if (!request.complete) fail({ code: 'aborted', status: 400, message: "The request's body ended early" });
  };
  if (announced > maxBodyBytes) return fail(overBody(limits));
  if (announced > FREE_BYTES && budget.usedBytes + announced > budget.maxBytes) return fail(busy(limits));
  request.on('error', gone).on('close', gone).on('data', onPacked);
  if (gunzip === undefined) request.on('data', onData).on('end', onEnd);
  else {
    const notGzip = (why: string) => `The request's body: expected gzip, as Content-Encoding says (${why})`;
    gunzip.on('error', ({ message }) => fail({ code: 'notGzip', status: 400, message: notGzip(message) }));
    request.pipe(gunzip.on('data', onData).on('end', onEnd));
  }
}

/** `packedBytes`: the compressed bytes that a gzipped body was decompressed from. */
function problemWith(parts: BodyParts, limits: BodyLimits, packedBytes: number | undefined): BodyError | undefined {
  if (packedBytes === undefined) {
    return parts.isFragmented
      ? tooLarge(`The request's body arrives in more than ${LIMITS.bodyChunks.most} small chunks`)
      : undefined;
  }
  const most = Math.min(limits.maxBodyBytes, LIMITS.unpackedBody.most);
  const isBomb = parts.bytes > FREE_UNPACKED_BYTES && parts.bytes > MAX_GZIP_RATIO * packedBytes;
  if (parts.bytes <= most && !isBomb) return undefined;
  return tooLarge(`The request's body unpacks to more than ${most} bytes or ${MAX_GZIP_RATIO} times its length`);
}

/** gzip is the only encoding that libprocess supports; bodies in others are not decoded. */
const isGzipped = ({ headers }: IncomingMessage): boolean =>
  headers['content-encoding']?.trim().toLowerCase() === 'gzip';
