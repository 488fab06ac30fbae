import { createLocalCoordination, type FencedLog, openLmdbStore } from '@meseta/coordination';

export interface OpenRegistry {
  readonly log: FencedLog;
  close(): Promise<void>;
}

/** Opens the log of a master in a new directory; throws if that fails. */
export async function openRegistryStore(directory: string): Promise<OpenRegistry> {
  const opened = await openLmdbStore(directory, { warn: console.warn, onSpare: () => {} });
  if (!opened.ok) throw new Error(opened.error);
  const coordination = createLocalCoordination(opened.value);
  const term = await coordination.contend(new Uint8Array());
  return { log: coordination.openLog(term), close: coordination.close };
}
