// Stores on disk for tests, in directories that are removed at the end.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { openLmdbStore } from '../lmdb-store.js';
import type { LocalStore } from '../local-store.js';
import type { StoreContents } from '../types.js';

const directories: string[] = [];
export const newDirectory = (): string => {
  const directory = mkdtempSync(join(tmpdir(), 'meseta-store-'));
  directories.push(directory);
  return directory;
};
after(() => {
  for (const directory of directories) rmSync(directory, { recursive: true, force: true });
});

export const openStore = async (directory: string): Promise<LocalStore> => {
  const store = await openLmdbStore(directory, {
    warn: assert.fail,
    onSpare: () => assert.fail('the disk has no room'),
  });
  assert.ok(store.ok, JSON.stringify(store));
  return store.value;
};

export const bytes = (text: string): Uint8Array => Buffer.from(text);
export const texts = (contents: StoreContents): { snapshot: string | undefined; batches: string[] } => ({
  snapshot: contents.snapshot === undefined ? undefined : Buffer.from(contents.snapshot).toString(),
  batches: contents.batches.map((batch) => Buffer.from(batch).toString()),
});
export const readOf = async (store: LocalStore, epoch: number) => {
  const contents = await store.read(epoch);
  assert.ok(contents.ok);
  return texts(contents.value);
};
/** Several parts of a snapshot long. */
export const large = (char: string): string => char.repeat(3 * 2 ** 20 + 17);
