// Downloads into the agent's own directory, and through it into the cache.
import { err, type Files, type Outbound, ok, type Result } from '@meseta/base';
import { emptyDirectory } from '../sandbox/trees.js';
import type { CacheEntry, FetcherCache } from './cache.js';
import type { Job, Placer } from './place.js';
import type { Source } from './uri.js';

interface Store {
  readonly files: Files;
  readonly outbound: Outbound;
  readonly placer: Placer;
  readonly cache: FetcherCache;
  /** Absolute; only this process writes here. */
  readonly cacheDir: string;
  readonly stallTimeoutMs: number;
}

export interface Downloads {
  /** Removes what an earlier process left. */
  begin(): Promise<Result<void, string>>;
  /** A new file's path; it ends in `name`. */
  newPath(name: string): string;
  /** GETs into a new file, owned by the job's user. Its size. */
  download(url: string, path: string, job: Job): Promise<Result<number, string>>;
  /**
   * The cached file, in use. undefined where the cache can't serve (no length announced, too large, the filling that
   * it waited for failed): then it is bypassed, as in Mesos.
   */
  cached(uri: string, name: string, source: Source, job: Job): Promise<Result<CacheEntry | undefined, string>>;
}

/** What will have to be stored; undefined: not to be known beforehand. */
async function look(store: Store, source: Source, job: Job): Promise<{ sizeBytes: number; mode: number } | undefined> {
  if (source.kind === 'net') {
    const length = await store.outbound.contentLength(source.url, {
      timeoutMs: store.stallTimeoutMs,
      signal: job.abort,
    });
    const sizeBytes = length.ok ? length.value : undefined;
    return sizeBytes === undefined ? undefined : { sizeBytes, mode: 0o644 };
  }
  const real = await store.files.realPath(source.path);
  const found = real.ok ? await store.files.stat(real.value) : real;
  return found.ok ? { sizeBytes: found.value.sizeBytes, mode: found.value.mode & 0o755 } : undefined;
}

export function createDownloads(store: Store): Downloads {
  const { files, outbound, cache } = store;
  const directory = `${store.cacheDir}/downloads`;
  let serial = 0;

  const newPath = (name: string): string => {
    serial++;
    // At most 180 bytes of it, whatever it is written in.
    return `${directory}/${serial}-${name.slice(-60)}`;
  };

  async function download(url: string, path: string, job: Job): Promise<Result<number, string>> {
    const got = await outbound.download(url, path, {
      stallTimeoutMs: store.stallTimeoutMs,
      maxBytes: job.budget.leftBytes,
      signal: job.abort,
    });
    if (!got.ok) {
      await files.removeFile(path);
      return err(got.error.message);
    }
    if (job.owner) await files.changeOwner(path, job.owner.uid, job.owner.gid);
    return ok(got.value.bytes);
  }

  async function makeRoom(entry: CacheEntry, sizeBytes: number): Promise<boolean> {
    const evicted = cache.resize(entry, sizeBytes);
    for (const path of evicted ?? []) await files.removeFile(path);
    return evicted !== undefined;
  }

  async function copyLocal(from: string, path: string, job: Job): Promise<Result<void, string>> {
    const made = await files.write(path, '', { mode: 0o600 });
    if (!made.ok) return err(made.error.message);
    if (job.owner) await files.changeOwner(path, job.owner.uid, job.owner.gid);
    return store.placer.copyContents(from, path, job);
  }

  /** false: the cache can't hold it. */
  async function fill(entry: CacheEntry, source: Source, job: Job): Promise<Result<boolean, string>> {
    const found = await look(store, source, job);
    if (found === undefined || !(await makeRoom(entry, found.sizeBytes))) return ok(false);
    entry.mode = found.mode;
    if (source.kind === 'file') {
      const copied = await copyLocal(source.path, entry.path, job);
      return copied.ok ? ok(true) : copied;
    }
    const got = await download(source.url, entry.path, job);
    if (!got.ok) return got;
    return ok(got.value === found.sizeBytes || (await makeRoom(entry, got.value)));
  }

  return {
    async begin() {
      const claimed = await files.claimDirectory(directory, 0o711);
      const held = claimed.ok ? await files.openDirectory(directory) : claimed;
      const emptied = held.ok ? await emptyDirectory(held.value) : held;
      if (held.ok) held.value.close();
      return emptied.ok ? ok(undefined) : err(`fetcher cache directory: ${emptied.error.message}`);
    },
    newPath,
    download,
    async cached(uri, name, source, job) {
      const key = `${job.owner?.name ?? ''}\n${uri}`;
      const kept = cache.use(key);
      if (kept !== undefined) {
        if (await kept.filled) return ok(kept);
        cache.release(kept);
        return ok(undefined);
      }
      const entry = cache.add(key, newPath(name));
      const filling = fill(entry, source, job);
      entry.filled = filling.then((done) => done.ok && done.value);
      const done = await filling;
      if (done.ok && done.value) return ok(entry);
      cache.drop(entry);
      cache.release(entry);
      await files.removeFile(entry.path);
      return done.ok ? ok(undefined) : done;
    },
  };
}
