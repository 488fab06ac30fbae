// Follows what a container writes to its `stdout` and `stderr` while the files grow and are rotated.
//
// Owns: the position in each of the two files, and the watch on the sandbox.
// Boundary: reads regular files only and follows no link; `onOutput` takes the data.
// OUTPUT-READER-1: at most one part of each file is in memory. The next part is read when `onOutput` has resolved, however
//   slow the client is and however much the container writes.
// OUTPUT-READER-2: output is reported once and in order, across rotations too: after a rotation the reader finishes the
//   rotated file (`stdout.1`, `stdout.2`, ...) that it was reading before it goes on in the new one.
// OUTPUT-READER-3: the two files are followed independently: neither waits for the output of the other.
// OUTPUT-READER-4: a file is read to the end that it had when it was opened. What is appended meanwhile comes with the next
//   reading, so `finish` does not wait for a process that goes on writing.
import type { DirectoryHandle, DirectoryWatch, FileStat, Files } from '@meseta/base';
import { openSandbox } from '../sandbox/sandbox.js';
import { KEPT_FILES } from './rotation.js';

const STREAMS = [
  ['STDOUT', 'stdout'],
  ['STDERR', 'stderr'],
] as const;
type StreamType = (typeof STREAMS)[number][0];

const PART_BYTES = 65_536;
/** The watch may miss a change: some file systems report none. */
const POLL_INTERVAL_MS = 500;

export interface OutputReader {
  /** Resolves when it is settled where the reading begins: what is written later is reported. */
  readonly begun: Promise<void>;
  /** Reports the remaining output, then stops. */
  finish(): Promise<void>;
  stop(): void;
}

/** How far a stream has been reported. */
interface Position {
  /** The identity of the file that was read last under the stream's name. */
  readonly identity: string | undefined;
  readonly offsetBytes: number;
  /** The identity of the newest rotated file (`stdout.1`) that has been reported, or was there before. */
  readonly newestRotated: string | undefined;
}

const START: Position = { identity: undefined, offsetBytes: 0, newestRotated: undefined };

interface NamedFile {
  readonly name: string;
  readonly stat: FileStat;
}

async function findFile(sandbox: DirectoryHandle, name: string): Promise<NamedFile | undefined> {
  const found = await sandbox.statOf(name);
  return found.ok && found.value.kind === 'file' ? { name, stat: found.value } : undefined;
}

/**
 * The oldest rotated file that has not been reported to its end. A file that is being rotated is copied first and truncated
 * then: until it is shorter than its copy, the copy may be incomplete.
 */
async function findUnreportedRotated(
  sandbox: DirectoryHandle,
  current: NamedFile | undefined,
  name: string,
  { identity, offsetBytes, newestRotated }: Position,
): Promise<NamedFile | undefined> {
  const newestFirst: NamedFile[] = [];
  for (let number = 1; number <= KEPT_FILES; number++) {
    const rotated = await findFile(sandbox, `${name}.${number}`);
    if (rotated === undefined || rotated.stat.identity === newestRotated) break;
    newestFirst.push(rotated);
  }
  const [newest, ...others] = newestFirst;
  const isComplete =
    newest !== undefined &&
    (current === undefined ||
      newest.stat.identity === identity ||
      current.stat.sizeBytes < Math.max(offsetBytes, newest.stat.sizeBytes));
  return others.at(-1) ?? (isComplete ? newest : undefined);
}

interface StreamSource {
  readonly name: string;
  readonly from: 'start' | 'end';
  onOutput(data: Buffer): Promise<void>;
  isStopped(): boolean;
}

