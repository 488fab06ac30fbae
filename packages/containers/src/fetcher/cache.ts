// The fetcher's cache (Mesos: docs/fetcher-cache-internals.md): which files it has, their sizes, and who uses them.
//
// Owns: the entries, by user and URI. Boundary: it decides; the caller removes the files of evicted entries.
// FETCHER-CACHE-1: the sizes of all entries together never exceed the limit.
// FETCHER-CACHE-2: an entry in use is never evicted; of the others the least recently used goes first.
// FETCHER-CACHE-3: one key has one entry: a fetch that asks for it while it is being filled waits for that filling.
// FETCHER-CACHE-4: the number of entries is limited, as files without content take no room.
import { LIMITS } from '@meseta/base';

export interface CacheEntry {
  readonly key: string;
  readonly path: string;
  sizeBytes: number;
  /** The mode of its copies in sandboxes. In the cache only the agent and the file's user may read it. */
  mode: number;
  /** The number of fetches that use it. */
  users: number;
  /** Resolves to whether the file is there. */
  filled: Promise<boolean>;
}

export interface FetcherCache {
  /** Finds an entry that is filled or being filled, and marks it as used by one more fetch. */
  use(key: string): CacheEntry | undefined;
  /** Adds an entry of size 0 that is in use. */
  add(key: string, path: string): CacheEntry;
  /** Sets the entry's size. Returns the files of the entries evicted for it, undefined if it doesn't fit. */
  resize(entry: CacheEntry, sizeBytes: number): readonly string[] | undefined;
  release(entry: CacheEntry): void;
  /** Forgets an entry whose filling failed. */
  drop(entry: CacheEntry): void;
  readonly usedBytes: number;
  readonly limitBytes: number;
}

export function createFetcherCache(limitBytes: number): FetcherCache {
  // Insertion order is the order of use.
  const entries = new Map<string, CacheEntry>();
  let usedBytes = 0;

  return {
    limitBytes,
    get usedBytes() {
      return usedBytes;
    },
    use(key) {
      const entry = entries.get(key);
      if (entry === undefined) return undefined;
      entries.delete(key);
      entries.set(key, entry);
      entry.users++;
      return entry;
    },
    add(key, path) {
      const entry: CacheEntry = { key, path, sizeBytes: 0, mode: 0o644, users: 1, filled: Promise.resolve(false) };
      entries.set(key, entry);
      return entry;
    },
    resize(entry, sizeBytes) {
      const victims: CacheEntry[] = [];
      let freeBytes = limitBytes - usedBytes + entry.sizeBytes;
      let excessEntries = entries.size - LIMITS.fetcherCacheFiles.most;
      for (const other of entries.values()) {
        if (freeBytes >= sizeBytes && excessEntries <= 0) break;
        if (other.users > 0) continue;
        victims.push(other);
        freeBytes += other.sizeBytes;
        excessEntries--;
      }
      if (freeBytes < sizeBytes || excessEntries > 0) return undefined;
      for (const victim of victims) {
        entries.delete(victim.key);
        usedBytes -= victim.sizeBytes;
      }
      usedBytes += sizeBytes - entry.sizeBytes;
      entry.sizeBytes = sizeBytes;
      return victims.map((victim) => victim.path);
    },
    release(entry) {
      entry.users--;
    },
    drop(entry) {
      if (entries.get(entry.key) !== entry) return;
      entries.delete(entry.key);
      usedBytes -= entry.sizeBytes;
    },
  };
}
