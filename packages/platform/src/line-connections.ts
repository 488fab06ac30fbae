// Lines of text over unix sockets: ConnectLines, and the connections of a listener (local-service.ts).
//
// Boundary: the directory of a socket is one that only this process' user can reach. A socket's path has at most 107 bytes,
// and a directory may have a longer one, so it is opened, and the socket is reached through its descriptor.
import { closeSync, constants, openSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { StringDecoder } from 'node:string_decoder';
import { type ConnectLines, err, type LineConnection, type LineListener, ok } from '@meseta/base';
import { systemError } from './system-results.js';

/** Longer than any line that a process of this machine sends (child-calls.ts bounds the largest). */
const MAX_LINE_CHARACTERS = 64 * 1024 * 1024;

export const openDirectory = (path: string): number => openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);

export const pathIn = (directory: number, name: string): string => `/proc/self/fd/${directory}/${name}`;

/** Exchanges lines over a socket from now on. */
export function linesOver(socket: Socket, listener: LineListener): LineConnection {
  const decoder = new StringDecoder('utf8');
  let incomplete = '';
  let unsent = '';
  let isClosed = false;
  const end = (): void => {
    socket.destroy();
    if (isClosed) return;
    isClosed = true;
    listener.onClosed();
  };
  socket.on('data', (chunk: Buffer) => {
    const lines = decoder.write(chunk).split('\n');
    lines[0] = incomplete + lines[0];
    incomplete = lines.pop() ?? '';
    for (const line of lines) if (!isClosed) listener.onLine(line);
    if (incomplete.length > MAX_LINE_CHARACTERS) end();
  });
  socket.on('error', end);
  socket.on('close', end);
  const flush = (): void => {
    if (unsent !== '' && !socket.destroyed) socket.write(unsent);
    unsent = '';
  };
  return {
    send(line) {
      if (isClosed) return;
      if (unsent === '') queueMicrotask(flush);
      unsent += `${line}\n`;
    },
    close() {
      isClosed = true;
      flush();
      socket.destroySoon();
    },
  };
}

export const connectLines: ConnectLines = (path, name, listener) =>
  new Promise((resolve) => {
    let directory: number;
    try {
      directory = openDirectory(path);
    } catch (error) {
      resolve(err(systemError(error)));
      return;
    }
    const socket = connect(pathIn(directory, name));
    socket.once('connect', () => {
      closeSync(directory);
      socket.off('error', onError);
      resolve(ok(linesOver(socket, listener)));
    });
    const onError = (error: Error): void => {
      closeSync(directory);
      resolve(err(systemError(error)));
    };
    socket.once('error', onError);
  });
