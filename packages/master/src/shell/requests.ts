// Requests that wait for the core's answer, and the event streams that it has opened.
//
// Owns: who waits under which id, and which stream is which connection.
// REQUESTS-1: a request is answered at most once, and forgotten then.
// REQUESTS-2: a stream that its client closed, or that was cut off for reading too slowly, is told to the core once
//     (`onStreamClosed`); one that the core closed isn't.
// REQUESTS-3: an answer goes out a turn after the messages that the same step sent: who has a 202 and then loses the master
//     finds the message on its way.
import type { ServerResponse } from 'node:http';
import type { Clock, Id } from '@meseta/base';
import { createStreamWriter, type StreamEnd, type StreamWriter } from '@meseta/platform';
import { answerText } from '@meseta/platform/answers';
import type { SchedulerEvent } from '@meseta/wire';
import { SchedulerEventCodec } from '@meseta/wire/codecs';
import { JSON_TYPE, type MediaType } from '@meseta/wire/media';
import { encodeRecord } from '@meseta/wire/recordio';
import type { Reply, RequestId, StreamId } from '../core/io.js';

interface Waiting {
  answer(reply: Reply): void;
  /** What it may become a stream on, and what events come in then. */
  readonly stream: { readonly response: ServerResponse; readonly mediaType: MediaType } | undefined;
}

interface Due {
  readonly waiting: Waiting;
  readonly reply: Reply;
}

interface OpenStream {
  readonly writer: StreamWriter;
  readonly mediaType: MediaType;
}

export interface Requests {
  /** `mediaType`: of the events, should the request be opened as a stream. */
  await(response: ServerResponse, mediaType: MediaType): RequestId;
  /** Of a request that will never be opened as a stream. */
  awaitReply(answer: (reply: Reply) => void): RequestId;
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
}

/** Unsent bytes beyond which a scheduler's stream is cut off. */
const maxUnsentBytes = 16 * 2 ** 20;

export function createRequests({ clock, onStreamClosed }: RequestsOptions): Requests {
  const waiting = new Map<RequestId, Waiting>();
  const streams = new Map<StreamId, OpenStream>();
  let next = 0;
  let replies: Due[] = [];

  const say = (): void => {
    const due = replies;
    replies = [];
    for (const { waiting, reply } of due) waiting.answer(reply);
  };

  const add = (one: Waiting): RequestId => {
    const request = String(next++) as Id<'RequestId'>;
    waiting.set(request, one);
    return request;
  };
  const take = (request: RequestId): Waiting | undefined => {
    const found = waiting.get(request);
    waiting.delete(request);
    return found;
  };

  return {
    await: (response, mediaType) =>
      add({
        answer: ({ status, text }) => answerText(response, status, text),
        stream: { response, mediaType },
      }),
    awaitReply: (answer) => add({ answer, stream: undefined }),
    reply(request, reply) {
      const found = take(request);
      if (found === undefined) return;
      if (replies.length === 0) clock.defer(say);
      replies.push({ waiting: found, reply });
    },
    open(request, stream) {
      const place = take(request)?.stream;
      if (place === undefined) return;
      const { response, mediaType } = place;
      const ended = (why: StreamEnd): void => {
        if (streams.delete(stream)) onStreamClosed(stream, why);
      };
      response.writeHead(200, {
        'Content-Type': mediaType,
        'Mesos-Stream-Id': stream,
        'Transfer-Encoding': 'chunked',
        'Cache-Control': 'no-store',
      });
      streams.set(stream, { writer: createStreamWriter(response, { clock, maxUnsentBytes, ended }), mediaType });
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