/** Returns a function that reports what one stream has that was not reported yet. */
function createStreamReader({ name, from, onOutput, isStopped }: StreamSource) {
  let known: Position | undefined = from === 'start' ? START : undefined;

  /** Reports a file from an offset on. Returns the end that was reached, undefined if another file has the name by now. */
  async function readFile(
    sandbox: DirectoryHandle,
    { name: fileName, stat: { identity } }: NamedFile,
    fromBytes: number,
  ): Promise<Omit<Position, 'newestRotated'> | undefined> {
    const file = await sandbox.openFile(fileName, 'read');
    if (!file.ok) return undefined;
    try {
      const stat = await file.value.stat();
      if (!stat.ok || stat.value.identity !== identity) return undefined;
      let offsetBytes = fromBytes;
      while (offsetBytes < stat.value.sizeBytes) {
        const part = await file.value.read(offsetBytes, Math.min(PART_BYTES, stat.value.sizeBytes - offsetBytes));
        if (!part.ok || part.value.length === 0 || isStopped()) break;
        await onOutput(Buffer.from(part.value));
        offsetBytes += part.value.length;
      }
      return { identity, offsetBytes };
    } finally {
      file.value.close();
    }
  }

  const begin = async (sandbox: DirectoryHandle): Promise<Position> => {
    known ??= await findEnd(sandbox, name);
    return known;
  };
  const read = async (sandbox: DirectoryHandle): Promise<void> => {
    let position = await begin(sandbox);
    // OUTPUT-READER-4: a task that rotates its files without pause does not prolong a reading either.
    for (let fileCount = 0; fileCount <= KEPT_FILES && !isStopped(); fileCount++) {
      const current = await findFile(sandbox, name);
      const rotated = await findUnreportedRotated(sandbox, current, name, position);
      const file = rotated ?? current;
      if (file === undefined) return;
      const isSame = file.stat.identity === position.identity && file.stat.sizeBytes >= position.offsetBytes;
      const reached = await readFile(sandbox, file, rotated !== undefined || isSame ? position.offsetBytes : 0);
      if (reached === undefined) return;
      position =
        rotated === undefined ? { ...position, ...reached } : { ...START, newestRotated: rotated.stat.identity };
      known = position;
      if (rotated === undefined) return;
    }
  };
  return { begin, read };
}

async function findEnd(sandbox: DirectoryHandle, name: string): Promise<Position> {
  const [current, rotated] = [await findFile(sandbox, name), await findFile(sandbox, `${name}.1`)];
  const { identity, sizeBytes: offsetBytes = 0 } = current?.stat ?? {};
  return { identity, offsetBytes, newestRotated: rotated?.stat.identity };
}

/**
 * Reports what is written from the start of the files, or from their present end, on. A file that is not a regular one has
 * no output. `onOutput` resolves when the client can take more.
 */
export function createOutputReader(
  files: Files,
  sandboxPath: string,
  from: 'start' | 'end',
  onOutput: (type: StreamType, data: Buffer) => Promise<void>,
): OutputReader {
  let watcher: DirectoryWatch | undefined;
  let stopped = false;
  const isStopped = (): boolean => stopped;
  const streams = STREAMS.map(([type, name]) =>
    createStreamReader({ name, from, onOutput: (data) => onOutput(type, data), isStopped }),
  );

  let onBegun = (): void => {};
  const begun = new Promise<void>((resolve) => {
    onBegun = resolve;
  });

  async function readStreams(): Promise<void> {
    if (stopped) return;
    const sandbox = await openSandbox(files, sandboxPath);
    if (!sandbox.ok) return onBegun();
    if (watcher === undefined && !stopped) {
      const watching = sandbox.value.watch(() => void readNext());
      // Where the sandbox can't be watched the timer reads.
      watcher = watching.ok ? watching.value : { close: () => {} };
    }
    await Promise.all(streams.map(({ begin }) => begin(sandbox.value)));
    onBegun();
    await Promise.all(streams.map(({ read }) => read(sandbox.value)));
    sandbox.value.close();
  }

  let reading: Promise<void> = readStreams();
  let next: Promise<void> | undefined;
  /** Changes that come during a reading share the reading after it. */
  function readNext(): Promise<void> {
    next ??= reading.then(() => {
      next = undefined;
      reading = readStreams();
      return reading;
    });
    return next;
  }

  const timer = setInterval(() => void readNext(), POLL_INTERVAL_MS);
  const stop = (): void => {
    stopped = true;
    clearInterval(timer);
    watcher?.close();
  };
  return {
    begun,
    async finish() {
      await readNext();
      stop();
    },
    stop,
  };
}
