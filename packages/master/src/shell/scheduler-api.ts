// POST /api/v1/scheduler: what can be said about a call without the master's state is said here, the rest by the core.
import { answerType, checkSchedulerCall, decodeBody, refusal } from '@meseta/api';
import type { BodyReader } from '@meseta/platform';
import { answerText, refuse } from '@meseta/platform/answers';
import type { SchedulerCall } from '@meseta/wire';
import { SchedulerCallCodec } from '@meseta/wire/codecs';
import { JSON_TYPE } from '@meseta/wire/media';
import type { MasterInput, StreamId } from '../core/io.js';
import { type Exchange, header } from './exchange.js';
import type { Requests } from './requests.js';

export interface SchedulerApiOptions {
  readonly bodies: BodyReader;
  readonly requests: Requests;
  push(input: MasterInput): void;
  /** A call that broke the rules before the core saw it; for the metric. */
  onInvalid(call: SchedulerCall): void;
}

/** Calls that answer with events: the only ones whose `Accept` is looked at. */
const withAnswer = new Set<SchedulerCall['type']>(['SUBSCRIBE', 'RECONCILE_OPERATIONS']);

export function createSchedulerApi({ bodies, requests, push, onInvalid }: SchedulerApiOptions) {
  return async (exchange: Exchange): Promise<void> => {
    const { request, response, principal } = exchange;
    const body = await bodies.read(request);
    if (!body.ok) return answerText(response, body.error.status, body.error.message, { Connection: 'close' });
    const decoded = decodeBody(header(exchange, 'content-type'), body.value, SchedulerCallCodec);
    if (!decoded.ok) return refuse(response, decoded.error);
    const call = decoded.value;
    const checked = checkSchedulerCall(call, principal);
    if (!checked.ok) {
      onInvalid(call);
      return refuse(response, checked.error);
    }
    const media = answerType(header(exchange, 'accept'));
    if (!media.ok && withAnswer.has(call.type)) return refuse(response, media.error);
    const streamId = header(exchange, 'mesos-stream-id') as StreamId | undefined;
    if (call.type === 'SUBSCRIBE' && streamId !== undefined) {
      const text = "Header 'Mesos-Stream-Id': expected none with SUBSCRIBE, which opens a stream of its own";
      return refuse(response, refusal('badRequest', text));
    }
    const waiting = requests.await(response, media.ok ? media.value : JSON_TYPE);
    push({ kind: 'schedulerCall', request: waiting, principal, streamId, call: named(call, principal) });
  };
}

/** A framework that names no principal is the one who authenticated. */
function named(call: SchedulerCall, principal: string | undefined): SchedulerCall {
  const { subscribe } = call;
  if (principal === undefined || subscribe === undefined || subscribe.framework_info.principal !== undefined)
    return call;
  return { ...call, subscribe: { ...subscribe, framework_info: { ...subscribe.framework_info, principal } } };
}
