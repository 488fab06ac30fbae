// The port Outbound on Node: downloads and probes.
import { createHash } from 'node:crypto';
import { lookup } from 'node:dns';
import { createWriteStream } from 'node:fs';
import * as http from 'node:http';
import * as https from 'node:https';
import { connect, isIP, type LookupFunction } from 'node:net';
import { pipeline } from 'node:stream/promises';
import {
  type AbortSignalLike,
  err,
  type HttpResponse,
  type Outbound,
  type OutboundRequest,
  ok,
  type SystemError,
  type SystemResult,
  timerMs,
} from '@meseta/base';
import { systemError } from './system-results.js';

const MAX_REDIRECTS = 50;

const failure = (code: string, message: string): { readonly ok: false; readonly error: SystemError } =>
  err({ code, message });

/** Calls `connectNow` where a connection is to be made: in another network namespace, for instance. It may throw before. */
export type Connecting = (connectNow: () => void) => void;

/** A name that is no address, so that Node calls the lookup, and connects when it is answered. */
const LOOKED_UP = 'looked-up';

/** Connects to `host` by `connecting`, with which Node's connect(2) is called. */
function placedAt(host: string, connecting: Connecting | undefined) {
  if (connecting === undefined) return { host };
  const address = host.replace(/^\[|\]$/g, '');
  const answer: LookupFunction = (_name, _options, found) => {
    const connectTo = (at: string, family: number): void => {
      try {
        connecting(() => found(null, at, family));
      } catch (error) {
        found(error as NodeJS.ErrnoException, '');
      }
    };
    const family = isIP(address);
    if (family !== 0) return connectTo(address, family);
    lookup(address, (error, at, itsFamily) => (error === null ? connectTo(at, itsFamily) : found(error, '')));
  };
  return { host: LOOKED_UP, lookup: answer, autoSelectFamily: false };
}

interface RequestOptions {
  readonly connecting?: Connecting | undefined;
  readonly method: 'GET' | 'HEAD';
  /** The longest time without a byte. */
  readonly idleTimeoutMs: number;
  readonly signal?: AbortSignalLike | undefined;
  readonly insecure: boolean;
  readonly headers?: OutboundRequest['headers'] | undefined;
  readonly maxRedirects?: number | undefined;
}

/** One request without redirects. The response is paused. */
function sendRequest(url: URL, wanted: RequestOptions): Promise<SystemResult<http.IncomingMessage>> {
  return new Promise((resolve) => {
    const placed = wanted.connecting && { ...placedAt(url.hostname, wanted.connecting), hostname: LOOKED_UP };
    const options = {
      method: wanted.method,
      agent: false as const,
      headers: { accept: '*/*', 'user-agent': 'meseta', ...(placed && { host: url.host }), ...wanted.headers },
      ...placed,
    };
    const request =
      url.protocol === 'https:'
        ? https.request(url, { ...options, rejectUnauthorized: !wanted.insecure })
        : http.request(url, options);
    let begun: http.IncomingMessage | undefined;
    // Once the response has begun, its reader receives the error.
    const stop = (code: string, message: string): void => {
      (begun ?? request).destroy(Object.assign(new Error(message), { code }));
    };
    const abort = (): void => stop('aborted', 'stopped');
    request.setTimeout(timerMs(wanted.idleTimeoutMs), () =>
      stop('stalled', `no byte arrived for ${wanted.idleTimeoutMs} ms`),
    );
    request.on('error', (error) => resolve(err(systemError(error))));
    request.on('response', (response) => {
      begun = response;
      // Without a listener the error of an abandoned response would end the process.
      response.on('error', () => {});
      resolve(ok(response));
    });
    request.on('close', () => wanted.signal?.removeEventListener('abort', abort));
    wanted.signal?.addEventListener('abort', abort);
    if (wanted.signal?.aborted) abort();
    request.end();
  });
}

function parse(text: string, base?: URL): URL | undefined {
  try {
    const url = new URL(text, base);
    return url.protocol === 'http:' || url.protocol === 'https:' ? url : undefined;
  } catch {
    return undefined;
  }
}

