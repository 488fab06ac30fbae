// The transport of a client: fetch, which browsers and Node have, or one that the caller injects.
import { err, ok, type Result } from '@meseta/base';
import type { Method } from './types.js';

export interface OutgoingRequest {
  readonly method: Method;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | string | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface IncomingResponse {
  readonly status: number;
  /** The URL of the response, after redirects. */
  readonly url: string;
  header(name: string): string | undefined;
  /** The body as it arrives. It can be read once. */
  readonly body: AsyncIterable<Uint8Array>;
}

/** There was no complete response: no server listens, the connection broke, or the caller aborted. */
export interface Unreachable {
  readonly code: 'unreachable';
  readonly url: string;
  readonly text: string;
  /** No server has carried the request out: no connection was made, or it was only redirected. It may be sent again. */
  readonly isUnsent?: true;
}

/** The server's response does not follow the API. */
export interface InvalidResponse {
  readonly code: 'invalidResponse';
  readonly text: string;
}

/** Sends a request and follows redirects with the same method and body (a master that does not lead responds with 307). */
export type Transport = (request: OutgoingRequest) => Promise<Result<IncomingResponse, Unreachable>>;

const MAX_REDIRECTS = 5;
/** The length of the longest string of V8, so that every accepted JSON is a string. No master or agent sends more. */
const MAX_BODY_BYTES = 2 ** 29 - 24;
/** Of the text of an error. */
const MAX_ERROR_BYTES = 65_536;
/** The statuses of redirects that keep the method and the body. */
const METHOD_KEEPING_STATUSES = new Set([307, 308]);

/** `fetch` refuses such a URL with an error that has the password. */
const LOGIN = /^([a-z]+:\/\/)[^/?#]*@/i;
const LOGIN_TEXT = 'expected a URL without a user and a password; give the credential apart from it';

/**
 * The transport of browsers and Node. `fetch` drops `Authorization` when it follows a redirect to another origin, such as
 * the leading master; so redirects are followed here, and credentials are kept except from https to http. A browser hides
 * the target of a redirect, so there `fetch` follows it.
 */
export const fetchTransport: Transport = async (request) => {
  let { url, headers } = request;
  try {
    for (let hops = 0; ; hops++) {
      if (LOGIN.test(url))
        return err({ code: 'unreachable', url: url.replace(LOGIN, '$1<hidden>@'), text: LOGIN_TEXT });
      let response = await fetchOnce(request, url, headers, 'manual');
      if (response.type === 'opaqueredirect') response = await fetchOnce(request, url, headers, 'follow');
      const to = METHOD_KEEPING_STATUSES.has(response.status) ? response.headers.get('location') : null;
      if (to === null) return ok(incoming(response, url));
      await response.body?.cancel();
      // A master that was started again at the address of a dead leader redirects to itself until another one is elected.
      if (hops === MAX_REDIRECTS)
        return err({ code: 'unreachable', url, text: `more than ${hops} redirects`, isUnsent: true });
      const next = new URL(to, url);
      if (next.protocol !== 'https:' && url.startsWith('https:')) headers = withoutCredentials(headers);
      url = next.href;
    }
  } catch (cause) {
    return err({ code: 'unreachable', url, text: reasonOf(cause), ...(isUnsent(cause) && { isUnsent: true }) });
  }
};

const fetchOnce = (
  { method, body, signal }: OutgoingRequest,
  url: string,
  headers: OutgoingRequest['headers'],
  redirect: 'manual' | 'follow',
): Promise<Response> =>
  fetch(url, {
    method,
    headers,
    redirect,
    ...(body === undefined ? {} : { body: body as Uint8Array<ArrayBuffer> | string }),
    ...(signal === undefined ? {} : { signal }),
  });

const incoming = (response: Response, url: string): IncomingResponse => ({
  status: response.status,
  url: response.url || url,
  header: (name) => response.headers.get(name) ?? undefined,
  body: chunks(response.body),
});

const withoutCredentials = (headers: OutgoingRequest['headers']): OutgoingRequest['headers'] =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => name.toLowerCase() !== 'authorization'));

/** Not every browser can iterate over a stream, but all have readers. */
async function* chunks(stream: ReadableStream<Uint8Array> | null): AsyncGenerator<Uint8Array> {
  if (stream === null) return;
  const reader = stream.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

const innerCause = (cause: unknown): unknown =>
  cause instanceof Error && cause.cause instanceof Error ? cause.cause : cause;

const reasonOf = (cause: unknown): string => {
  const inner = innerCause(cause);
  return inner instanceof Error ? inner.message : String(inner);
};

interface ConnectError {
  readonly code?: unknown;
  readonly syscall?: unknown;
  /** Of the addresses of a host name that were tried. */
  readonly errors?: readonly ConnectError[];
}

/** Node's errors of connections that were not made. An established connection fails with the same codes, after the request. */
const wasNotConnected = ({ code, syscall }: ConnectError): boolean =>
  syscall === 'connect' || code === 'UND_ERR_CONNECT_TIMEOUT';

const isUnsent = (cause: unknown): boolean => {
  const error = (innerCause(cause) ?? {}) as ConnectError;
  return (error.errors ?? [error]).every(wasNotConnected);
};

interface ReadBody {
  /** The beginning of the body, at most as long as allowed. */
  readonly parts: readonly Uint8Array[];
  /** Why the rest is missing; undefined if the body is complete. */
  readonly problem: Unreachable | InvalidResponse | undefined;
}

async function readBody({ url, body }: IncomingResponse, mostBytes: number): Promise<ReadBody> {
  const parts: Uint8Array[] = [];
  let left = mostBytes;
  try {
    for await (const part of body) {
      parts.push(part.subarray(0, left));
      if (part.length > left) {
        const text = `the response of ${url} is too long: expected at most ${mostBytes} bytes`;
        return { parts, problem: { code: 'invalidResponse', text } };
      }
      left -= part.length;
    }
    return { parts, problem: undefined };
  } catch (cause) {
    return { parts, problem: { code: 'unreachable', url, text: reasonOf(cause) } };
  }
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** The complete body. */
export async function bodyOf(response: IncomingResponse): Promise<Result<Uint8Array, Unreachable | InvalidResponse>> {
  const { parts, problem } = await readBody(response, MAX_BODY_BYTES);
  return problem === undefined ? ok(joined(parts)) : err(problem);
}

/** The text of an error, as far as it arrived. */
export async function errorTextOf(response: IncomingResponse): Promise<string> {
  const { parts } = await readBody(response, MAX_ERROR_BYTES);
  return new TextDecoder().decode(joined(parts));
}

/** Reads a body that does not matter, so that the connection can be used again. The status has decided the result. */
export async function discardBody(response: IncomingResponse): Promise<void> {
  try {
    for await (const _ of response.body);
  } catch {
    // The connection is not used again.
  }
}
