// Follows what a container writes: its `stdout` and `stderr`, which only grow.
//
// OUTPUT-READER-1: no more than one part of a file is in memory: the next is read when `tell` has done with it, however
//   slow the client is and however much the container writes.
import type { Files, HeldDirectory, TextSource } from '@meseta/base';
import { openSandbox } from '@meseta/containers/sandbox';

const STREAMS = [
  ['STDOUT', 'stdout'],
  ['STDERR', 'stderr'],
] as const;
const CHUNK_BYTES = 65_536;
/** A file system may lose a notice. */
const LOOK_EVERY_MS = 500;

export interface OutputReader {
  /** Tells what is left, then stops. */
  finish(): Promise<void>;
  stop(): void;
}

/**
 * Tells what is written from the start of the files, or from their present end, on. What is no regular file has nothing.
 * `tell` resolves when there is room for more.
 */
export function createOutputReader(
  files: Files,
  path: string,
  from: 'start' | 'end',
  tell: (type: 'STDOUT' | 'STDERR', data: Buffer) => Promise<void>,
): OutputReader {
  const offsets = new Map<string, number>();
  let watcher: TextSource | undefined;
  let stopped = false;

  const readFile = async (
    sandbox: HeldDirectory,
    type: 'STDOUT' | 'STDERR',
    name: string,
    skip: boolean,
  ): Promise<void> => {
    const file = await sandbox.openFile(name, 'read');
    if (!file.ok) return;
    const stat = skip ? await file.value.stat() : undefined;
    let offset = stat?.ok === true ? stat.value.sizeBytes : (offsets.get(name) ?? 0);
    for (;;) {
      const part = await file.value.read(offset, CHUNK_BYTES);
      if (!part.ok || part.value.length === 0 || stopped) break;
      await tell(type, Buffer.from(part.value));
      offset += part.value.length;
    }
    offsets.set(name, offset);
    file.value.close();
  };
  const lookOnce = async (skip: boolean): Promise<void> => {
    if (stopped) return;
    const sandbox = await openSandbox(files, path);
    if (!sandbox.ok) return;
    if (watcher === undefined && !stopped) {
      const watching = sandbox.value.watch(() => void look());
      // Where it can't be watched the timer looks.
      watcher = watching.ok ? watching.value : { close: () => {} };
    }
    for (const [type, name] of STREAMS) await readFile(sandbox.value, type, name, skip);
    sandbox.value.close();
  };
  let reading: Promise<void> = lookOnce(from === 'end');
  let next: Promise<void> | undefined;
  /** Notices that come while a look is under way share the one after it. */
  const look = (): Promise<void> => {
    next ??= reading.then(() => {
      next = undefined;
      reading = lookOnce(false);
      return reading;
    });
    return next;
  };

  const timer = setInterval(() => void look(), LOOK_EVERY_MS);
  const stop = (): void => {
    stopped = true;
    clearInterval(timer);
    watcher?.close();
  };
  return {
    async finish() {
      await look();
      stop();
    },
    stop,
  };
}