/** The request after a redirect: credentials stay with the origin that they are for. */
function redirected(wanted: RequestOptions, from: URL, to: URL): RequestOptions {
  if (wanted.headers?.['authorization'] === undefined || from.origin === to.origin) return wanted;
  const { authorization: _, ...headers } = wanted.headers;
  return { ...wanted, headers };
}

/** Follows redirects as curl -L does. */
async function follow(text: string, first: RequestOptions): Promise<SystemResult<http.IncomingMessage>> {
  let url = parse(text);
  if (url === undefined) return failure('badUrl', `"${text}": expected an http or https URL`);
  const { maxRedirects = MAX_REDIRECTS } = first;
  const { origin } = url;
  let wanted = first;
  for (let hops = 0; hops <= maxRedirects; hops++) {
    const response = await sendRequest(url, wanted);
    if (!response.ok) return response;
    const { statusCode = 0, headers } = response.value;
    if (statusCode < 300 || statusCode > 399 || headers.location === undefined) {
      // Another origin must not name the service that gets the credentials for this one.
      if (url.origin !== origin) delete headers['www-authenticate'];
      return response;
    }
    response.value.destroy();
    const next = parse(headers.location, url);
    if (next === undefined)
      return failure('badUrl', `redirected to "${headers.location}", which is no http or https URL`);
    if (wanted.headers !== undefined && url.protocol === 'https:' && next.protocol !== 'https:')
      return failure('badUrl', `redirected from https to "${next.origin}", which is not encrypted`);
    wanted = redirected(wanted, url, next);
    url = next;
  }
  return failure('tooManyRedirects', `more than ${maxRedirects} redirects`);
}

/** Passes at most `maxBytes`; more are an error. */
const atMost = (maxBytes: number, message: string) =>
  async function* (chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    let bytes = 0;
    for await (const chunk of chunks) {
      bytes += chunk.length;
      if (bytes > maxBytes) throw Object.assign(new Error(message), { code: 'tooLarge' });
      yield chunk;
    }
  };

const codeOf = (status: number): string => {
  if (status === 401) return 'unauthorized';
  return status === 429 || status >= 500 ? 'unavailable' : 'unexpectedStatus';
};

/** Passes everything and computes its digest; another one than `expected` is an error at the end. */
const withDigest = (expected: string | undefined) =>
  async function* (chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    if (expected === undefined) return yield* chunks;
    const hash = createHash('sha256');
    for await (const chunk of chunks) {
      hash.update(chunk);
      yield chunk;
    }
    const digest = hash.digest('hex');
    const message = `its content has the digest sha256:${digest}, expected sha256:${expected}`;
    if (digest !== expected) throw Object.assign(new Error(message), { code: 'wrongDigest' });
  };

const download: Outbound['download'] = async (url, path, options) => {
  const wanted = {
    method: 'GET' as const,
    idleTimeoutMs: options.stallTimeoutMs,
    signal: options.signal,
    insecure: false,
    headers: options.headers,
    maxRedirects: options.maxRedirects,
  };
  const response = await follow(url, wanted);
  if (!response.ok) return response;
  const { statusCode = 0 } = response.value;
  if (statusCode !== 200) {
    response.value.destroy();
    return failure(codeOf(statusCode), `the server answered with status ${statusCode}, expected 200`);
  }
  const tooLarge = `it has more bytes than it may have: the limit left ${options.maxBytes}`;
  if (Number(response.value.headers['content-length'] ?? 0) > options.maxBytes) {
    response.value.destroy();
    return failure('tooLarge', tooLarge);
  }
  const file = createWriteStream(path, { flags: 'wx', mode: 0o600 });
  try {
    await pipeline(response.value, atMost(options.maxBytes, tooLarge), withDigest(options.sha256), file);
  } catch (error) {
    return err(systemError(error));
  }
  return ok({ bytes: file.bytesWritten });
};

