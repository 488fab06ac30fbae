// Writes the output of a container from the engine to the files `stdout` and `stderr` of its sandbox.
//
// The engine keeps the output, so what a container writes while no agent runs is read by the next one: it continues at the
// time of the last written message.
//
// Owns: the open files of a container's output, and how far they are written. Boundary: the container may replace the files, so
// they are opened through the directory of the sandbox, once, and links are refused.
// DOCKER-OUTPUT-1: after a restart of the agent the output continues where it was written to; only after a crash are the
//   messages of the last second repeated.
import { type DirectoryHandle, type FileHandle, type Files, LIMITS, type LocalResponse } from '@meseta/base';
import { openSandbox } from '../../sandbox/sandbox.js';

/** How far the output is written: messages with an earlier time, and `count` of those with this one. */
export interface OutputPosition {
  /** As the engine writes it: 2026-11-30T12:00:00.123456789Z. Empty: nothing is written. */
  readonly time: string;
  readonly count: number;
}

export const START: OutputPosition = { time: '', count: 0 };

/** The `since` of the engine for a position. */
export function sinceOf({ time }: OutputPosition): string {
  const [, seconds, fraction = '0'] = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?Z$/.exec(time) ?? [];
  return seconds === undefined ? '0' : `${Date.parse(`${seconds}Z`) / 1000}.${fraction.padEnd(9, '0')}`;
}

type StreamName = 'stdout' | 'stderr';

interface Frame {
  readonly stream: StreamName;
  readonly time: string;
  readonly text: Buffer;
}

const HEADER_BYTES = 8;
const STDERR = 2;
const SPACE = 0x20;
const MAX_TIME_BYTES = 64;

/** Splits bytes of the engine's stream into frames. Returns undefined if they are none. */
function createFrameParser(): (bytes: Uint8Array) => readonly Frame[] | undefined {
  let parts: Uint8Array[] = [];
  let length = 0;
  /** Until so many bytes are there, the parts are not put together: a frame may come in very many. */
  let neededLength = HEADER_BYTES;
  return (bytes) => {
    parts.push(bytes);
    length += bytes.length;
    if (length < neededLength) return [];
    let rest = Buffer.concat(parts);
    const frames: Frame[] = [];
    neededLength = HEADER_BYTES;
    while (rest.length >= HEADER_BYTES) {
      const end = HEADER_BYTES + rest.readUInt32BE(4);
      const stream = rest[0] ?? 0;
      if (stream > STDERR || end > LIMITS.engineResponse.most) return undefined;
      neededLength = end;
      if (rest.length < end) break;
      neededLength = HEADER_BYTES;
      const message = rest.subarray(HEADER_BYTES, end);
      rest = rest.subarray(end);
      const space = message.subarray(0, MAX_TIME_BYTES).indexOf(SPACE);
      if (space < 0) return undefined;
      const time = message.subarray(0, space).toString('latin1');
      frames.push({ stream: stream === STDERR ? 'stderr' : 'stdout', time, text: message.subarray(space + 1) });
    }
    parts = [rest];
    length = rest.length;
    return frames;
  };
}

export interface OutputWriter {
  /** Writes what the engine sends until the end of the output. Returns false if it broke off before. */
  follow(response: LocalResponse): Promise<boolean>;
  /** How far the output is written. */
  position(): OutputPosition;
  close(): void;
}

async function openFile(sandbox: DirectoryHandle, name: StreamName): Promise<FileHandle | undefined> {
  const file = await sandbox.openFile(name, 'update');
  return file.ok ? file.value : undefined;
}

/** Opens the files of a sandbox. Output of a stream whose file can't be opened is dropped. */
export async function openOutput(files: Files, path: string, from: OutputPosition): Promise<OutputWriter> {
  const sandbox = await openSandbox(files, path);
  const handles = {
    stdout: sandbox.ok ? await openFile(sandbox.value, 'stdout') : undefined,
    stderr: sandbox.ok ? await openFile(sandbox.value, 'stderr') : undefined,
  };
  if (sandbox.ok) sandbox.value.close();
  let written = from;
  let writing: Promise<void> = Promise.resolve();
  let isClosed = false;

  /** Writes the frames in order; those of one stream that follow each other in one piece. */
  async function write(frames: readonly Frame[]): Promise<void> {
    const runs: { readonly stream: StreamName; readonly texts: Buffer[] }[] = [];
    for (const { stream, text } of frames) {
      const last = runs.at(-1);
      if (last?.stream === stream) last.texts.push(text);
      else runs.push({ stream, texts: [text] });
    }
    for (const { stream, texts } of runs) await handles[stream]?.append(Buffer.concat(texts));
  }

  return {
    async follow(response) {
      const parse = createFrameParser();
      const { time: from, count } = written;
      let repeated = count;
      /** The engine repeats the messages with the time of the position. */
      const isRepeated = (time: string): boolean => {
        if (time !== from) repeated = 0;
        return repeated-- > 0;
      };
      for (;;) {
        const part = await response.next();
        if (isClosed || !part.ok) {
          response.close();
          return false;
        }
        if (part.value === undefined) return true;
        const frames = parse(part.value);
        if (frames === undefined) {
          response.close();
          return false;
        }
        const fresh = frames.filter(({ time }) => !isRepeated(time));
        writing = write(fresh);
        await writing;
        for (const { time } of fresh) written = { time, count: time === written.time ? written.count + 1 : 1 };
      }
    },
    position: () => written,
    close() {
      if (isClosed) return;
      isClosed = true;
      void writing.then(() => {
        for (const file of Object.values(handles)) file?.close();
      });
    },
  };
}
