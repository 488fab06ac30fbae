// What travels on a scheduler's or an operator's connection: one request, then its answer or a stream of events.
import type { Reply, StreamId } from '@meseta/master/core/io';
import type { MasterCall, SchedulerCall, SchedulerEvent } from '@meseta/wire';
import { MasterCallCodec, SchedulerCallCodec, SchedulerEventCodec } from '@meseta/wire/codecs';
import { freeze } from '../engine/freeze.js';

export type HttpRequest =
  | { readonly kind: 'schedulerCall'; readonly streamId: StreamId | undefined; readonly call: SchedulerCall }
  | { readonly kind: 'operatorCall'; readonly call: MasterCall };

export type HttpAnswer =
  | { readonly kind: 'reply'; readonly reply: Reply }
  | { readonly kind: 'opened'; readonly stream: StreamId }
  | { readonly kind: 'event'; readonly event: SchedulerEvent };

interface Parsed<T> {
  encode(value: T): Uint8Array;
  decode(bytes: Uint8Array): { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: unknown };
}

/** The value after encoding and decoding. */
export function through<T>(codec: Parsed<T>, value: T): T {
  const decoded = codec.decode(codec.encode(value));
  if (!decoded.ok) throw new Error(`what was encoded can't be decoded: ${JSON.stringify(decoded.error)}`);
  return freeze(decoded.value);
}

/** A request as the server receives it: encoded and decoded if messages travel as bytes. */
export function requestOnTheWire(request: HttpRequest, encoded: boolean): HttpRequest {
  if (!encoded) return freeze(request);
  return request.kind === 'schedulerCall'
    ? { ...request, call: through(SchedulerCallCodec, request.call) }
    : { ...request, call: through(MasterCallCodec, request.call) };
}

export function answerOnTheWire(answer: HttpAnswer, encoded: boolean): HttpAnswer {
  if (!encoded || answer.kind !== 'event') return freeze(answer);
  return { kind: 'event', event: through(SchedulerEventCodec, answer.event) };
}
