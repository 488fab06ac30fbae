// The records of containers on disk.
//
// Owns: one file for each container, below the runtime directory. Its first line is the record at the launch, the second the
// limitation for which the container is destroyed.
import type { ContainerId, Files, SystemResult } from '@meseta/base';
import type { ContainerRecord } from './lifecycle.js';
import type { Limitation } from './types.js';

export interface Records {
  write(record: ContainerRecord): Promise<SystemResult<void>>;
  addLimitation(containerId: ContainerId, limitation: Limitation): Promise<SystemResult<void>>;
  remove(containerId: ContainerId): Promise<SystemResult<void>>;
  readAll(): Promise<readonly ContainerRecord[]>;
}

export function createRecords(files: Files, directory: string): Records {
  const pathOf = (containerId: ContainerId): string => `${directory}/${containerId}`;
  return {
    write: (record) => files.write(pathOf(record.containerId), `${JSON.stringify(record)}\n`, { mode: 0o600 }),
    addLimitation: (containerId, limitation) =>
      files.write(pathOf(containerId), `${JSON.stringify(limitation)}\n`, { append: true }),
    remove: (containerId) => files.removeFile(pathOf(containerId)),
    async readAll() {
      const records: ContainerRecord[] = [];
      // One at a time: thousands of open files could be more than this process may have, and a record that is not read is lost.
      for (const name of files.listNow(directory)) {
        const text = await files.readText(`${directory}/${name}`);
        records.push(parseRecord(name as ContainerId, text.ok ? text.value : ''));
      }
      return records;
    },
  };
}

/** A record whose write a crash interrupted is that of a container that was not prepared. */
function parseRecord(containerId: ContainerId, text: string): ContainerRecord {
  const [first, second, ...rest] = text.split('\n');
  const isWhole = second !== undefined;
  const record = isWhole ? parseLine<ContainerRecord>(first) : undefined;
  if (record === undefined) return { containerId, sandbox: '', user: undefined, resources: [], volumes: [] };
  const limitation = rest.length > 0 ? parseLine<Limitation>(second) : undefined;
  return { ...record, ...(limitation === undefined ? {} : { limitation }) };
}

function parseLine<T>(line: string | undefined): T | undefined {
  try {
    return JSON.parse(line ?? '') as T;
  } catch {
    return undefined;
  }
}
