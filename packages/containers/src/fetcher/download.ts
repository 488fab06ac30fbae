// Downloads URIs into the agent's own directory, and fills the files of the cache there.
import { err, type Files, type Outbound, ok, type Result } from '@meseta/base';
import { within } from '../sandbox/sandbox.js';
import { emptyDirectory } from '../sandbox/trees.js';
import type { CacheEntry, FetcherCache } from './cache.js';
import type { Job, Placer } from './place.js';
import type { Source } from './uri.js';

interface Store {
  readonly files: Files;
  readonly outbound: Outbound;
  readonly placer: Placer;
  readonly cache: FetcherCache;
  /** Absolute. Only this process writes to it. */
  readonly cacheDir: string;
  readonly stallTimeoutMs: number;
}

export interface Downloads {
  /** Makes the directory of the downloads, and removes the files of an earlier process. */
  prepareDirectory(): Promise<Result<void, string>>;
  /** The path of a new file, which ends in `name`. */
  newPath(name: string): string;
  /** Downloads into a new file of the job's user. Returns its size. */
  download(url: string, path: string, job: Job): Promise<Result<number, string>>;
  /**
   * The cached file, marked as in use. undefined when the cache can't serve (the server announced no length, the file is
   * too large, the filling by another fetch failed): then the caller fetches without the cache, as in Mesos.
   */
  cached(uri: string, name: string, source: Source, job: Job): Promise<Result<CacheEntry | undefined, string>>;
}

/** The size and mode that a cached file will have; undefined: unknown before the download. */
async function inspectSource(
  store: Store,
  source: Source,
  job: Job,
): Promise<{ sizeBytes: number; mode: number } | undefined> {
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

/** Copies a local file into a new file of the job's user. Returns its size. */
async function copyLocal(
  { files, placer }: Store,
  from: string,
  path: string,
  job: Job,
): Promise<Result<number, string>> {
  const made = await files.write(path, '', { mode: 0o600 });
  if (!made.ok) return err(made.error.message);
  if (job.owner) await files.changeOwner(path, job.owner.uid, job.owner.gid);
  const copied = await placer.copyContents(from, path, job);
  if (!copied.ok) return copied;
  const found = await files.stat(path);
  return found.ok ? ok(found.value.sizeBytes) : err(found.error.message);
}

export function createDownloads(store: Store): Downloads {
  const { files, outbound, cache } = store;
  const directory = `${store.cacheDir}/downloads`;
  let serial = 0;

  const newPath = (name: string): string => {
    serial++;
    // At most 180 bytes in any script.
    return `${directory}/${serial}-${name.slice(-60)}`;
  };

  async function download(url: string, path: string, job: Job): Promise<Result<number, string>> {
    const downloaded = await outbound.download(url, path, {
      stallTimeoutMs: store.stallTimeoutMs,
      maxBytes: job.budget.remainingBytes,
      signal: job.abort,
    });
    if (!downloaded.ok) {
      await files.removeFile(path);
      return err(downloaded.error.message);
    }
    if (job.owner) await files.changeOwner(path, job.owner.uid, job.owner.gid);
    return ok(downloaded.value.bytes);
  }

  async function makeRoom(entry: CacheEntry, sizeBytes: number): Promise<boolean> {
    const evicted = cache.resize(entry, sizeBytes);
    for (const path of evicted ?? []) await files.removeFile(path);
    return evicted !== undefined;
  }

  /** Returns whether the file fits into the cache. */
  async function fill(entry: CacheEntry, source: Source, job: Job): Promise<Result<boolean, string>> {
    const found = await inspectSource(store, source, job);
    if (found === undefined || !(await makeRoom(entry, found.sizeBytes))) return ok(false);
    entry.mode = found.mode;
    const filled =
      source.kind === 'file'
        ? await copyLocal(store, source.path, entry.path, job)
        : await download(source.url, entry.path, job);
    if (!filled.ok) return filled;
    // The announced size may be wrong, and a local file may have grown (FETCHER-CACHE-1).
    return ok(filled.value === found.sizeBytes || (await makeRoom(entry, filled.value)));
  }

  return {
    async prepareDirectory() {
      const claimed = await files.claimDirectory(directory, 0o711);
      const opened = claimed.ok ? await files.openDirectory(directory) : claimed;
      const emptied = await within(opened, emptyDirectory);
      return emptied.ok ? ok(undefined) : err(`fetcher cache directory: ${emptied.error.message}`);
    },
    newPath,
    download,
    async cached(uri, name, source, job) {
      const key = `${job.owner?.name ?? ''}\n${uri}`;
      const known = cache.use(key);
      if (known !== undefined) {
        if (await known.filled) return ok(known);
        cache.release(known);
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
