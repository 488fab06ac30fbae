// Reads request bodies whole, within what all of them together may hold; unpacks those that are gzipped, as libprocess
// does.
//
// Owns: nothing; the bytes that its bodies hold are counted in a budget that others share.
// BODIES-1: never more than the budget is held by bodies over 64 KiB that are being read, packed and unpacked, and no body
//           is larger than `maxBodyBytes`.
// BODIES-2: a body's bytes count until its read ends; a refused one is no longer read and its connection closes after the
//           answer.
// BODIES-3: what a body costs is its bytes, however many pieces it comes in and whatever it unpacks to.
// BODIES-4: a body comes at `MIN_BODY_BYTES_PER_MS` or faster, but for the first `maxSilenceMs`: one that comes byte by byte
//           doesn't keep its connection in use for days.
import type { IncomingMessage } from 'node:http';
import { createGunzip } from 'node:zlib';
import { err, LIMITS, ok, type Result } from '@meseta/base';
import { type BodyParts, createBodyParts } from './body-parts.js';
import { type ByteBudget, FREE_BYTES, processBodies } from './byte-budget.js';
import { MIN_BODY_BYTES_PER_MS } from './connections.js';

export interface BodyLimits {
  /** 64 MiB unless given. */
  readonly maxBodyBytes: number;
  /** The process' own unless given: 256 MiB. */
  readonly budget: ByteBudget;
  /** The longest wait for the next byte, and for what comes slowly; 60 s unless given. */
  readonly maxSilenceMs: number;
}

export interface BodyError {
  readonly code: 'tooLarge' | 'busy' | 'stalled' | 'aborted' | 'notGzip';
  /** What to answer; with `Connection: close`, as the rest of the body is not read. */
  readonly status: 400 | 408 | 413;
  readonly message: string;
}

type Body = Result<Uint8Array, BodyError>;

export interface BodyReader {
  read(request: IncomingMessage): Promise<Body>;
}

/** What unpacks to more than this must not unpack to more than `MAX_GZIP_RATIO` times its length. */
const FREE_UNPACKED_BYTES = 2 ** 20;
const MAX_GZIP_RATIO = 100;

const tooLarge = (message: string): BodyError => ({ code: 'tooLarge', status: 413, message });
const overBody = ({ maxBodyBytes }: BodyLimits): BodyError =>
  tooLarge(`The request's body is over the limit of ${maxBodyBytes} bytes`);
const tooSlow: BodyError = {
  code: 'stalled',
  status: 408,
  message: `The request's body comes at less than ${MIN_BODY_BYTES_PER_MS * 1000} bytes a second`,
};
const busy = ({ budget }: BodyLimits): BodyError => ({
  code: 'busy',
  status: 413,
  message: `The bodies of all requests are over ${budget.most} bytes; try later`,
});

export function createBodyReader(given: Partial<BodyLimits> = {}): BodyReader {
  const { maxBodyBytes = LIMITS.requestBody.most, budget = processBodies, maxSilenceMs = 60_000 } = given;
  const limits: BodyLimits = { maxBodyBytes, budget, maxSilenceMs };
  return { read: (request) => new Promise((resolve) => readBody(request, limits, resolve)) };
}

function readBody(request: IncomingMessage, limits: BodyLimits, resolve: (body: Body) => void): void {
  const { maxBodyBytes, budget, maxSilenceMs } = limits;
  const announced = Number(request.headers['content-length'] ?? 0);
  const gunzip = isGzipped(request) ? createGunzip({ chunkSize: 65_536 }) : undefined;
  const parts = createBodyParts();
  /** Of the request as it is sent. */
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
      budget.give(parts.bytes);
      gunzip?.destroy();
      // A socket that ends with unread bytes resets, and the client may not see the answer: what is
      // already under way is thrown away, and the connection closes after the answer.
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
    if (!budget.take(piece.length, parts.bytes)) return fail(busy(limits));
    parts.add(piece);
    const problem = problemWith(parts, limits, gunzip === undefined ? undefined : packedBytes);
    if (problem !== undefined) fail(problem);
  };
  const onEnd = (): void => {
    if (settled) return;
    budget.give(parts.bytes);
    settle(ok(parts.take()));
  };
  const gone = (): void => {
    if (!request.complete) fail({ code: 'aborted', status: 400, message: "The request's body ended early" });
  };
  if (announced > maxBodyBytes) return fail(overBody(limits));
  if (announced > FREE_BYTES && budget.held + announced > budget.most) return fail(busy(limits));
  request.on('error', gone).on('close', gone).on('data', onPacked);
  if (gunzip === undefined) request.on('data', onData).on('end', onEnd);
  else {
    const notGzip = (why: string) => `The request's body: expected gzip, as Content-Encoding says (${why})`;
    gunzip.on('error', ({ message }) => fail({ code: 'notGzip', status: 400, message: notGzip(message) }));
    request.pipe(gunzip.on('data', onData).on('end', onEnd));
  }
}

/** `packedBytes`: how much of a gzipped request these parts were unpacked from. */
function problemWith(parts: BodyParts, limits: BodyLimits, packedBytes: number | undefined): BodyError | undefined {
  if (packedBytes === undefined) {
    return parts.isCrumbled
      ? tooLarge(`The request's body comes in more than ${LIMITS.bodyChunks.most} small chunks`)
      : undefined;
  }
  const most = Math.min(limits.maxBodyBytes, LIMITS.unpackedBody.most);
  const isBomb = parts.bytes > FREE_UNPACKED_BYTES && parts.bytes > MAX_GZIP_RATIO * packedBytes;
  if (parts.bytes <= most && !isBomb) return undefined;
  return tooLarge(`The request's body unpacks to more than ${most} bytes or ${MAX_GZIP_RATIO} times its length`);
}

/** The one encoding that libprocess knows; a body in another is taken for what it is. */
const isGzipped = ({ headers }: IncomingMessage): boolean =>
  headers['content-encoding']?.trim().toLowerCase() === 'gzip';
