// The log file of `--log_dir`, written besides stderr, under the name that Mesos' tools expect.
import { closeSync, constants, fstatSync, openSync, renameSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { err, ok, type Result } from '@meseta/base';
import { makeDirectories } from './start-files.js';
import { writeToStderr } from './stderr.js';

/** A file of this size is renamed to `*.old`, which replaces the previous one. */
const MAX_BYTES = 256 * 2 ** 20;

export interface LogFile {
  readonly path: string;
  write(line: string): void;
}

/** Other users may write to log directories: a link or a FIFO of that name is not opened. */
function openRegular(path: string): { readonly file: number; readonly bytes: number } {
  const { O_WRONLY, O_APPEND, O_CREAT, O_NOFOLLOW, O_NONBLOCK } = constants;
  const file = openSync(path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0o644);
  const stat = fstatSync(file);
  if (stat.isFile()) return { file, bytes: stat.size };
  closeSync(file);
  throw new Error('it is not a regular file');
}

/** `program`: `mesos-master` or `mesos-agent`. */
export function openLogFile(directory: string, program: string, maxBytes = MAX_BYTES): Result<LogFile, string> {
  const path = join(directory, `${program}.INFO`);
  let open: ReturnType<typeof openRegular>;
  try {
    makeDirectories(directory);
    open = openRegular(path);
  } catch (cause) {
    return err(`the log ${path} can't be written: ${cause instanceof Error ? cause.message : String(cause)}`);
  }
  let { file, bytes } = open;
  return ok({
    path,
    write(line) {
      try {
        bytes += writeSync(file, line);
        if (bytes < maxBytes) return;
        renameSync(path, `${path}.old`);
        const full = file;
        ({ file, bytes } = openRegular(path));
        closeSync(full);
      } catch {
        // A full disk must not end the daemon, and stderr has the line too. The open file is kept until another is open.
      }
    },
  });
}

/** A logger's `write`: to stderr and to the file. */
export const teeTo =
  (file: LogFile) =>
  (line: string): void => {
    writeToStderr(line);
    file.write(line);
  };
