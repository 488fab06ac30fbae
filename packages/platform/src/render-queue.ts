// Renders what read endpoints show, a slice at a time, so that reading never holds up the process.
//
// Owns: the renderings under way and the last finished ones.
// Boundary: a rendering is an iterator of pieces; what it shows and how it is written is the view's.
// RENDERINGS-1: an answer never shows a state older than the one at the time of its request.
// RENDERINGS-2: all who ask for the same key and state share one rendering.
// RENDERINGS-3: one slice a turn of the event loop, shared round robin by all renderings.
// RENDERINGS-4: kept renderings and what is kept of their keys hold at most `keptBytes`, the least recently used go first;
//     one that nobody asks for is let go, and one that the view takes for a single client's is not kept at all.
// RENDERINGS-5: a rendering is given what the last of its key remembered, if that is kept; so it may take over what is the same,
//     and both together hold little more than one.
// RENDERINGS-6: one window a turn is handed over to clients, shared by all of them in the order in which they have room: five
//     that write a megabyte each in one turn keep everybody else waiting for as long as it takes the kernel to copy it.
import { createHash } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import type { Clock } from '@meseta/base';
import { LIMITS } from '@meseta/base';
import { sendRendering } from './send-rendering.js';
import { createSlices, createTurns } from './slices.js';

export interface Rendering<Memory = unknown> {
  /** Buffers of about 64 KiB at most, unless the view gave larger ones. */
  readonly pieces: readonly Uint8Array[];
  readonly bytes: number;
  /** What the view wants to know when it renders the same again. */
  readonly memory: Memory;
}

export interface RenderRequest<Memory = unknown> {
  /** View, media type, parameters, approver: equal keys share bytes. Its length is the client's, so a hash is kept. */
  readonly key: string;
  /** Whether others are likely to ask the same; true unless given. */
  readonly keep?: boolean | undefined;
  /** The state's version now. */
  version(): number;
  /**
   * Begins a rendering. Its first piece is asked for at once, in the turn in which `version` was read:
   * by then it has taken references to all it shows. What it returns at the end is given to the next of this key as
   * `earlier`, so equal keys must have equal types of it.
   */
  start(earlier: Memory | undefined): Iterator<string | Uint8Array, Memory>;
}

export interface RenderQueue {
  /** Rejects with what the view threw. */
  render<Memory>(request: RenderRequest<Memory>): Promise<Rendering<Memory>>;
  /** Answers with it; resolves when all is handed over or the client has gone (send-rendering.ts). */
  send(
    response: ServerResponse,
    status: number,
    headers: Readonly<Record<string, string>>,
    rendering: Rendering,
  ): Promise<void>;
  readonly keptBytes: number;
  /** How often a request was answered by a rendering that was made for another. */
  readonly shared: number;
  /** Lets go of what is kept. */
  clear(): void;
}

export interface RenderQueueOptions {
  readonly clock: Clock;
  /** 2 ms unless given. */
  readonly sliceMs?: number | undefined;
  /** 64 MiB unless given. */
  readonly keptBytes?: number | undefined;
}

const PIECE_BYTES = 65_536;
/** A rendering is let go when nobody has asked for its key for as long. */
const KEPT_MS = 60_000;

/** What an entry costs beside its bytes: its record and its key. */
const ENTRY_BYTES = 512;
/** Shorter keys are kept as they are. */
const HASHED_LENGTH = 64;

const hashOf = (key: string): string =>
  key.length <= HASHED_LENGTH ? key : createHash('sha256').update(key).digest('base64');

interface Job {
  readonly key: string;
  readonly keep: boolean;
  readonly version: number;
  readonly iterator: Iterator<string | Uint8Array, unknown>;
  readonly waiting: Waiting[];
  readonly gather: Gather;
}

interface Waiting {
  readonly request: RenderRequest;
  readonly key: string;
  resolve(rendering: Rendering): void;
  reject(error: unknown): void;
}

interface Gather {
  add(piece: string | Uint8Array): void;
  finish(memory: unknown): Rendering;
}

/** Strings and bytes into buffers of 64 KiB. */
function createGather(): Gather {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  let text = '';
  const push = (buffer: Uint8Array): void => {
    if (buffer.length === 0) return;
    pieces.push(buffer);
    bytes += buffer.length;
  };
  const flushText = (): void => {
    if (text === '') return;
    push(Buffer.from(text));
    text = '';
  };
  return {
    add(piece) {
      if (typeof piece === 'string') {
        text += piece;
        if (text.length >= PIECE_BYTES) flushText();
        return;
      }
      flushText();
      push(piece);
    },
    finish(memory) {
      flushText();
      return { pieces, bytes, memory };
    },
  };
}

interface Kept {
  readonly version: number;
  readonly rendering: Rendering;
  usedAtMs: number;
}

