// The log in a file, beside stderr: `--log_dir` as Mesos' programs have it, with the file's name that its tools look for.
import { closeSync, constants, fstatSync, openSync, renameSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { err, ok, type Result } from '@meseta/base';
import { makeDirectories } from './start-files.js';
import { writeToStderr } from './stderr.js';

/** A file that has grown to this is put aside, and the one put aside before it is dropped. */
const MAX_BYTES = 256 * 2 ** 20;

export interface LogFile {
  readonly path: string;
  write(line: string): void;
}

/** Directories of logs are often everybody's: a link or a FIFO of that name is somebody else's, and is not written to. */
function openRegular(path: string): { readonly file: number; readonly bytes: number } {
  const { O_WRONLY, O_APPEND, O_CREAT, O_NOFOLLOW, O_NONBLOCK } = constants;
  const file = openSync(path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0o644);
  const stat = fstatSync(file);
  if (stat.isFile()) return { file, bytes: stat.size };
  closeSync(file);
  throw new Error('it is not a regular file');
}

/** `program` is Mesos' name of it: `mesos-master`, `mesos-agent`. */
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
        // A full disk must not end the daemon; stderr has the line too. What is open stays open until there is another.
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
