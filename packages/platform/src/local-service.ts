// A unix socket that one process at a time listens at, for processes of its own user. Only the supervisor loads this module.
//
// SERVICE-1: at most one process listens in a directory: it has a lock, which the kernel releases when it ends.
// SERVICE-2: connections from processes of other users are closed; root's are served.
import { openSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { err, type LineConnection, type LineListener, ok, type Result } from '@meseta/base';
import * as libc from './libc.js';
import { linesOver, openDirectory, pathIn } from './line-connections.js';
import { systemError } from './system-results.js';

const LOCK_EXCLUSIVE_NOW = 6;
const SOL_SOCKET = 1;
const SO_PEERCRED = 17;
/** struct ucred: pid, uid, gid. */
const CREDENTIAL_WORDS = 3;

/** The user of the process at the other end; Node has no interface to it, nor to the descriptor. */
function peerUid(socket: Socket): number | undefined {
  const { _handle } = socket as unknown as { readonly _handle: { readonly fd?: number } | null };
  const credential = new Int32Array(CREDENTIAL_WORDS);
  const size = Int32Array.of(credential.byteLength);
  const found = libc.getsockopt(_handle?.fd ?? -1, SOL_SOCKET, SO_PEERCRED, credential, size);
  return found === 0 ? credential[1] : undefined;
}

function isAllowed(socket: Socket): boolean {
  const uid = peerUid(socket);
  return uid !== undefined && (uid === 0 || uid === process.getuid?.());
}

/**
 * Listens at a socket. `start` is called once no other process listens there, before the first connection; it returns the
 * function that is called for each.
 * @param inUse the error when another process listens there.
 */
export async function listenLocally(
  path: string,
  name: string,
  inUse: string,
  start: () => Promise<(connection: LineConnection) => LineListener>,
): Promise<Result<{ close(): void }, string>> {
  try {
    const directory = openDirectory(path);
    // Kept open: its end releases the lock.
    const lock = openSync(pathIn(directory, `${name}.lock`), 'a', 0o600);
    if (libc.flock(lock, LOCK_EXCLUSIVE_NOW) !== 0) return err(inUse);
    rmSync(pathIn(directory, name), { force: true });
    const onConnection = await start();
    const server = createServer((socket) => {
      if (!isAllowed(socket)) {
        socket.destroy();
        return;
      }
      let listener: LineListener | undefined;
      const connection = linesOver(socket, {
        onLine: (line) => listener?.onLine(line),
        onClosed: () => listener?.onClosed(),
      });
      listener = onConnection(connection);
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(pathIn(directory, name), resolve);
    });
    return ok({ close: () => void server.close() });
  } catch (error) {
    return err(systemError(error).message);
  }
}
