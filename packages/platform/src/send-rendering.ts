// A rendering's way to a client: its buffers are shared by all who asked, so a slow reader holds no copy of its own.
import type { ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { acceptsGzip, createCompressor, GZIP_HEADERS, MIN_GZIP_BYTES } from './answers.js';
import type { Rendering } from './render-queue.js';

/** What is handed over at once: one write of the system's, as a turn for each piece would take long while much is rendered. */
const WINDOW_BYTES = 2 ** 18;

/**
 * Writes head and buffers, pulling on `drain`; compressed for a client that takes it. Resolves when all is handed over
 * or the client has gone. A HEAD request gets the head alone.
 * @param turn resolves when it is this answer's turn to hand over a window.
 */
export async function sendRendering(
  response: ServerResponse,
  status: number,
  headers: Readonly<Record<string, string>>,
  rendering: Rendering,
  turn: () => Promise<void>,
): Promise<void> {
  const { req } = response;
  if (rendering.bytes >= MIN_GZIP_BYTES && req.method !== 'HEAD' && acceptsGzip(req)) {
    response.writeHead(status, { ...headers, ...GZIP_HEADERS });
    // It ends early where the client goes: nobody is left to be told.
    await pipeline(Readable.from(rendering.pieces), createCompressor(), response).catch(() => undefined);
    return;
  }
  response.writeHead(status, { ...headers, 'content-length': String(rendering.bytes) });
  if (req.method !== 'HEAD') await writeAll(response, rendering.pieces, turn);
  response.end();
}

async function writeAll(
  response: ServerResponse,
  pieces: readonly Uint8Array[],
  turn: () => Promise<void>,
): Promise<void> {
  for (let at = 0; at < pieces.length; ) {
    await turn();
    if (response.destroyed) return;
    let room = true;
    response.cork();
    for (let bytes = 0; at < pieces.length && bytes < WINDOW_BYTES; at++) {
      const piece = pieces[at] as Uint8Array;
      bytes += piece.length;
      room = response.write(piece);
    }
    response.uncork();
    if (!room) await drained(response);
  }
}

/** Resolves when what was written has gone out but for a little, or the client has hung up. */
export const drained = (response: ServerResponse): Promise<void> =>
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
