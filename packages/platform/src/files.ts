// The port Files on Node. Boundary: nothing throws; a failed call is a value that names the path.
import { closeSync, openSync, readdirSync, readFileSync, readSync, writeFile } from 'node:fs';
import * as fs from 'node:fs/promises';
import { promisify } from 'node:util';
import type { Files } from '@meseta/base';
import { claimDirectory } from './claimed-directories.js';
import { openTrustedDirectory } from './directory-handles.js';
import { attempt, statOfPath } from './system-results.js';

/** Every launch writes a file, which takes half the CPU without the FileHandle of `fs/promises`. */
const writeFileAsync = promisify(writeFile);

function readStart(path: string, maxBytes: number): string {
  const file = openSync(path, 'r');
  try {
    const bytes = Buffer.allocUnsafe(maxBytes);
    let length = 0;
    for (let count = -1; count !== 0 && length < maxBytes; length += count) {
      count = readSync(file, bytes, length, maxBytes - length, null);
    }
    return bytes.toString('utf8', 0, length);
  } finally {
    closeSync(file);
  }
}

export function createFiles(): Files {
  return {
    openDirectory: openTrustedDirectory,
    claimDirectory,
    readText: (path) => attempt(() => fs.readFile(path, 'utf8')),
    write: (path, text, options) =>
      attempt(() => writeFileAsync(path, text, { flag: options?.append ? 'a' : 'w', mode: options?.mode ?? 0o644 })),
    readTextNow(path, maxBytes) {
      try {
        return maxBytes === undefined ? readFileSync(path, 'utf8') : readStart(path, maxBytes);
      } catch {
        return undefined;
      }
    },
    listNow(path) {
      try {
        return readdirSync(path);
      } catch {
        return [];
      }
    },
    stat: (path) => attempt(() => statOfPath(path)),
    makeDirectory: (path, mode) =>
      attempt(async () => {
        await fs.mkdir(path, { recursive: true, ...(mode === undefined ? {} : { mode }) });
      }),
    changeOwner: (path, uid, gid) => attempt(() => fs.lchown(path, uid, gid)),
    removeFile: (path) => attempt(() => fs.unlink(path)),
    removeEmptyDirectory: (path) => attempt(() => fs.rmdir(path)),
    realPath: (path) => attempt(() => fs.realpath(path)),
    diskSpace: (path) =>
      attempt(async () => {
        const found = await fs.statfs(path);
        return { totalBytes: found.blocks * found.bsize, availableBytes: found.bavail * found.bsize };
      }),
  };
}
