// The pipes and terminals that children read from: ChildChannel on Linux.
//
// Owns: this process' end of each, until it is closed.
// CHANNELS-1: no call waits for a child: a descriptor is never written to in blocking mode, and one that takes nothing is
//   tried again later.
// CHANNELS-2: the output of a terminal is read whether or not a client follows it, so a child is never blocked by it; what
//   the disk does not take is dropped, as a task's own writes would fail. At most one part of it is in memory.
import { chownSync, closeSync, constants, openSync, write, writeSync } from 'node:fs';
import type { SocketConstructorOpts } from 'node:net';
import { ReadStream } from 'node:tty';
import { type ChildChannel, err, type Owner, ok, type SystemResult, type WindowSize } from '@meseta/base';
import * as libc from './libc.js';
import { Refused, systemError } from './system-results.js';

const { O_NOCTTY, O_NONBLOCK, O_RDWR } = constants;
/** The number of Linux; Node has no name for it. */
const O_CLOEXEC = 0o2000000;
const F_SETFL = 4;
const TIOCSWINSZ = 0x5414;
const TERMINAL_NAME_BYTES = 128;
const PART_BYTES = 65_536;
const MIN_RETRY_MS = 1;
const MAX_RETRY_MS = 100;

/** A new channel with the child's end of it. */
export interface ChildEnd {
  readonly channel: ChildChannel;
  /** A descriptor for the child's standard input, or the path of its terminal. */
  readonly end: { readonly descriptor: number } | { readonly terminal: string };
  /** To be called once the child has started, or could not be started. */
  release(isStarted: boolean): void;
}

const noTerminal: SystemResult<void> = err({ code: 'ENOTTY', message: 'it has no terminal' });
const closed: SystemResult<void> = err({ code: 'EPIPE', message: 'its input is closed' });

/** A descriptor in non-blocking mode that bytes are written to (CHANNELS-1). */
interface Writer {
  write(bytes: Uint8Array): Promise<SystemResult<void>>;
  /** Ends a running write with EPIPE. */
  close(): void;
}

/** `isOpen`: false once the descriptor is closed and its number may be another's. */
function createWriter(descriptor: number, isOpen: () => boolean): Writer {
  let isClosed = false;
  let wake = (): void => {};
  const pause = (ms: number): Promise<void> =>
    new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      wake = (): void => {
        clearTimeout(timer);
        resolve();
      };
    });
  async function writeAll(bytes: Uint8Array): Promise<SystemResult<void>> {
    let retryMs = MIN_RETRY_MS;
    for (let at = 0; at < bytes.length; ) {
      if (isClosed || !isOpen()) return closed;
      try {
        at += writeSync(descriptor, bytes, at);
        retryMs = MIN_RETRY_MS;
      } catch (error) {
        const problem = systemError(error);
        if (problem.code !== 'EAGAIN') return problem.code === 'EIO' ? closed : err(problem);
        await pause(retryMs);
        retryMs = Math.min(2 * retryMs, MAX_RETRY_MS);
      }
    }
    return ok(undefined);
  }
  let last: Promise<unknown> = Promise.resolve();
  return {
    write(bytes) {
      const written = last.then(() => writeAll(bytes));
      last = written;
      return written;
    },
    close() {
      isClosed = true;
      wake();
    },
  };
}

/** A pipe that a child reads from. Throws if it can't be made. */
export function openInputPipe(): ChildEnd {
  const ends = new Int32Array(2);
  libc.checked(libc.pipe2(ends, O_CLOEXEC), 'make a pipe');
  const [readEnd = -1, writeEnd = -1] = ends;
  libc.fcntl(writeEnd, F_SETFL, O_NONBLOCK);
  let isOpen = true;
  const writer = createWriter(writeEnd, () => isOpen);
  const close = (): void => {
    writer.close();
    if (isOpen) closeSync(writeEnd);
    isOpen = false;
  };
  return {
    channel: {
      write: writer.write,
      async end() {
        await writer.write(new Uint8Array());
        close();
      },
      resize: () => noTerminal,
      async finish() {
        close();
      },
    },
    end: { descriptor: readEnd },
    release(isStarted) {
      closeSync(readEnd);
      if (!isStarted) close();
    },
  };
}

