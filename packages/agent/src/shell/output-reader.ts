// Follows what a container writes: its `stdout` and `stderr`, which only grow.
import { type FSWatcher, watch } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';

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

/** Tells what is written from the start of the files, or from their present end, on. */
export function createOutputReader(
  sandbox: string,
  from: 'start' | 'end',
  tell: (type: 'STDOUT' | 'STDERR', data: Buffer) => void,
): OutputReader {
  const offsets = new Map<string, number>();
  let reading: Promise<void> = Promise.resolve();
  let stopped = false;

  const readFile = async (type: 'STDOUT' | 'STDERR', name: string, skip: boolean): Promise<void> => {
    const file: FileHandle | undefined = await open(`${sandbox}/${name}`, 'r').catch(() => undefined);
    if (file === undefined) return;
    try {
      let offset = skip ? (await file.stat()).size : (offsets.get(name) ?? 0);
      for (;;) {
        const { bytesRead, buffer } = await file.read(Buffer.alloc(CHUNK_BYTES), 0, CHUNK_BYTES, offset);
        if (bytesRead === 0 || stopped) break;
        tell(type, buffer.subarray(0, bytesRead));
        offset += bytesRead;
      }
      offsets.set(name, offset);
    } finally {
      await file.close();
    }
  };
  const look = (skip = false): Promise<void> => {
    reading = reading.then(async () => {
      if (!stopped) for (const [type, name] of STREAMS) await readFile(type, name, skip);
    });
    return reading;
  };

  void look(from === 'end');
  let watcher: FSWatcher | undefined;
  try {
    watcher = watch(sandbox, () => void look());
    watcher.on('error', () => watcher?.close());
  } catch {
    // The timer looks.
  }
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
