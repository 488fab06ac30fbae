// The operator API's event streams (SUBSCRIBE): the state, then every change, one encoding for all of a media type.
//
// Owns: who listens, and what happened since the snapshots that are still being rendered.
// O1: a subscriber sees the state and then every change after it, none twice and none left out: events that come while
//     its snapshot is rendered wait behind the snapshot.
// O2: at most `limit` streams; one more closes the oldest.

import { type Clock, createEventLog, type EventLog, type RenderQueue } from '@meseta/platform';
import type { MasterEvent } from '@meseta/wire';
import { MasterEventCodec } from '@meseta/wire/codecs';
import { JSON_TYPE, MEDIA_TYPES, type MediaType } from '@meseta/wire/media';
import { encodeRecord, recordHead } from '@meseta/wire/recordio';
import type { Note } from '../core/io.js';
import type { MasterState } from '../core/state.js';
import { operatorEventOf } from '../views/operator-events.js';
import { approveAll, snapshotOf } from '../views/snapshot.js';
import { subscribedDocument } from '../views/v1-state.js';
import { answerText, type Exchange } from './exchange.js';

export interface OperatorStreams {
  subscribe(exchange: Exchange, mediaType: MediaType): Promise<void>;
  note(note: Note): void;
  open(): number;
  closeAll(): void;
}

export interface OperatorStreamsOptions {
  readonly clock: Clock;
  readonly renders: RenderQueue;
  readonly state: MasterState;
  readonly limit: number;
}

interface Audience {
  readonly log: EventLog;
  /** Records that happened since a snapshot whose rendering is under way. */
  readonly waiting: Set<Uint8Array[]>;
}

const heartbeatMs = 15_000;

const encode = (mediaType: MediaType, event: MasterEvent): Uint8Array =>
  encodeRecord(mediaType === JSON_TYPE ? Buffer.from(MasterEventCodec.write(event)) : MasterEventCodec.encode(event));

export function createOperatorStreams({ clock, renders, state, limit }: OperatorStreamsOptions): OperatorStreams {
  const audiences = new Map<MediaType, Audience>(
    MEDIA_TYPES.map((type) => [type, { log: createEventLog({ clock }), waiting: new Set() }]),
  );
  /** In the order of their coming; each ends its stream. */
  const streams = new Set<() => void>();
  let subscriptions = 0;
  let cancelHeartbeat: (() => void) | undefined;

  const tell = (event: () => MasterEvent | undefined): void => {
    let made: MasterEvent | undefined;
    for (const [mediaType, { log, waiting }] of audiences) {
      if (log.subscribers === 0 && waiting.size === 0) continue;
      made ??= event();
      if (made === undefined) return;
      const record = encode(mediaType, made);
      if (log.subscribers > 0) log.append(record);
      for (const records of waiting) records.push(record);
    }
  };

  const beat = (): void => {
    tell(() => ({ type: 'HEARTBEAT' }));
    cancelHeartbeat = streams.size > 0 ? clock.setTimer(heartbeatMs, beat) : undefined;
  };

  const admit = (close: () => void): void => {
    streams.add(close);
    const [oldest] = streams;
    if (streams.size > limit && oldest !== undefined) {
      streams.delete(oldest);
      oldest();
    }
    cancelHeartbeat ??= clock.setTimer(heartbeatMs, beat);
  };

  return {
    async subscribe({ response }, mediaType) {
      const audience = audiences.get(mediaType);
      if (audience === undefined) return answerText(response, 406);
      const since: Uint8Array[] = [];
      const rendering = await renders.render({
        key: `operator stream ${subscriptions++}`,
        version: () => state.version,
        start: () => {
          audience.waiting.add(since);
          return subscribedDocument(mediaType, snapshotOf(state), approveAll, heartbeatMs / 1000);
        },
      });
      audience.waiting.delete(since);
      if (response.destroyed) return;
      response.writeHead(200, {
        'Content-Type': mediaType,
        'Transfer-Encoding': 'chunked',
        'Cache-Control': 'no-store',
      });
      const heartbeat = encode(mediaType, { type: 'HEARTBEAT' });
      const first = [recordHead(rendering.bytes), ...rendering.pieces, heartbeat, ...since];
      const close = (): void => {
        leave();
        response.end();
      };
      const leave = audience.log.subscribe(response, first, () => streams.delete(close));
      admit(close);
    },
    note: (note) => tell(() => operatorEventOf(state, note)),
    open: () => streams.size,
    closeAll() {
      cancelHeartbeat?.();
      for (const close of streams) close();
      streams.clear();
    },
  };
}
