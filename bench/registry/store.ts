import { type LocalStore, openLmdbStore } from '@meseta/coordination';

/** A store in a new directory; throws where the disk is full. */
export async function openRegistryStore(directory: string): Promise<LocalStore> {
  const opened = await openLmdbStore(directory, { warn: console.warn, onSpare: () => {} });
  if (!opened.ok) throw new Error(opened.error);
  return opened.value;
}
