// The fetcher's cache (fetcher-cache-internals.md): which files it holds, how much room they take, who uses them.
//
// Owns: the entries by user and URI. Boundary: it decides; removing an evicted file is the caller's.
// FETCHER-CACHE-1: the sizes of all entries together never exceed the limit.
// FETCHER-CACHE-2: an entry in use is never evicted; of the others the least recently used goes first.
// FETCHER-CACHE-3: one key has one entry: who comes while it is being filled waits for the same filling.

export interface CacheEntry {
  readonly key: string;
  readonly path: string;
  sizeBytes: number;
  /** What it gets in a sandbox; here only the agent and its user read it. */
  mode: number;
  users: number;
  /** Resolves to whether the file is there. */
  filled: Promise<boolean>;
}

export interface FetcherCache {
  /** An entry that is there or being filled, now in use. */
  use(key: string): CacheEntry | undefined;
  /** A new entry, in use, without room yet. */
  add(key: string, path: string): CacheEntry;
  /** Gives the entry this much room; the answer are the paths that must be removed for it. undefined: it doesn't fit. */
  resize(entry: CacheEntry, sizeBytes: number): readonly string[] | undefined;
  release(entry: CacheEntry): void;
  /** The filling failed: nobody finds it any more. */
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
      for (const other of entries.values()) {
        if (freeBytes >= sizeBytes) break;
        if (other.users > 0) continue;
        victims.push(other);
        freeBytes += other.sizeBytes;
      }
      if (freeBytes < sizeBytes) return undefined;
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
