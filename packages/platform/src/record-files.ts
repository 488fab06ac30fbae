// The port RecordFiles on Node. The directory is one that no task can write to.
import { closeSync, constants, openSync, readdirSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { err, ok, type RecordFiles } from '@meseta/base';
import { systemError } from './system-results.js';

const MODE = 0o600;
const APPEND_EXISTING = constants.O_WRONLY | constants.O_APPEND;

function orUndefined<T>(call: () => T): T | undefined {
  try {
    return call();
  } catch {
    return undefined;
  }
}

export function createRecordFiles(directory: string): RecordFiles {
  const pathOf = (name: string): string => `${directory}/${name}`;
  return {
    names: () => orUndefined(() => readdirSync(directory)) ?? [],
    read: (name) => orUndefined(() => readFileSync(pathOf(name), 'utf8')),
    create(name, text) {
      try {
        writeFileSync(pathOf(name), text, { flag: 'wx', mode: MODE });
        return ok(undefined);
      } catch (error) {
        return err(systemError(error));
      }
    },
    append(name, text) {
      const file = orUndefined(() => openSync(pathOf(name), APPEND_EXISTING));
      if (file === undefined) return;
      orUndefined(() => writeSync(file, text));
      closeSync(file);
    },
    remove: (name) => rmSync(pathOf(name), { force: true }),
    pathOf,
  };
}
