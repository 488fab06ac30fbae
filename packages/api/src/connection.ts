// What every client shares: one endpoint of one server, calls in, answers and event streams out.
import { err, ok, type Result } from '@meseta/base';
import { type Codec, renderWireError } from '@meseta/wire';
import { bodyType, JSON_TYPE, type MediaType, PROTOBUF_TYPE } from '@meseta/wire/media';
import { recordReader } from '@meseta/wire/recordio';
import type { CallError, ClientOptions, EventStream, Garbled } from './client.js';
import { encodeAs } from './negotiate.js';
import { bodyOf, fetchTransport, type IncomingAnswer } from './transport.js';

/** Larger records than any server sends are taken for garbage. */
const maxRecordBytes = 256 * 2 ** 20;

const utf8 = new TextDecoder();

export interface Connection<Call> {
  /** The whole answer; an empty body for a call that has no response. */
  call(call: Call, headers?: Readonly<Record<string, string>>): Promise<Result<IncomingAnswer, CallError>>;
  open<Event>(call: Call, codec: Codec<Event>): Promise<Result<EventStream<Event>, CallError>>;
}

/** `path` is the endpoint's own; redirected calls teach the connection where the leader is. */
export function connectTo<Call>(options: ClientOptions, path: string, codec: Codec<Call>): Connection<Call> {
  const { mediaType = PROTOBUF_TYPE, transport = fetchTransport } = options;
  let origin = options.address.replace(/\/+$/, '');

  const send = async (call: Call, headers: Readonly<Record<string, string>>, signal?: AbortSignal) => {
    const sent = await transport({
      method: 'POST',
      url: origin + path,
      headers: { 'Content-Type': mediaType, Accept: mediaType, ...options.headers, ...headers },
      body: encodeAs(mediaType, codec, call),
      signal,
    });
    if (!sent.ok) {
      origin = options.address.replace(/\/+$/, '');
      return sent;
    }
    const answer = sent.value;
    origin = new URL(answer.url).origin;
    if (answer.status < 300) return ok(answer);
    const text = utf8.decode(await bodyOf(answer));
    return err({ code: 'refused', status: answer.status, text } as const);
  };

  return {
    call: (call, headers = {}) => send(call, headers),
    async open(call, eventCodec) {
      const abort = new AbortController();
      const sent = await send(call, {}, abort.signal);
      return sent.ok ? ok(eventsOf(sent.value, eventCodec, abort)) : sent;
    },
  };
}

const garbled = (text: string): { readonly ok: false; readonly error: Garbled } => err({ code: 'garbled', text });

/** The message that an answer carries. */
export async function messageOf<T>(answer: IncomingAnswer, codec: Codec<T>): Promise<Result<T, CallError>> {
  const type = bodyType(answer.header('content-type') ?? '');
  if (type === undefined) return garbled(`${answer.url} answered with another media type than ${codec.name} comes in`);
  const message = decodeRecord(type, await bodyOf(answer), codec);
  return message.ok ? message : garbled(renderWireError(message.error));
}

const decodeRecord = <T>(type: MediaType, bytes: Uint8Array, codec: Codec<T>) =>
  type === JSON_TYPE ? codec.parse(utf8.decode(bytes)) : codec.decode(bytes);

function eventsOf<Event>(answer: IncomingAnswer, codec: Codec<Event>, abort: AbortController): EventStream<Event> {
  const type = bodyType(answer.header('content-type') ?? '') ?? JSON_TYPE;
  async function* events(): AsyncGenerator<Event> {
    const reader = recordReader(maxRecordBytes);
    try {
      for await (const chunk of answer.body) {
        const records = reader.push(chunk);
        if (!records.ok) return;
        for (const record of records.value) {
          const event = decodeRecord(type, record, codec);
          if (event.ok) yield event.value;
        }
      }
    } catch (cause) {
      if (!abort.signal.aborted && !(cause instanceof Error)) throw cause;
    } finally {
      abort.abort();
    }
  }
  return {
    id: answer.header('mesos-stream-id'),
    close: () => abort.abort(),
    [Symbol.asyncIterator]: events,
  };
}