/** Aborts with `signal`, and at the timeout. */
function abortAfter(timeoutMs: number, signal: AbortSignalLike | undefined) {
  const controller = new AbortController();
  const abort = (): void => controller.abort();
  const timer = setTimeout(abort, timerMs(timeoutMs));
  signal?.addEventListener('abort', abort);
  if (signal?.aborted) abort();
  return {
    signal: controller.signal,
    stop() {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
    },
  };
}

async function readResponse(response: http.IncomingMessage, maxBytes: number): Promise<SystemResult<HttpResponse>> {
  const parts: Buffer[] = [];
  try {
    for await (const part of atMost(maxBytes, `the answer has more than ${maxBytes} bytes`)(response)) parts.push(part);
  } catch (error) {
    response.destroy();
    return err(systemError(error));
  }
  const headers = Object.entries(response.headers).flatMap(([name, value]): [string, string][] =>
    value === undefined ? [] : [[name, typeof value === 'string' ? value : value.join(', ')]],
  );
  return ok({ status: response.statusCode ?? 0, headers: new Map(headers), body: Buffer.concat(parts) });
}

const get: Outbound['get'] = async (url, options) => {
  const { headers, maxRedirects, maxBytes, timeoutMs } = options;
  const ending = abortAfter(timeoutMs, options.signal);
  const { signal } = ending;
  const wanted = { method: 'GET' as const, idleTimeoutMs: timeoutMs, signal, insecure: false, headers, maxRedirects };
  const response = await follow(url, wanted);
  const answer = response.ok ? await readResponse(response.value, maxBytes) : response;
  ending.stop();
  const isLate = !answer.ok && answer.error.code === 'aborted' && options.signal?.aborted !== true;
  return isLate ? failure('timedOut', `no whole answer in ${timeoutMs} ms`) : answer;
};

const contentLength: Outbound['contentLength'] = async (url, options) => {
  const response = await follow(url, {
    method: 'HEAD',
    idleTimeoutMs: options.timeoutMs,
    signal: options.signal,
    insecure: false,
  });
  if (!response.ok) return response;
  const { statusCode, headers } = response.value;
  response.value.destroy();
  const length = headers['content-length'];
  return ok(statusCode === 200 && length !== undefined && /^\d+$/.test(length) ? Number(length) : undefined);
};

/** Aborts at the deadline, so that a server that sends bytes slowly does not delay a probe. */
const statusBy =
  (connecting: Connecting | undefined): Outbound['statusOf'] =>
  async (url, timeoutMs) => {
    const signal = AbortSignal.timeout(timerMs(timeoutMs));
    const response = await follow(url, { method: 'GET', idleTimeoutMs: timeoutMs, signal, insecure: true, connecting });
    if (response.ok) {
      response.value.destroy();
      return ok(response.value.statusCode ?? 0);
    }
    const { code } = response.error;
    return code === 'aborted' || code === 'stalled' ? failure('timedOut', `no answer in ${timeoutMs} ms`) : response;
  };

const MAX_PORT = 65_535;

const connectsBy =
  (connecting: Connecting | undefined): Outbound['connects'] =>
  (host, port, timeoutMs) =>
    new Promise((resolve) => {
      if (!(Number.isInteger(port) && port >= 0 && port <= MAX_PORT)) {
        return resolve(failure('badPort', `expected a port from 0 to ${MAX_PORT}, got ${port}`));
      }
      const socket = connect({ ...placedAt(host, connecting), port });
      const settle = (result: SystemResult<boolean>): void => {
        socket.destroy();
        resolve(result);
      };
      socket.setTimeout(timerMs(timeoutMs), () => settle(failure('timedOut', `no connection in ${timeoutMs} ms`)));
      socket.on('connect', () => settle(ok(true)));
      socket.on('error', () => settle(ok(false)));
    });

/** Probes whose connections are made by `connecting`. */
export const createProbes = (connecting?: Connecting): Pick<Outbound, 'statusOf' | 'connects'> => ({
  statusOf: statusBy(connecting),
  connects: connectsBy(connecting),
});

export function createOutbound(): Outbound {
  return { get, download, contentLength, ...createProbes() };
}
