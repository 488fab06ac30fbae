// The operator API's event streams (SUBSCRIBE): the state, then every change, one encoding for all of a media type, and
// one log of them for all who may see the same.
//
// Owns: who listens, and what happened since the snapshots that are still being rendered.
// OPERATOR-STREAMS-1: a subscriber sees the state and then every change after it, none twice and none left out: events that come while
//     its snapshot is rendered wait behind the snapshot. Those who come together share one snapshot.
// OPERATOR-STREAMS-2: at most `limit` streams; one more closes the oldest.
// OPERATOR-STREAMS-3: nobody is told of what they may not see.

import type { Clock } from '@meseta/base';
import { createEventLog, type EventLog, type Rendering, type RenderQueue } from '@meseta/platform';
import type { MasterEvent } from '@meseta/wire';
import { MasterEventCodec } from '@meseta/wire/codecs';
import { JSON_TYPE, type MediaType } from '@meseta/wire/media';
import { encodeRecord, recordHead } from '@meseta/wire/recordio';
import type { Note } from '../core/io.js';
import type { MasterState } from '../core/state.js';
import { dependsOnViewer, isSeen, operatorEventOf } from '../views/operator-events.js';
import type { Remembered } from '../views/runs.js';
import { type Approver, snapshotOf } from '../views/snapshot.js';
import { subscribedDocument } from '../views/v1-state.js';
import type { Exchange } from './exchange.js';
import type { ViewerOf } from './viewer.js';

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
  readonly viewerOf: ViewerOf;
  /** A stream was cut off because its client reads too slowly. */
  onCut(): void;
}

/** All who listen in one media type and may see the same. */
interface Audience {
  readonly mediaType: MediaType;
  readonly approver: Approver;
  /** Streams that are open or about to be. */
  members: number;
  readonly log: EventLog;
  /** Records of what happened since the snapshot whose rendering is under way: there is one at a time. */
  since: Uint8Array[] | undefined;
}

/** What belongs to a snapshot. */
interface Opening {
  readonly remembered: Remembered;
  readonly since: readonly Uint8Array[];
}

const heartbeatMs = 15_000;

const encode = (mediaType: MediaType, event: MasterEvent): Uint8Array =>
  encodeRecord(mediaType === JSON_TYPE ? Buffer.from(MasterEventCodec.write(event)) : MasterEventCodec.encode(event));

export function createOperatorStreams(options: OperatorStreamsOptions): OperatorStreams {
  const { clock, renders, state, limit, viewerOf, onCut } = options;
  const audiences = createAudiences(clock);
  /** In the order of their coming; each ends its stream. */
  const streams = new Set<() => void>();
  let cancelHeartbeat: (() => void) | undefined;

  const tell = tellerOf(audiences);

  const beat = (): void => {
    tell(
      () => ({ type: 'HEARTBEAT' }),
      () => true,
      true,
    );
    cancelHeartbeat = streams.size > 0 ? clock.setTimer(heartbeatMs, beat) : undefined;
  };

  const admit = (close: () => void): void => {
    streams.add(close);
    const [oldest] = streams;
    if (streams.size > limit) oldest?.();
    cancelHeartbeat ??= clock.setTimer(heartbeatMs, beat);
  };

  return {
    async subscribe({ response, principal }, mediaType) {
      const audience = audiences.of(mediaType, viewerOf(principal));
      const rendering = await renders.render({
        key: `SUBSCRIBED ${nameOf(audience)}`,
        version: () => state.version,
        start: (earlier: Opening | undefined) => opening(state, audience, earlier?.remembered),
      });
      if (response.destroyed) return audiences.leave(audience);
      response.writeHead(200, {
        'Content-Type': mediaType,
        'Transfer-Encoding': 'chunked',
        'Cache-Control': 'no-store',
      });
      const heartbeat = encode(mediaType, { type: 'HEARTBEAT' });
      const first = [...framed(rendering), heartbeat, ...rendering.memory.since];
      const gone = (): void => {
        if (streams.delete(close)) audiences.leave(audience);
      };
      const close = (): void => {
        leave();
        gone();
        response.end();
      };
      const leave = audience.log.subscribe(response, first, (why) => {
        if (why === 'tooSlow') onCut();
        gone();
      });
      admit(close);
    },
    note: (note) =>
      tell(
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

/** The snapshot, and what happens while it is written. */
function* opening(
  state: MasterState,
  audience: Audience,
  earlier: Remembered | undefined,
): Generator<string | Uint8Array, Opening> {
  const since: Uint8Array[] = [];
  audience.since = since;
  const { mediaType, approver } = audience;
  const remembered = yield* subscribedDocument(mediaType, snapshotOf(state), approver, heartbeatMs / 1000, earlier);
  audience.since = undefined;
  return { remembered, since };
}

/** A small snapshot is one record in one piece: some clients take what one read of the body gives them for one event. */
function framed({ pieces, bytes }: Rendering): readonly Uint8Array[] {
  const head = recordHead(bytes);
  return bytes > SMALL_BYTES ? [head, ...pieces] : [Buffer.concat([head, ...pieces])];
}

const SMALL_BYTES = 16 * 1024;

/** Encodes an event once for each media type, where all who may see it are shown the same of it, and logs it. */
const tellerOf =
  (audiences: Audiences) =>
  (
    event: (approver: Approver) => MasterEvent | undefined,
    seenBy: (approver: Approver) => boolean,
    isOneForAll: boolean,
  ): void => {
    const encoded = new Map<MediaType, Uint8Array>();
    for (const { mediaType, approver, log, since } of audiences.all()) {
      if (!seenBy(approver)) continue;
      let record = isOneForAll ? encoded.get(mediaType) : undefined;
      if (record === undefined) {
        const made = event(approver);
        if (made === undefined) return;
        record = encode(mediaType, made);
        encoded.set(mediaType, record);
      }
      if (log.subscribers > 0) log.append(record);
      since?.push(record);
    }
  };

const nameOf = ({ mediaType, approver }: Pick<Audience, 'mediaType' | 'approver'>): string =>
  `${mediaType} ${approver.key}`;

type Audiences = ReturnType<typeof createAudiences>;

/** Made when the first of them comes, forgotten when the last has gone. */
function createAudiences(clock: Clock) {
  const audiences = new Map<string, Audience>();
  return {
    all: () => audiences.values(),
    of(mediaType: MediaType, approver: Approver): Audience {
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
