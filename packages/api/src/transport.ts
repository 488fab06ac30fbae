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

export interface IncomingAnswer {
  readonly status: number;
  /** The URL of the response, after redirects. */
  readonly url: string;
  header(name: string): string | undefined;
  /** The body as it arrives. It can be read once. */
  readonly body: AsyncIterable<Uint8Array>;
}

/** There was no response: no server listens, the connection broke, or the caller aborted. */
export interface Unreachable {
  readonly code: 'unreachable';
  readonly url: string;
  readonly text: string;
}

/** Sends a request and follows redirects with the same method and body (a master that does not lead responds with 307). */
export type Transport = (request: OutgoingRequest) => Promise<Result<IncomingAnswer, Unreachable>>;

const MAX_REDIRECTS = 5;
/** The statuses of redirects that keep the method and the body. */
const METHOD_KEEPING_STATUSES = new Set([307, 308]);

/**
 * The transport of browsers and Node. `fetch` drops `Authorization` when it follows a redirect to another origin, such as
 * the leading master; so redirects are followed here, and credentials are kept except from https to http. A browser hides
 * the target of a redirect, so there `fetch` follows it.
 */
export const fetchTransport: Transport = async (request) => {
  let { url, headers } = request;
  try {
    for (let hops = 0; ; hops++) {
      let answer = await fetchOnce(request, url, headers, 'manual');
      if (answer.type === 'opaqueredirect') answer = await fetchOnce(request, url, headers, 'follow');
      const to = METHOD_KEEPING_STATUSES.has(answer.status) ? answer.headers.get('location') : null;
      if (to === null) return ok(incoming(answer, url));
      await answer.body?.cancel();
      if (hops === MAX_REDIRECTS) return err({ code: 'unreachable', url, text: `more than ${hops} redirects` });
      const next = new URL(to, url);
      if (next.protocol !== 'https:' && url.startsWith('https:')) headers = withoutCredentials(headers);
      url = next.href;
    }
  } catch (cause) {
    return err({ code: 'unreachable', url, text: reasonOf(cause) });
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

const incoming = (answer: Response, url: string): IncomingAnswer => ({
  status: answer.status,
  url: answer.url || url,
  header: (name) => answer.headers.get(name) ?? undefined,
  body: chunks(answer.body),
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

const reasonOf = (cause: unknown): string => {
  const inner = cause instanceof Error && cause.cause instanceof Error ? cause.cause : cause;
  return inner instanceof Error ? inner.message : String(inner);
};

/** The complete body. */
export async function bodyOf(answer: IncomingAnswer): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of answer.body) {
    parts.push(part);
    length += part.length;
  }
  const whole = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
