import { type LocalStore, openLmdbStore } from '@meseta/coordination';

/** Opens a store in a new directory; throws if that fails. */
export async function openRegistryStore(directory: string): Promise<LocalStore> {
  const opened = await openLmdbStore(directory, { warn: console.warn, onSpare: () => {} });
  if (!opened.ok) throw new Error(opened.error);
  return opened.value;
}
