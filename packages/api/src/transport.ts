// How a client reaches a server: fetch, which browsers and Node have, or whatever the caller injects.
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
  /** Where the answer came from in the end, redirects followed. */
  readonly url: string;
  header(name: string): string | undefined;
  /** The body as it arrives; read it once. */
  readonly body: AsyncIterable<Uint8Array>;
}

/** No answer came: nobody listens, the connection broke, or the caller gave up. */
export interface Unreachable {
  readonly code: 'unreachable';
  readonly url: string;
  readonly text: string;
}

/** Sends a request and follows redirects (307 with the method and body kept: a master that doesn't lead sends there). */
export type Transport = (request: OutgoingRequest) => Promise<Result<IncomingAnswer, Unreachable>>;

/** The transport of browsers and, without more ado, of Node. */
export const fetchTransport: Transport = async ({ method, url, headers, body, signal }) => {
  try {
    const answer = await fetch(url, {
      method,
      headers,
      redirect: 'follow',
      ...(body === undefined ? {} : { body: body as Uint8Array<ArrayBuffer> | string }),
      ...(signal === undefined ? {} : { signal }),
    });
    return ok({
      status: answer.status,
      url: answer.url || url,
      header: (name) => answer.headers.get(name) ?? undefined,
      body: chunks(answer.body),
    });
  } catch (cause) {
    return err({ code: 'unreachable', url, text: reasonOf(cause) });
  }
};

/** A browser's streams can't be iterated everywhere; a reader can be had everywhere. */
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

/** The whole body; for answers that end. */
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
