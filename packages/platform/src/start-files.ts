// Files and directories that a daemon needs before it starts, read and created synchronously; errors are thrown.
import { closeSync, existsSync, mkdirSync, openSync, readSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

/** The longest flag value in a file; a device would have no end. */
const MAX_FLAG_FILE_BYTES = 16 * 2 ** 20;

/** The content of a file that a flag refers to. */
export function readFlagFile(path: string): string {
  const file = openSync(path, 'r');
  try {
    const parts: Buffer[] = [];
    for (let total = 0; ; ) {
      const part = Buffer.allocUnsafe(2 ** 16);
      const bytes = readSync(file, part);
      if (bytes === 0) return Buffer.concat(parts).toString('utf8');
      parts.push(part.subarray(0, bytes));
      total += bytes;
      if (total > MAX_FLAG_FILE_BYTES) throw new Error(`it is longer than ${MAX_FLAG_FILE_BYTES} bytes`);
    }
  } finally {
    closeSync(file);
  }
}

/** Creates a directory and its parents. Node's recursive mkdir never returns on a file system that refuses them (/proc). */
export function makeDirectories(path: string): void {
  const missing: string[] = [];
  for (let at = resolve(path); !existsSync(at); at = dirname(at)) missing.unshift(at);
  for (const each of missing) {
    try {
      mkdirSync(each);
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') throw cause;
    }
  }
  if (!statSync(path).isDirectory()) throw new Error(`${path} is not a directory`);
}
