// The messages on a scheduler's or an operator's connection: one request, then its answer or a stream of events.
import type { Reply, StreamId } from '@meseta/master/core/io';
import type { MasterCall, SchedulerCall, SchedulerEvent } from '@meseta/wire';
import { MasterCallCodec, SchedulerCallCodec, SchedulerEventCodec } from '@meseta/wire/codecs';
import { freeze } from '../engine/freeze.js';

export type HttpRequest =
  | { readonly kind: 'schedulerCall'; readonly streamId: StreamId | undefined; readonly call: SchedulerCall }
  | { readonly kind: 'operatorCall'; readonly call: MasterCall };

export type HttpResponse =
  | { readonly kind: 'reply'; readonly reply: Reply }
  | { readonly kind: 'opened'; readonly stream: StreamId }
  | { readonly kind: 'event'; readonly event: SchedulerEvent };

interface Codec<T> {
  encode(value: T): Uint8Array;
  decode(bytes: Uint8Array): { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: unknown };
}

/** Encodes and decodes a message. */
export function roundTrip<T>(codec: Codec<T>, value: T): T {
  const decoded = codec.decode(codec.encode(value));
  if (!decoded.ok) throw new Error(`the encoded message can't be decoded: ${JSON.stringify(decoded.error)}`);
  return freeze(decoded.value);
}

/** The request as the server receives it: frozen, or encoded and decoded if messages travel as bytes. */
export function transmitRequest(request: HttpRequest, encoded: boolean): HttpRequest {
  if (!encoded) return freeze(request);
  return request.kind === 'schedulerCall'
    ? { ...request, call: roundTrip(SchedulerCallCodec, request.call) }
    : { ...request, call: roundTrip(MasterCallCodec, request.call) };
}

export function transmitResponse(answer: HttpResponse, encoded: boolean): HttpResponse {
  if (!encoded || answer.kind !== 'event') return freeze(answer);
  return { kind: 'event', event: roundTrip(SchedulerEventCodec, answer.event) };
}