/** Opens a new pseudo-terminal of a user: this process' end, and the path of the child's. */
function openController(owner: Owner | undefined): { readonly controller: number; readonly path: string } {
  const controller = openSync('/dev/ptmx', O_RDWR | O_NOCTTY | O_NONBLOCK);
  try {
    const name = new Uint8Array(TERMINAL_NAME_BYTES);
    libc.checked(libc.unlockpt(controller), 'unlock a terminal');
    // Unlike other functions it returns the number of the error.
    const error = libc.ptsname_r(controller, name, BigInt(TERMINAL_NAME_BYTES));
    if (error !== 0) throw new Refused(`find the name of a terminal: ${libc.strerror(error)}`);
    const path = Buffer.from(name).toString('latin1', 0, name.indexOf(0));
    if (owner !== undefined) chownSync(path, owner.uid, owner.gid);
    return { controller, path };
  } catch (error) {
    closeSync(controller);
    throw error;
  }
}

function setWindow(controller: number, { rows, columns }: WindowSize): SystemResult<void> {
  // struct winsize: rows, columns, and two sizes in pixels.
  if (libc.ioctl(controller, TIOCSWINSZ, Uint16Array.of(rows, columns, 0, 0)) === 0) return ok(undefined);
  return err({ code: 'unknown', message: libc.strerror(libc.lastError()) });
}

/**
 * Appends what is read from the terminal to a file (CHANNELS-2), which it closes at the end. A part is read when the one
 * before it is written, so that none is lost at the end.
 */
function copyOutput(controller: number, output: number | undefined, onCopied: () => void): ReadStream {
  const part = Buffer.alloc(PART_BYTES);
  let isWriting = false;
  let isClosed = false;
  const finish = (): void => {
    if (isWriting || !isClosed) return;
    if (output !== undefined) closeSync(output);
    onCopied();
  };
  const append = (from: number, to: number, descriptor: number): void => {
    write(descriptor, part, from, to - from, (error, bytes) => {
      if (error === null && from + bytes < to) return append(from + bytes, to, descriptor);
      isWriting = false;
      if (isClosed) finish();
      else stream.resume();
    });
  };
  const callback = (bytes: number): boolean => {
    if (output === undefined) return true;
    isWriting = true;
    append(0, bytes, output);
    return false;
  };
  // An option of every socket, which its type names for those that connect only.
  const options: SocketConstructorOpts & { readonly onread: object } = { onread: { buffer: part, callback } };
  const stream = new ReadStream(controller, options);
  // EIO: no process has the terminal open.
  stream.on('error', () => {});
  stream.on('close', () => {
    isClosed = true;
    finish();
  });
  stream.resume();
  return stream;
}

/**
 * A new pseudo-terminal (pty(7)) of a user. What it prints is appended to `output`, a descriptor that it closes, also when it
 * throws; undefined: it is discarded.
 */
export function openTerminal(
  owner: Owner | undefined,
  window: WindowSize | undefined,
  output: number | undefined,
): ChildEnd {
  let opened: ReturnType<typeof openController>;
  try {
    opened = openController(owner);
  } catch (error) {
    if (output !== undefined) closeSync(output);
    throw error;
  }
  const { controller, path } = opened;
  if (window !== undefined) setWindow(controller, window);
  let stream: ReadStream | undefined;
  const isOpen = (): boolean => stream?.destroyed === false;
  const writer = createWriter(controller, isOpen);
  let isCopied = false;
  let onCopied = (): void => {};
  return {
    channel: {
      write: writer.write,
      end: async () => {},
      resize: (size) => (isOpen() ? setWindow(controller, size) : closed),
      async finish(timeoutMs) {
        writer.close();
        if (isCopied) return;
        await new Promise<void>((resolve) => {
          const timer = setTimeout(() => stream?.destroy(), timeoutMs);
          onCopied = (): void => {
            clearTimeout(timer);
            resolve();
          };
        });
      },
    },
    end: { terminal: path },
    release(isStarted) {
      if (!isStarted) {
        closeSync(controller);
        if (output !== undefined) closeSync(output);
        return;
      }
      stream = copyOutput(controller, output, () => {
        isCopied = true;
        onCopied();
      });
      stream.once('close', writer.close);
    },
  };
}
