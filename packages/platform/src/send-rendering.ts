// Sends a rendering to a client. All clients share its buffers, so a slow reader needs no copy.
import type { ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Rendering } from './render-queue.js';
import { acceptsGzip, createCompressor, GZIP_HEADERS, MIN_GZIP_BYTES } from './responses.js';

/** Written in one turn: a turn per piece would take long while other renderings are in progress. */
const WINDOW_BYTES = 2 ** 18;

/**
 * Writes the head and the buffers as the client reads them, compressed if it accepts that. Resolves once all is written or
 * the client has disconnected. A HEAD request gets the head only.
 * @param turn resolves when this answer may write a window.
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
    // It rejects if the client disconnects.
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

/** Resolves when the response can take more bytes, or the client has disconnected. */
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
