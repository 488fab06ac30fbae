// POST /api/v1/scheduler: what can be said about a call without the master's state is said here, the rest by the core.
import { answerType, checkSchedulerCall, decodeBody, type Refusal, refusal } from '@meseta/api';
import type { BodyReader } from '@meseta/platform';
import { answerText, refuse } from '@meseta/platform/answers';
import type { SchedulerCall } from '@meseta/wire';
import { SchedulerCallCodec } from '@meseta/wire/codecs';
import { JSON_TYPE, type MediaType } from '@meseta/wire/media';
import type { MasterInput, RequestId, StreamId } from '../core/io.js';
import { type Exchange, header } from './exchange.js';
import type { Requests } from './requests.js';

export interface SchedulerApiOptions {
  readonly bodies: BodyReader;
  readonly requests: Requests;
  push(input: MasterInput): void;
  /** A call that broke the rules before the core saw it; for the metric. */
  onInvalid(call: SchedulerCall): void;
}

/** What of a request a call needs, however it was read. */
export interface CallRequest {
  readonly contentType: string | undefined;
  readonly accept: string | undefined;
  readonly streamId: string | undefined;
  readonly principal: string | undefined;
  refuse(refusal: Refusal): void;
  /** The request waits for the core's answer. */
  await(mediaType: MediaType): RequestId;
}

export type TakeCall = (request: CallRequest, body: Uint8Array) => void;

export interface SchedulerApi {
  handle(exchange: Exchange): Promise<void>;
  readonly take: TakeCall;
}

/** Calls that answer with events: the only ones whose `Accept` is looked at. */
const withAnswer = new Set<SchedulerCall['type']>(['SUBSCRIBE', 'RECONCILE_OPERATIONS']);

export function createSchedulerApi({ bodies, requests, push, onInvalid }: SchedulerApiOptions): SchedulerApi {
  const take: TakeCall = (request, body) => {
    const { principal } = request;
    const decoded = decodeBody(request.contentType, body, SchedulerCallCodec);
    if (!decoded.ok) return request.refuse(decoded.error);
    const call = decoded.value;
    const checked = checkSchedulerCall(call, principal);
    if (!checked.ok) {
      onInvalid(call);
      return request.refuse(checked.error);
    }
    const media = answerType(request.accept);
    if (!media.ok && withAnswer.has(call.type)) return request.refuse(media.error);
    const streamId = request.streamId as StreamId | undefined;
    if (call.type === 'SUBSCRIBE' && streamId !== undefined) {
      const text = "Header 'Mesos-Stream-Id': expected none with SUBSCRIBE, which opens a stream of its own";
      return request.refuse(refusal('badRequest', text));
    }
    const waiting = request.await(media.ok ? media.value : JSON_TYPE);
    push({ kind: 'schedulerCall', request: waiting, principal, streamId, call: named(call, principal) });
  };
  return {
    take,
    async handle(exchange) {
      const { request, response, principal } = exchange;
      const body = await bodies.read(request);
      if (!body.ok) return answerText(response, body.error.status, body.error.message, { Connection: 'close' });
      take(
        {
          contentType: header(exchange, 'content-type'),
          accept: header(exchange, 'accept'),
          streamId: header(exchange, 'mesos-stream-id'),
          principal,
          refuse: (refused) => refuse(response, refused),
          await: (mediaType) => requests.await(response, mediaType),
        },
        body.value,
      );
    },
  };
}

/** A framework that names no principal is the one who authenticated. */
function named(call: SchedulerCall, principal: string | undefined): SchedulerCall {
  const { subscribe } = call;
  if (principal === undefined || subscribe === undefined || subscribe.framework_info.principal !== undefined)
    return call;
  return { ...call, subscribe: { ...subscribe, framework_info: { ...subscribe.framework_info, principal } } };
}