/** The last rendering of each key, within a budget, the least recently used first. */
function createKept(clock: Clock, budget: number) {
  const kept = new Map<string, Kept>();
  let bytes = 0;
  let cancelSweep: (() => void) | undefined;
  const drop = (key: string): void => {
    const dropped = kept.get(key);
    if (dropped === undefined) return;
    bytes -= dropped.rendering.bytes + ENTRY_BYTES;
    kept.delete(key);
  };
  const sweep = (): void => {
    const before = clock.now().monoMs - KEPT_MS;
    for (const [key, { usedAtMs }] of kept) if (usedAtMs <= before) drop(key);
    cancelSweep = kept.size > 0 ? clock.setTimer(KEPT_MS, sweep) : undefined;
  };
  return {
    get bytes() {
      return bytes;
    },
    find(key: string): Kept | undefined {
      const found = kept.get(key);
      if (found === undefined) return undefined;
      kept.delete(key);
      kept.set(key, found);
      found.usedAtMs = clock.now().monoMs;
      return found;
    },
    keep(key: string, version: number, rendering: Rendering): void {
      drop(key);
      if (rendering.bytes + ENTRY_BYTES > budget) return;
      kept.set(key, { version, rendering, usedAtMs: clock.now().monoMs });
      bytes += rendering.bytes + ENTRY_BYTES;
      for (const oldest of kept.keys()) {
        if (bytes <= budget) break;
        drop(oldest);
      }
      cancelSweep ??= clock.setTimer(KEPT_MS, sweep);
    },
    clear(): void {
      for (const key of kept.keys()) drop(key);
      cancelSweep?.();
      cancelSweep = undefined;
    },
  };
}

/** The job whose turn it is: it moves behind the others. */
function rotate(jobs: Map<string, Job>): Job | undefined {
  const [job] = jobs.values();
  if (job === undefined) return undefined;
  jobs.delete(job.key);
  jobs.set(job.key, job);
  return job;
}

export function createRenderQueue(options: RenderQueueOptions): RenderQueue {
  const { clock, sliceMs = 2, keptBytes = LIMITS.keptRenderings.most } = options;
  const kept = createKept(clock, keptBytes);
  const jobs = new Map<string, Job>();
  /** Who came while a rendering of an older state was under way. */
  const later = new Map<string, Waiting[]>();
  let shared = 0;

  const begin = (waiting: Waiting[]): void => {
    const [{ request, key }] = waiting as [Waiting];
    const iterator = request.start(kept.find(key)?.rendering.memory);
    const { keep = true } = request;
    const job: Job = { key, keep, version: request.version(), iterator, waiting, gather: createGather() };
    jobs.set(key, job);
    advance(job);
    schedule();
  };

  const end = (job: Job, settle: (waiting: Waiting) => void): void => {
    jobs.delete(job.key);
    job.waiting.forEach(settle);
    const next = later.get(job.key);
    if (next === undefined) return;
    later.delete(job.key);
    begin(next);
  };

  /** One piece. */
  const advance = (job: Job): void => {
    let step: IteratorResult<string | Uint8Array, unknown>;
    try {
      step = job.iterator.next();
    } catch (error) {
      end(job, (waiting) => waiting.reject(error));
      return;
    }
    if (step.done !== true) {
      job.gather.add(step.value);
      return;
    }
    const rendering = job.gather.finish(step.value);
    if (job.keep) kept.keep(job.key, job.version, rendering);
    end(job, (waiting) => waiting.resolve(rendering));
  };

  const schedule = createSlices(clock, sliceMs, () => {
    const job = rotate(jobs);
    if (job !== undefined) advance(job);
    return jobs.size > 0;
  });

  const turn = createTurns(clock);

  return {
    send: (response, status, headers, rendering) => sendRendering(response, status, headers, rendering, turn),
    get keptBytes() {
      return kept.bytes;
    },
    get shared() {
      return shared;
    },
    clear: kept.clear,
    render<Memory>(asked: RenderRequest<Memory>) {
      const request = asked as RenderRequest;
      const key = hashOf(request.key);
      const version = request.version();
      const last = kept.find(key);
      const found = last?.version === version ? last.rendering : undefined;
      const running = jobs.get(key);
      if (found !== undefined || running?.version === version) shared++;
      if (found !== undefined) return Promise.resolve(found as Rendering<Memory>);
      return new Promise<Rendering>((resolve, reject) => {
        const waiting: Waiting = { request, key, resolve, reject };
        if (running === undefined) begin([waiting]);
        else if (running.version === version) running.waiting.push(waiting);
        else {
          const others = later.get(key);
          if (others === undefined) later.set(key, [waiting]);
          else others.push(waiting);
        }
      }) as Promise<Rendering<Memory>>;
    },
  };
}
