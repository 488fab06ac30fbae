// Renders the answers of read endpoints in time slices, so that reads never block the process.
//
// Owns: the renderings in progress and the last finished ones.
// Boundary: a rendering is an iterator of pieces; the view defines its content and format.
// RENDERINGS-1: an answer never shows a state older than the one at its request.
// RENDERINGS-2: requests for the same key and state share one rendering.
// RENDERINGS-3: renderings take one slice per turn of the event loop, shared round robin.
// RENDERINGS-4: kept renderings and their keys hold at most `keptBytes`; the least recently used are dropped first. A
//     rendering is dropped after `KEPT_MS` without a request; one for a single client is not kept.
// RENDERINGS-5: a rendering receives the memory of the previous kept one of its key, so that it can reuse the buffers that did
//     not change.
// RENDERINGS-6: one window per turn is written to clients, in the order in which they can take more: several megabytes written
//     in one turn would block the process while the kernel copies them.
import { createHash } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import type { Clock } from '@meseta/base';
import { LIMITS } from '@meseta/base';
import { createPieceCollector, type PieceCollector } from './piece-collector.js';
import { sendRendering } from './send-rendering.js';
import { createSlices, createTurns } from './slices.js';

export interface Rendering<Memory = unknown> {
  /** Buffers of at most about 64 KiB, unless the view yielded larger ones. */
  readonly pieces: readonly Uint8Array[];
  readonly bytes: number;
  /** Given to the view when it renders the same key again. */
  readonly memory: Memory;
}

export interface RenderRequest<Memory = unknown> {
  /** View, media type, parameters, approver: equal keys share bytes. Clients determine its length, so a hash is kept. */
  readonly key: string;
  /** Whether other clients are likely to request the same; true unless given. */
  readonly keep?: boolean | undefined;
  /** The state's version now. */
  version(): number;
  /**
   * Begins a rendering. Its first piece is requested in the turn in which `version` was read; by then it holds references to
   * everything that it shows. Its return value is given to the next rendering of this key as `earlier`, so equal keys must
   * have equal types of memory.
   */
  start(earlier: Memory | undefined): Iterator<string | Uint8Array, Memory>;
}

export interface RenderQueue {
  /** Rejects with what the view threw. */
  render<Memory>(request: RenderRequest<Memory>): Promise<Rendering<Memory>>;
  /** Answers with the rendering; resolves once it is written or the client has disconnected (send-rendering.ts). */
  send(
    response: ServerResponse,
    status: number,
    headers: Readonly<Record<string, string>>,
    rendering: Rendering,
  ): Promise<void>;
  readonly keptBytes: number;
  /** The number of requests answered by a rendering made for another one. */
  readonly shared: number;
  /** Drops the kept renderings. */
  clear(): void;
}

export interface RenderQueueOptions {
  readonly clock: Clock;
  /** 2 ms unless given. */
  readonly sliceMs?: number | undefined;
  /** 64 MiB unless given. */
  readonly keptBytes?: number | undefined;
}

/** A kept rendering is dropped after this time without a request for its key. */
const KEPT_MS = 60_000;

/** The cost of an entry besides its bytes: its record and its key. */
const ENTRY_BYTES = 512;
/** Shorter keys are not hashed. */
const HASHED_LENGTH = 64;

const hashOf = (key: string): string =>
  key.length <= HASHED_LENGTH ? key : createHash('sha256').update(key).digest('base64');

interface Job {
  readonly key: string;
  readonly keep: boolean;
  readonly version: number;
  readonly iterator: Iterator<string | Uint8Array, unknown>;
  readonly waiting: Waiting[];
  readonly collector: PieceCollector;
}

interface Waiting {
  readonly request: RenderRequest;
  readonly key: string;
  resolve(rendering: Rendering): void;
  reject(error: unknown): void;
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
    for (const [key, { usedAtMs }] of kept) {
      if (usedAtMs > before) break;
      drop(key);
    }
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

/** Returns the next job and moves it behind the others. */
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
  /** Requests that arrived during a rendering of an older state. */
  const later = new Map<string, Waiting[]>();
  let shared = 0;

  const begin = (waiting: Waiting[]): void => {
    const [{ request, key }] = waiting as [Waiting];
    const iterator = request.start(kept.find(key)?.rendering.memory);
    const { keep = true } = request;
    const job: Job = { key, keep, version: request.version(), iterator, waiting, collector: createPieceCollector() };
    jobs.set(key, job);
    advance(job);
    schedule();
  };

  const settleJob = (job: Job, settle: (waiting: Waiting) => void): void => {
    jobs.delete(job.key);
    job.waiting.forEach(settle);
    const next = later.get(job.key);
    if (next === undefined) return;
    later.delete(job.key);
    begin(next);
  };

  /** Renders one piece. */
  const advance = (job: Job): void => {
    let step: IteratorResult<string | Uint8Array, unknown>;
    try {
      step = job.iterator.next();
    } catch (error) {
      settleJob(job, (waiting) => waiting.reject(error));
      return;
    }
    if (step.done !== true) {
      job.collector.add(step.value);
      return;
    }
    const rendering = { ...job.collector.finish(), memory: step.value };
    if (job.keep) kept.keep(job.key, job.version, rendering);
    settleJob(job, (waiting) => waiting.resolve(rendering));
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
