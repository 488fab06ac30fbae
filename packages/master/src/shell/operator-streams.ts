// The event streams of the operator API (SUBSCRIBE): a snapshot of the state, then every change. Subscribers with the same
// media type and the same approver share one snapshot and one log of encoded events.
//
// Owns: the subscribers, and the events since each snapshot that is still being rendered.
// OPERATOR-STREAMS-1: a subscriber gets a snapshot and then every later event, each once: events that occur while the
//     snapshot is rendered follow it. Subscribers that come together share one rendering.
// OPERATOR-STREAMS-2: at most `limit` streams are open; one more closes the oldest.
// OPERATOR-STREAMS-3: a subscriber gets no event of an object that it may not see.

import type { Clock } from '@meseta/base';
import { createEventLog, type EventLog, type Rendering, type RenderQueue } from '@meseta/platform';
import type { MasterEvent } from '@meseta/wire';
import { MasterEventCodec } from '@meseta/wire/codecs';
import { JSON_TYPE, type MediaType } from '@meseta/wire/media';
import { encodeRecord, recordHead } from '@meseta/wire/recordio';
import type { Note } from '../core/io.js';
import type { MasterState } from '../core/state.js';
import type { Approver } from '../views/approver.js';
import { dependsOnViewer, isSeen, operatorEventOf } from '../views/operator-events.js';
import type { Remembered } from '../views/runs.js';
import { snapshotOf } from '../views/snapshot.js';
import { subscribedDocument } from '../views/v1-state.js';
import type { ApproverOf } from './approver-of.js';
import type { Exchange } from './exchange.js';

export interface OperatorStreams {
  subscribe(exchange: Pick<Exchange, 'response' | 'principal'>, mediaType: MediaType): Promise<void>;
  note(note: Note): void;
  open(): number;
  closeAll(): void;
}

export interface OperatorStreamsOptions {
  readonly clock: Clock;
  readonly renders: RenderQueue;
  readonly state: MasterState;
  readonly limit: number;
  readonly approverOf: ApproverOf;
  /** A stream was cut off because its client reads too slowly. */
  onCut(): void;
}

/** The subscribers with one media type and one approver: they get the same bytes. */
interface Audience {
  readonly mediaType: MediaType;
  readonly approver: Approver;
  /** Streams that are open, or whose snapshot is being rendered. */
  members: number;
  readonly log: EventLog;
  /** Encoded events since the snapshot that is being rendered; at most one rendering is under way. */
  since: Uint8Array[] | undefined;
}

/** The result of rendering a snapshot, besides its bytes. */
interface SnapshotResult {
  readonly remembered: Remembered;
  readonly since: readonly Uint8Array[];
}

const heartbeatMs = 15_000;

const encode = (mediaType: MediaType, event: MasterEvent): Uint8Array =>
  encodeRecord(mediaType === JSON_TYPE ? Buffer.from(MasterEventCodec.write(event)) : MasterEventCodec.encode(event));

