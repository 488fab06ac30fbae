// HTTP requests over a unix socket, on Node: the port SendLocalRequest.
import * as http from 'node:http';
import { err, type LocalResponse, ok, type SendLocalRequest, timerMs } from '@meseta/base';
import { attempt, systemError } from './system-results.js';

function localResponse(response: http.IncomingMessage): LocalResponse {
  const parts = response[Symbol.asyncIterator]();
  return {
    status: response.statusCode ?? 0,
    next: () =>
      attempt(async (): Promise<Uint8Array | undefined> => {
        const part = await parts.next();
        return part.done === true ? undefined : (part.value as Uint8Array);
      }),
    close: () => void response.destroy(),
  };
}

export const sendLocalRequest: SendLocalRequest = (wanted) =>
  new Promise((resolve) => {
    const { socket: socketPath, method, path, headers, body, idleTimeoutMs, signal } = wanted;
    const length = body === undefined ? {} : { 'Content-Length': String(Buffer.byteLength(body)) };
    const request = http.request({
      socketPath,
      method,
      path,
      headers: { Host: 'localhost', ...headers, ...length },
      agent: false,
    });
    let begun: http.IncomingMessage | undefined;
    // Once the response has begun, its reader receives the error.
    const stop = (code: string, message: string): void => {
      (begun ?? request).destroy(Object.assign(new Error(message), { code }));
    };
    const abort = (): void => stop('aborted', 'stopped');
    if (idleTimeoutMs !== undefined) {
      request.setTimeout(timerMs(idleTimeoutMs), () => stop('stalled', `no byte arrived for ${idleTimeoutMs} ms`));
    }
    request.on('error', (error) => resolve(err(systemError(error))));
    request.on('response', (response) => {
      begun = response;
      // Without a listener the error of an abandoned response would end the process.
      response.on('error', () => {});
      resolve(ok(localResponse(response)));
    });
    request.on('close', () => signal?.removeEventListener('abort', abort));
    signal?.addEventListener('abort', abort);
    if (signal?.aborted) abort();
    request.end(body);
  });
