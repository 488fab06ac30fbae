// stderr for a daemon's log: whatever its reader does, the daemon neither ends nor blocks, and its memory stays bounded.
//
// STDERR-1: a line that cannot be written (full disk, closed pipe) is dropped; the next line is tried again.
// STDERR-2: at most `MAX_WAITING_BYTES` wait for a slow reader; the next written line reports how many lines were dropped.
import { fstatSync, writeSync } from 'node:fs';
import { isatty } from 'node:tty';

const STDERR = 2;
const MAX_WAITING_BYTES = 2 ** 20;

/** The destination of lines; failed writes throw. */
export interface LineSink {
  /** Bytes accepted and not written yet. */
  waitingBytes(): number;
  write(text: string): void;
}

export function createLineWriter(sink: LineSink): (line: string) => void {
  let dropped = 0;
  return (line) => {
    try {
      if (sink.waitingBytes() + line.length > MAX_WAITING_BYTES) throw new Error('the reader is too slow');
      sink.write(dropped === 0 ? line : `(${dropped} lines of the log could not be written here)\n${line}`);
      dropped = 0;
    } catch {
      dropped++;
    }
  };
}

/** A stream is written without waiting. A file is written directly: Node's stream would not recover from an error. */
function stderrSink(): LineSink {
  let isStream = isatty(STDERR);
  try {
    const stat = fstatSync(STDERR);
    isStream ||= stat.isFIFO() || stat.isSocket();
  } catch {
    // stderr is closed: each write fails, and its line is dropped.
  }
  if (!isStream) return { waitingBytes: () => 0, write: (text) => void writeSync(STDERR, text) };
  const { stderr } = process;
  // Failed writes are not awaited.
  stderr.on('error', () => {});
  return { waitingBytes: () => stderr.writableLength, write: (text) => void stderr.write(text) };
}

let write: ((line: string) => void) | undefined;

export function writeToStderr(line: string): void {
  write ??= createLineWriter(stderrSink());
  write(line);
}
