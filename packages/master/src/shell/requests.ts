// HTTP requests that wait for the core's reply, and the event streams that the core has opened.
//
// Owns: the waiting requests by id, and the connections of open streams.
// REQUESTS-1: a request is answered at most once.
// REQUESTS-2: a stream that its client closed, or that was cut off because the client reads too slowly, is reported to the
//     core once (`onStreamClosed`); a stream that the core closed is not.
// REQUESTS-3: replies are written one event-loop turn after the messages of the same step. So if a client has got a 202 and
//     then the master fails, the message has been sent.
import type { ServerResponse } from 'node:http';
import type { Clock, Id } from '@meseta/base';
import { createStreamWriter, type StreamEnd, type StreamWriter } from '@meseta/platform';
import { sendText } from '@meseta/platform/responses';
import type { SchedulerEvent } from '@meseta/wire';
import { SchedulerEventCodec } from '@meseta/wire/codecs';
import { JSON_TYPE, type MediaType } from '@meseta/wire/media';
import { encodeRecord } from '@meseta/wire/recordio';
import type { Reply, RequestId, StreamId } from '../core/io.js';

interface WaitingRequest {
  answer(reply: Reply): void;
  /** The response to open as a stream and the media type of its events; undefined if it cannot become a stream. */
  readonly stream: { readonly response: ServerResponse; readonly mediaType: MediaType } | undefined;
}

interface PendingReply {
  readonly request: WaitingRequest;
  readonly reply: Reply;
}

interface OpenStream {
  readonly writer: StreamWriter;
  readonly mediaType: MediaType;
}

export interface Requests {
  /** Adds a request. `mediaType` is that of the events if the request is opened as a stream. */
  add(response: ServerResponse, mediaType: MediaType): RequestId;
  /** Adds a request that cannot be opened as a stream. */
  addWithoutStream(answer: (reply: Reply) => void): RequestId;
  reply(request: RequestId, reply: Reply): void;
  open(request: RequestId, stream: StreamId): void;
  /** Encodes the event once for each media type among the streams. */
  write(streams: readonly StreamId[], event: SchedulerEvent): void;
  close(stream: StreamId): void;
  closeAll(): void;
}

export interface RequestsOptions {
  readonly clock: Clock;
  onStreamClosed(stream: StreamId, why: StreamEnd): void;
  /** See `streamBacklog` in io.ts. */
  onStreamBacklog(stream: StreamId, isWaiting: boolean): void;
}

/** A scheduler's stream is cut off at this many unsent bytes. */
const maxUnsentBytes = 16 * 2 ** 20;

export function createRequests({ clock, onStreamClosed, onStreamBacklog }: RequestsOptions): Requests {
  const waiting = new Map<RequestId, WaitingRequest>();
  const streams = new Map<StreamId, OpenStream>();
  let next = 0;
  let replies: PendingReply[] = [];

  const writeReplies = (): void => {
    const pending = replies;
    replies = [];
    for (const { request, reply } of pending) request.answer(reply);
  };

  const addWaiting = (request: WaitingRequest): RequestId => {
    const id = String(next++) as Id<'RequestId'>;
    waiting.set(id, request);
    return id;
  };
  const removeWaiting = (id: RequestId): WaitingRequest | undefined => {
    const request = waiting.get(id);
    waiting.delete(id);
    return request;
  };

  return {
    add: (response, mediaType) =>
      addWaiting({
        answer: ({ status, text }) => sendText(response, status, text),
        stream: { response, mediaType },
      }),
    addWithoutStream: (answer) => addWaiting({ answer, stream: undefined }),
    reply(id, reply) {
      const request = removeWaiting(id);
      if (request === undefined) return;
      if (replies.length === 0) clock.defer(writeReplies);
      replies.push({ request, reply });
    },
    open(request, stream) {
      const target = removeWaiting(request)?.stream;
      if (target === undefined) return;
      const { response, mediaType } = target;
      const ended = (why: StreamEnd): void => {
        if (streams.delete(stream)) onStreamClosed(stream, why);
      };
      response.writeHead(200, {
        'Content-Type': mediaType,
        'Mesos-Stream-Id': stream,
        'Transfer-Encoding': 'chunked',
        'Cache-Control': 'no-store',
      });
      const backlog = (isWaiting: boolean): void => onStreamBacklog(stream, isWaiting);
      const writer = createStreamWriter(response, { clock, maxUnsentBytes, ended, backlog });
      streams.set(stream, { writer, mediaType });
    },
    write(to, event) {
      const encoded = new Map<MediaType, Uint8Array>();
      for (const id of to) {
        const stream = streams.get(id);
        if (stream === undefined) continue;
        let record = encoded.get(stream.mediaType);
        if (record === undefined) {
          record = encodeRecord(encodeEvent(stream.mediaType, event));
          encoded.set(stream.mediaType, record);
        }
        stream.writer.write(record);
      }
    },
    close(id) {
      const stream = streams.get(id);
      streams.delete(id);
      stream?.writer.end();
    },
    closeAll() {
      for (const { writer } of streams.values()) writer.end();
      streams.clear();
      for (const { stream } of waiting.values()) stream?.response.destroy();
      waiting.clear();
    },
  };
}

const encodeEvent = (mediaType: MediaType, event: SchedulerEvent): Uint8Array =>
  mediaType === JSON_TYPE ? Buffer.from(SchedulerEventCodec.write(event)) : SchedulerEventCodec.encode(event);
