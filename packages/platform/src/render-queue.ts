// Renders what read endpoints show, a slice at a time, so that reading never holds up the process.
//
// Owns: the renderings under way and the last finished ones.
// Boundary: a rendering is an iterator of pieces; what it shows and how it is written is the view's.
// R1: an answer never shows a state older than the one at the time of its request.
// R2: all who ask for the same key and state share one rendering.
// R3: one slice a turn of the event loop, shared round robin by all renderings.
// R4: kept renderings hold at most `keptBytes`, the least recently used go first.
import type { ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { acceptsGzip, createCompressor, GZIP_HEADERS, MIN_GZIP_BYTES } from './answers.js';
import type { Clock } from './clock.js';

export interface Rendering {
  /** Buffers of about 64 KiB. */
  readonly pieces: readonly Uint8Array[];
  readonly bytes: number;
}

export interface RenderRequest {
  /** View, media type, parameters, approver: equal keys share bytes. */
  readonly key: string;
  /** The state's version now. */
  version(): number;
  /**
   * Begins a rendering. Its first piece is asked for at once, in the turn in which `version` was read:
   * by then it has taken references to all it shows.
   */
  start(): Iterator<string | Uint8Array>;
}

export interface RenderQueue {
  /** Rejects with what the view threw. */
  render(request: RenderRequest): Promise<Rendering>;
  readonly keptBytes: number;
  /** How often a request was answered by a rendering that was made for another. */
  readonly shared: number;
}

export interface RenderQueueOptions {
  readonly clock: Clock;
  /** 2 ms unless given. */
  readonly sliceMs?: number | undefined;
  /** 64 MiB unless given. */
  readonly keptBytes?: number | undefined;
}

const PIECE_BYTES = 65_536;

interface Job {
  readonly key: string;
  readonly version: number;
  readonly iterator: Iterator<string | Uint8Array>;
  readonly waiting: Waiting[];
  readonly gather: Gather;
}

interface Waiting {
  readonly request: RenderRequest;
  resolve(rendering: Rendering): void;
  reject(error: unknown): void;
}

interface Gather {
  add(piece: string | Uint8Array): void;
  finish(): Rendering;
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
    finish() {
      flushText();
      return { pieces, bytes };
    },
  };
}

interface Kept {
  readonly version: number;
  readonly rendering: Rendering;
}

/** The last rendering of each key, within a budget. */
function createKept(budget: number) {
  const kept = new Map<string, Kept>();
  let bytes = 0;
  const drop = (key: string): void => {
    bytes -= kept.get(key)?.rendering.bytes ?? 0;
    kept.delete(key);
  };
  return {
    get bytes() {
      return bytes;
    },
    find(key: string, version: number): Rendering | undefined {
      const found = kept.get(key);
      if (found === undefined) return undefined;
      kept.delete(key);
      kept.set(key, found);
      if (found.version === version) return found.rendering;
      drop(key);
      return undefined;
    },
    keep(key: string, version: number, rendering: Rendering): void {
      drop(key);
      if (rendering.bytes > budget) return;
      kept.set(key, { version, rendering });
      bytes += rendering.bytes;
      for (const oldest of kept.keys()) {
        if (bytes <= budget) break;
        drop(oldest);
      }
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
  const { clock, sliceMs = 2, keptBytes = 64 * 2 ** 20 } = options;
  const kept = createKept(keptBytes);
  const jobs = new Map<string, Job>();
  /** Who came while a rendering of an older state was under way. */
  const later = new Map<string, Waiting[]>();
  let scheduled = false;
  let shared = 0;

  const begin = (waiting: Waiting[]): void => {
    const [{ request }] = waiting as [Waiting];
    const { key } = request;
    const job: Job = { key, version: request.version(), iterator: request.start(), waiting, gather: createGather() };
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
    let step: IteratorResult<string | Uint8Array>;
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
    const rendering = job.gather.finish();
    kept.keep(job.key, job.version, rendering);
    end(job, (waiting) => waiting.resolve(rendering));
  };

  const slice = (): void => {
    scheduled = false;
    const until = clock.now().monoMs + sliceMs;
    for (;;) {
      const job = rotate(jobs);
      if (job === undefined) return;
      advance(job);
      if (clock.now().monoMs >= until) break;
    }
    if (jobs.size > 0) schedule();
  };

  const schedule = (): void => {
    if (scheduled) return;
    scheduled = true;
    clock.defer(slice);
  };

  return {
    get keptBytes() {
      return kept.bytes;
    },
    get shared() {
      return shared;
    },
    render(request) {
      const version = request.version();
      const found = kept.find(request.key, version);
      const running = jobs.get(request.key);
      if (found !== undefined || running?.version === version) shared++;
      if (found !== undefined) return Promise.resolve(found);
      return new Promise((resolve, reject) => {
        const waiting: Waiting = { request, resolve, reject };
        if (running === undefined) begin([waiting]);
        else if (running.version === version) running.waiting.push(waiting);
        else later.set(request.key, [...(later.get(request.key) ?? []), waiting]);
      });
    },
  };
}

/**
 * Writes head and buffers, pulling on `drain`, so that a slow reader holds no copy of its own; compressed for a client
 * that takes it. Resolves when all is handed over or the client has gone. A HEAD request gets the head alone.
 */
export async function sendRendering(
  response: ServerResponse,
  status: number,
  headers: Readonly<Record<string, string>>,
  rendering: Rendering,
): Promise<void> {
  const { req } = response;
  if (rendering.bytes >= MIN_GZIP_BYTES && req.method !== 'HEAD' && acceptsGzip(req)) {
    response.writeHead(status, { ...headers, ...GZIP_HEADERS });
    // It ends early where the client goes: nobody is left to be told.
    await pipeline(Readable.from(rendering.pieces), createCompressor(), response).catch(() => undefined);
    return;
  }
  response.writeHead(status, { ...headers, 'content-length': String(rendering.bytes) });
  if (req.method !== 'HEAD') {
    for (const piece of rendering.pieces) {
      if (response.destroyed) return;
      if (!response.write(piece)) await drained(response);
    }
  }
  response.end();
}

const drained = (response: ServerResponse): Promise<void> =>
  new Promise((resolve) => {
    const done = (): void => {
      response.off('drain', done);
      response.off('close', done);
      resolve();
    };
    if (response.destroyed) return resolve();
    response.on('drain', done);
    response.on('close', done);
  });