export function createOperatorStreams(options: OperatorStreamsOptions): OperatorStreams {
  const { clock, renders, state, limit, approverOf, onCut } = options;
  const audiences = createAudiences(clock);
  /** Functions that close a stream, oldest stream first. */
  const streams = new Set<() => void>();
  let cancelHeartbeat: (() => void) | undefined;

  const broadcast = createBroadcast(audiences);

  const sendHeartbeats = (): void => {
    broadcast(
      () => ({ type: 'HEARTBEAT' }),
      () => true,
      true,
    );
    cancelHeartbeat = streams.size > 0 ? clock.setTimer(heartbeatMs, sendHeartbeats) : undefined;
  };

  const addStream = (close: () => void): void => {
    streams.add(close);
    const [oldest] = streams;
    if (streams.size > limit) oldest?.();
    cancelHeartbeat ??= clock.setTimer(heartbeatMs, sendHeartbeats);
  };

  return {
    async subscribe({ response, principal }, mediaType) {
      const audience = audiences.join(mediaType, approverOf(principal));
      const rendering = await renders.render({
        key: `SUBSCRIBED ${nameOf(audience)}`,
        version: () => state.version,
        start: (earlier: SnapshotResult | undefined) => renderSnapshot(state, audience, earlier?.remembered),
      });
      if (response.destroyed) return audiences.leave(audience);
      response.writeHead(200, {
        'Content-Type': mediaType,
        'Transfer-Encoding': 'chunked',
        'Cache-Control': 'no-store',
      });
      const heartbeat = encode(mediaType, { type: 'HEARTBEAT' });
      const first = [...recordsOf(rendering), heartbeat, ...rendering.memory.since];
      const removeStream = (): void => {
        if (streams.delete(close)) audiences.leave(audience);
      };
      const close = (): void => {
        unsubscribe();
        removeStream();
        response.end();
      };
      const unsubscribe = audience.log.subscribe(response, first, (why) => {
        if (why === 'tooSlow') onCut();
        removeStream();
      });
      addStream(close);
    },
    note: (note) =>
      broadcast(
        (approver) => operatorEventOf(state, note, approver),
        (approver) => isSeen(state, note, approver),
        !dependsOnViewer(note),
      ),
    open: () => streams.size,
    closeAll() {
      cancelHeartbeat?.();
      for (const close of [...streams]) close();
    },
  };
}

/** Renders the snapshot, and collects the events that occur meanwhile. */
function* renderSnapshot(
  state: MasterState,
  audience: Audience,
  earlier: Remembered | undefined,
): Generator<string | Uint8Array, SnapshotResult> {
  const since: Uint8Array[] = [];
  audience.since = since;
  const { mediaType, approver } = audience;
  const remembered = yield* subscribedDocument(mediaType, snapshotOf(state), approver, heartbeatMs / 1000, earlier);
  audience.since = undefined;
  return { remembered, since };
}

/** A small snapshot is written in one piece, because some clients expect one event per read of the body. */
function recordsOf({ pieces, bytes }: Rendering): readonly Uint8Array[] {
  const head = recordHead(bytes);
  return bytes > SMALL_BYTES ? [head, ...pieces] : [Buffer.concat([head, ...pieces])];
}

const SMALL_BYTES = 16 * 1024;

/**
 * Appends an event to the log of each audience that may see it. `isSameForAll`: its content does not depend on the
 * approver, so it is encoded once per media type.
 */
const createBroadcast =
  (audiences: Audiences) =>
  (
    eventFor: (approver: Approver) => MasterEvent | undefined,
    isSeenBy: (approver: Approver) => boolean,
    isSameForAll: boolean,
  ): void => {
    const encoded = new Map<MediaType, Uint8Array>();
    for (const { mediaType, approver, log, since } of audiences.all()) {
      if (!isSeenBy(approver)) continue;
      let record = isSameForAll ? encoded.get(mediaType) : undefined;
      if (record === undefined) {
        const event = eventFor(approver);
        if (event === undefined) return;
        record = encode(mediaType, event);
        encoded.set(mediaType, record);
      }
      if (log.subscribers > 0) log.append(record);
      since?.push(record);
    }
  };

const nameOf = ({ mediaType, approver }: Pick<Audience, 'mediaType' | 'approver'>): string =>
  `${mediaType} ${approver.key}`;

type Audiences = ReturnType<typeof createAudiences>;

/** An audience exists from its first subscriber to its last. */
function createAudiences(clock: Clock) {
  const audiences = new Map<string, Audience>();
  return {
    all: () => audiences.values(),
    join(mediaType: MediaType, approver: Approver): Audience {
      const name = nameOf({ mediaType, approver });
      const audience = audiences.get(name) ?? {
        mediaType,
        approver,
        members: 0,
        log: createEventLog({ clock }),
        since: undefined,
      };
      audience.members++;
      audiences.set(name, audience);
      return audience;
    },
    leave(audience: Audience): void {
      if (--audience.members === 0) audiences.delete(nameOf(audience));
    },
  };
}
