// POST /api/v1/scheduler. Checks that need no master state are made here, all others by the core.
import { checkSchedulerCall, decodeBody, type Refusal, refusal, responseType } from '@meseta/api';
import type { BodyReader } from '@meseta/platform';
import { refuse } from '@meseta/platform/responses';
import type { SchedulerCall } from '@meseta/wire';
import { SchedulerCallCodec } from '@meseta/wire/codecs';
import { JSON_TYPE, type MediaType } from '@meseta/wire/media';
import type { MasterInput, RequestId, StreamId } from '../core/io.js';
import { type Exchange, header, readBody } from './exchange.js';
import type { Requests } from './requests.js';

export interface SchedulerApiOptions {
  readonly bodies: BodyReader;
  readonly requests: Requests;
  push(input: MasterInput): void;
  /** A malformed call that does not reach the core; for the metric. */
  onInvalid(call: SchedulerCall): void;
}

/** The parts of a request that a call needs, from node:http or from the fast path. */
export interface CallRequest {
  readonly contentType: string | undefined;
  readonly accept: string | undefined;
  readonly streamId: string | undefined;
  readonly principal: string | undefined;
  refuse(refusal: Refusal): void;
  /** Adds the request to those that wait for the core's reply. */
  addRequest(mediaType: MediaType): RequestId;
}

export type HandleCall = (request: CallRequest, body: Uint8Array) => void;

export interface SchedulerApi {
  handle(exchange: Exchange): Promise<void>;
  readonly handleCall: HandleCall;
}

/** Calls that are answered with a body: only their `Accept` header is checked. */
const answeredWithBody = new Set<SchedulerCall['type']>(['SUBSCRIBE', 'RECONCILE_OPERATIONS']);

export function createSchedulerApi({ bodies, requests, push, onInvalid }: SchedulerApiOptions): SchedulerApi {
  const handleCall: HandleCall = (request, body) => {
    const { principal } = request;
    const decoded = decodeBody(request.contentType, body, SchedulerCallCodec);
    if (!decoded.ok) return request.refuse(decoded.error);
    const call = decoded.value;
    const checked = checkSchedulerCall(call, principal);
    if (!checked.ok) {
      onInvalid(call);
      return request.refuse(checked.error);
    }
    const media = responseType(request.accept);
    if (!media.ok && answeredWithBody.has(call.type)) return request.refuse(media.error);
    const streamId = request.streamId as StreamId | undefined;
    if (call.type === 'SUBSCRIBE' && streamId !== undefined) {
      const text = "Header 'Mesos-Stream-Id': expected none with SUBSCRIBE, which opens a new stream";
      return request.refuse(refusal('badRequest', text));
    }
    const id = request.addRequest(media.ok ? media.value : JSON_TYPE);
    push({ kind: 'schedulerCall', request: id, principal, streamId, call: withPrincipal(call, principal) });
  };
  return {
    handleCall,
    async handle(exchange) {
      const { response, principal } = exchange;
      const body = await readBody(bodies, exchange);
      if (body === undefined) return;
      handleCall(
        {
          contentType: header(exchange, 'content-type'),
          accept: header(exchange, 'accept'),
          streamId: header(exchange, 'mesos-stream-id'),
          principal,
          refuse: (refused) => refuse(response, refused),
          addRequest: (mediaType) => requests.add(response, mediaType),
        },
        body,
      );
    },
  };
}

/** A framework that names no principal gets the authenticated one. */
function withPrincipal(call: SchedulerCall, principal: string | undefined): SchedulerCall {
  const { subscribe } = call;
  if (principal === undefined || subscribe === undefined || subscribe.framework_info.principal !== undefined)
    return call;
  return { ...call, subscribe: { ...subscribe, framework_info: { ...subscribe.framework_info, principal } } };
}
