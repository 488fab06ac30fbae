// Reads which TCP ports of a network namespace are listened on (proc(5), /proc/net/tcp and tcp6).

/** TCP_LISTEN in the kernel's numbering. */
const LISTEN = '0A';

/**
 * Adds the port of each listening socket of the table, by the socket's inode. `isWatched`: a flag for each port; undefined: all
 * count.
 */
export function findListeningPorts(
  table: string,
  isWatched: Uint8Array | undefined,
  portByInode: Map<string, number>,
): void {
  for (let at = table.indexOf('\n') + 1; at > 0 && at < table.length; ) {
    const next = table.indexOf('\n', at);
    const end = next < 0 ? table.length : next;
    const [, local, , state, , , , , , inode] = table.slice(at, end).trim().split(/ +/, 10);
    at = end + 1;
    const port = Number.parseInt(local?.slice(local.lastIndexOf(':') + 1) ?? '', 16);
    if (state !== LISTEN || inode === undefined || !Number.isInteger(port)) continue;
    if (isWatched === undefined || isWatched[port] === 1) portByInode.set(inode, port);
  }
}

/** The inode of a socket in the target of a link below /proc/PID/fd; undefined: it is no socket. */
export const socketInode = (target: string): string | undefined => /^socket:\[(\d+)\]$/.exec(target)?.[1];
