// stderr as a daemon's log uses it: no state of its other end ends the daemon, stops it, or fills its memory.
//
// STDERR-1: a line that can't be written (full disk, closed pipe) is dropped; the next one is tried anew.
// STDERR-2: of what a slow reader has not taken, no more than `MAX_WAITING_BYTES` wait; how many lines were dropped is said
//     in the next that is written.
import { fstatSync, writeSync } from 'node:fs';
import { isatty } from 'node:tty';

const STDERR = 2;
const MAX_WAITING_BYTES = 2 ** 20;

/** Where lines go; errors are thrown. */
export interface LineSink {
  /** Bytes that were taken and are not written yet. */
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

/** A stream that is written to without waiting, or a file, to which Node's own stream would not return after an error. */
function stderrSink(): LineSink {
  let isStream = isatty(STDERR);
  try {
    const stat = fstatSync(STDERR);
    isStream ||= stat.isFIFO() || stat.isSocket();
  } catch {
    // Closed: each write fails, and is dropped.
  }
  if (!isStream) return { waitingBytes: () => 0, write: (text) => void writeSync(STDERR, text) };
  const { stderr } = process;
  // Its errors are those of writes, which are not waited for.
  stderr.on('error', () => {});
  return { waitingBytes: () => stderr.writableLength, write: (text) => void stderr.write(text) };
}

let write: ((line: string) => void) | undefined;

export function writeToStderr(line: string): void {
  write ??= createLineWriter(stderrSink());
  write(line);
}
