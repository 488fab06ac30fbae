// The connection of a client to one endpoint of a server, for calls and event streams.
import { err, ok, type Result, withoutTrailing } from '@meseta/base';
import { type Codec, renderWireError } from '@meseta/wire';
import { bodyType, JSON_TYPE, type MediaType, PROTOBUF_TYPE } from '@meseta/wire/media';
import { recordReader } from '@meseta/wire/recordio';
import type { CallError, ClientOptions, EventStream } from './client.js';
import { encodeAs } from './negotiate.js';
import { bodyOf, errorTextOf, fetchTransport, type IncomingResponse, type InvalidResponse } from './transport.js';
import type { Method } from './types.js';

/** No master or agent sends larger records. */
const MAX_RECORD_BYTES = 256 * 2 ** 20;

const utf8 = new TextDecoder();

export interface Connection<Call> {
  /** The response; its body is empty for a call without a response. */
  call(
    call: Call,
    headers?: Readonly<Record<string, string>>,
    signal?: AbortSignal,
  ): Promise<Result<IncomingResponse, CallError>>;
  /** The signal aborts the request and the stream. */
  open<Event>(call: Call, codec: Codec<Event>, signal?: AbortSignal): Promise<Result<EventStream<Event>, CallError>>;
}

type Headers = Readonly<Record<string, string>>;

/** Sends one request. A response with a status of 300 or above is an error. */
export type Sender = (
  method: Method,
  path: string,
  headers: Headers,
  body?: Uint8Array | string,
  signal?: AbortSignal,
) => Promise<Result<IncomingResponse, CallError>>;

/** The responses of a master that carries out no call yet: it knows no leader, as Mesos says it, or it still recovers. */
const NOT_LEADING: ReadonlySet<string> = new Set(['No leader elected', 'The master has not finished its recovery']);
const LEADER_PAUSE_MS = 500;

/** Sends requests to the leader as it is known then; see `LeaderWait`. */
export function senderTo(options: ClientOptions): Sender {
  const send = singleSenderTo(options);
  const { leaderWait } = options;
  if (leaderWait === undefined) return send;
  return async (method, path, headers, body, signal) => {
    const untilMs = performance.now() + leaderWait.timeoutMs;
    for (;;) {
      const sent = await send(method, path, headers, body, signal);
      if (sent.ok || !isUnsent(sent.error) || performance.now() + LEADER_PAUSE_MS >= untilMs || signal?.aborted)
        return sent;
      leaderWait.onWait(sent.error.text);
      await new Promise((resolve) => setTimeout(resolve, LEADER_PAUSE_MS));
    }
  };
}

const isUnsent = (error: CallError): boolean =>
  error.code === 'unreachable'
    ? error.isUnsent === true
    : error.code === 'refused' && error.status === 503 && NOT_LEADING.has(error.text.trim());

/**
 * Returns the function that sends a request once. After a redirect further requests go to the address of the leader, until one
 * fails.
 */
function singleSenderTo(options: ClientOptions): Sender {
  const { transport = fetchTransport, address } = options;
  const find = typeof address === 'string' ? async () => ok(address) : address;
  let origin: string | undefined;
  return async (method, path, headers, body, signal) => {
    if (origin === undefined) {
      const found = await find();
      if (!found.ok) return found;
      origin = withoutTrailing(found.value, '/');
    }
    const sent = await transport({
      method,
      url: origin + path,
      headers: { ...options.headers, ...headers },
      body,
      signal,
    });
    if (!sent.ok) {
      origin = undefined;
      return sent;
    }
    const response = sent.value;
    const { status } = response;
    origin = status === 503 ? undefined : new URL(response.url).origin;
    return status < 300 ? ok(response) : err({ code: 'refused', status, text: await errorTextOf(response) } as const);
  };
}

/** The connection to the endpoint with this path. */
export function connectTo<Call>(
  options: ClientOptions,
  path: string,
  codec: Codec<Call>,
  sender: Sender = senderTo(options),
): Connection<Call> {
  const { mediaType = PROTOBUF_TYPE } = options;
  const send = (call: Call, headers: Headers, signal?: AbortSignal) => {
    const all = { 'Content-Type': mediaType, Accept: mediaType, ...headers };
    return sender('POST', path, all, encodeAs(mediaType, codec, call), signal);
  };
  return {
    call: (call, headers = {}, signal) => send(call, headers, signal),
    async open(call, eventCodec, signal) {
      const abort = new AbortController();
      const abortRequest = (): void => abort.abort();
      if (signal?.aborted) abortRequest();
      // The end of the stream aborts the controller, which removes the listener.
      signal?.addEventListener('abort', abortRequest, { once: true, signal: abort.signal });
      const sent = await send(call, {}, abort.signal);
      if (!sent.ok) abortRequest();
      return sent.ok ? ok(eventsOf(sent.value, eventCodec, abort)) : sent;
    },
  };
}

const invalidResponse = (text: string): { readonly ok: false; readonly error: InvalidResponse } =>
  err({ code: 'invalidResponse', text });

/** The message in a response. */
export async function messageOf<T>(response: IncomingResponse, codec: Codec<T>): Promise<Result<T, CallError>> {
  const type = bodyType(response.header('content-type') ?? '');
  if (type === undefined)
    return invalidResponse(
      `the response of ${response.url} has another media type than JSON and protobuf, expected ${codec.name}`,
    );
  const body = await bodyOf(response);
  if (!body.ok) return body;
  const message = decodeRecord(type, body.value, codec);
  return message.ok ? message : invalidResponse(renderWireError(message.error));
}

const decodeRecord = <T>(type: MediaType, bytes: Uint8Array, codec: Codec<T>) =>
  type === JSON_TYPE ? codec.parse(utf8.decode(bytes), 'trusted') : codec.decode(bytes, 'trusted');

/** The stream ends at bytes that are not RecordIO. A record that is not a valid event is left out. */
function eventsOf<Event>(response: IncomingResponse, codec: Codec<Event>, abort: AbortController): EventStream<Event> {
  const type = bodyType(response.header('content-type') ?? '') ?? JSON_TYPE;
  async function* events(): AsyncGenerator<Event> {
    const reader = recordReader(MAX_RECORD_BYTES);
    try {
      for await (const chunk of response.body) {
        const records = reader.push(chunk);
        if (!records.ok) return;
        for (const record of records.value) {
          const event = decodeRecord(type, record, codec);
          if (event.ok) yield event.value;
        }
      }
    } catch (cause) {
      // The connection broke, or the caller aborted, with a reason that need not be an Error.
      if (!abort.signal.aborted && !(cause instanceof Error)) throw cause;
    } finally {
      abort.abort();
    }
  }
  return {
    id: response.header('mesos-stream-id'),
    close: () => abort.abort(),
    [Symbol.asyncIterator]: events,
  };
}
