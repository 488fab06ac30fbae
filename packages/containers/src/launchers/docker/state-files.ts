// What is on disk of each container of the engine while the agent has not forgotten it: one small file below the runtime
// directory. It tells the containers that the agent launched from those that it has reported or never made.
import type { ContainerId, Files } from '@meseta/base';
import { type OutputPosition, START } from './output.js';

export interface StoredContainer {
  readonly sandbox: string;
  /** Once it was started. */
  readonly pid: number | undefined;
  readonly output: OutputPosition;
}

export interface StateFiles {
  write(containerId: ContainerId, stored: StoredContainer): Promise<string | undefined>;
  remove(containerId: ContainerId): Promise<void>;
  readAll(): Promise<ReadonlyMap<ContainerId, StoredContainer>>;
}

export function createStateFiles(files: Files, directory: string): StateFiles {
  const pathOf = (containerId: ContainerId): string => `${directory}/${containerId}`;
  return {
    async write(containerId, stored) {
      const written = await files.write(pathOf(containerId), JSON.stringify(stored), { mode: 0o600 });
      return written.ok ? undefined : written.error.message;
    },
    async remove(containerId) {
      await files.removeFile(pathOf(containerId));
    },
    async readAll() {
      const found = new Map<ContainerId, StoredContainer>();
      for (const name of files.listNow(directory)) {
        const text = await files.readText(`${directory}/${name}`);
        found.set(name as ContainerId, parse(text.ok ? text.value : ''));
      }
      return found;
    },
  };
}

/** A file whose write a crash interrupted tells no more than that the agent launched the container. */
function parse(text: string): StoredContainer {
  try {
    const { sandbox, pid, output } = JSON.parse(text) as StoredContainer;
    return { sandbox, pid, output };
  } catch {
    return { sandbox: '', pid: undefined, output: START };
  }
}
