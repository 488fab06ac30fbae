// The fetcher: brings a command's URIs into its sandbox before it starts (Mesos' fetcher.md).
//
// I1: what is written into a sandbox is written with the rights of its user, and local files are read with them, so
//     neither a link in a sandbox nor a URI reaches what the user may not. Downloads go to a directory of the agent's first.
// I2: URIs are fetched in their order; the first failure ends the fetch.
// I3: the first call removes the files of an earlier agent process: the cache begins empty.
import { err, type Files, type Outbound, ok, type Processes, type Result } from '@meseta/base';
import type { CommandInfoURI } from '@meseta/wire';
import type { LaunchOwner } from '../plan.js';
import { removeTree } from '../sandbox.js';
import { type CacheEntry, createFetcherCache } from './cache.js';
import { archiveKind, baseNameOf, destinationOf, type Source, sourceOf } from './uri.js';

export interface FetcherOptions {
  /** Absolute: `--fetcher_cache_dir`. */
  readonly cacheDir: string;
  readonly cacheBytes: number;
  /** Relative URIs count from here: `--frameworks_home`. */
  readonly frameworksHome: string | undefined;
  /** A download that brings nothing for so long fails: `--fetcher_stall_timeout`. */
  readonly stallTimeoutMs: number;
}

interface FetcherPorts {
  readonly files: Files;
  readonly processes: Processes;
  readonly outbound: Outbound;
}

export interface FetcherMetrics {
  readonly taskFetchesSucceeded: number;
  readonly taskFetchesFailed: number;
  readonly cacheSizeTotalBytes: number;
  readonly cacheSizeUsedBytes: number;
}

export interface Fetcher {
  /** `owner` undefined: the agent's own user. The error names the URI. */
  fetch(
    uris: readonly CommandInfoURI[],
    sandbox: string,
    owner: LaunchOwner | undefined,
    abort: AbortSignal,
  ): Promise<Result<void, string>>;
  metrics(): FetcherMetrics;
}

interface Job {
  readonly sandbox: string;
  readonly owner: LaunchOwner | undefined;
  readonly abort: AbortSignal;
}

const copyTimeoutMs = 3_600_000;

/** Arguments: source, sandbox, path in the sandbox, mode or nothing. The source's own mode is kept. */
const placeScript =
  'cd "$2" && case $3 in */*) mkdir -p -- "${3%/*}" ;; esac && cp -- "$1" "./$3" && ' +
  '{ [ -z "$4" ] || chmod "$4" "./$3"; }';

/** Arguments: archive, sandbox, for gzip the name of the result. */
const extractScripts = {
  tar: 'cd "$2" && exec tar -x -o -f "$1"',
  zip: 'cd "$2" && exec unzip -o -q "$1"',
  gzip: 'cd "$2" && exec gzip -d -c <"$1" >"./$3"',
} as const;

export function createFetcher(
  options: FetcherOptions & FetcherPorts & { readonly setpriv?: string | undefined },
): Fetcher {
  const { files, outbound } = options;
  const cache = createFetcherCache(options.cacheBytes);
  const staging = `${options.cacheDir}/downloads`;
  let ready: Promise<Result<void, string>> | undefined;
  let serial = 0;
  let succeeded = 0;
  let failures = 0;

  async function begin(): Promise<Result<void, string>> {
    const removed = await removeTree(files, options.cacheDir);
    const made = removed.ok ? await files.makeDirectory(staging, 0o711) : removed;
    return made.ok ? ok(undefined) : err(`fetcher cache directory: ${made.error.message}`);
  }

  /** Runs a script with the rights of the sandbox's user. */
  async function asUser(job: Job, script: string, args: readonly string[]): Promise<Result<void, string>> {
    const { owner } = job;
    const shell = ['/bin/sh', '-c', script, 'sh', ...args];
    const switching = owner !== undefined && options.setpriv !== undefined;
    const [program = '', ...rest] = switching
      ? [options.setpriv, `--reuid=${owner.uid}`, `--regid=${owner.gid}`, '--init-groups', '--', ...shell]
      : shell;
    const run = await options.processes.run(
      { program, arguments: rest, owner: switching ? undefined : owner },
      { timeoutMs: copyTimeoutMs, signal: job.abort },
    );
    if (!run.ok) return err(run.error.message);
    if (job.abort.aborted) return err('stopped');
    if (run.value.end.kind === 'exited' && run.value.end.code === 0) return ok(undefined);
    return err(run.value.stderr.trim() || 'it failed without a word');
  }

  /** Downloads into a file of the agent's, readable by the job's user. */
  async function download(url: string, path: string, job: Job): Promise<Result<number, string>> {
    const got = await outbound.download(url, path, { stallTimeoutMs: options.stallTimeoutMs, signal: job.abort });
    if (!got.ok) {
      await files.removeFile(path);
      return err(got.error.message);
    }
    const { owner } = job;
    if (owner) await files.changeOwner(path, owner.uid, owner.gid);
    return ok(got.value.bytes);
  }

  const stagingPath = (name: string): string => {
    serial++;
    return `${staging}/c${serial}-${name.slice(-100)}`;
  };

  async function sizeOf(source: Source, job: Job): Promise<number | undefined> {
    if (source.kind === 'net') {
      const length = await outbound.contentLength(source.url, { timeoutMs: options.stallTimeoutMs, signal: job.abort });
      return length.ok ? length.value : undefined;
    }
    const real = await files.realPath(source.path);
    const found = real.ok ? await files.stat(real.value) : real;
    return found.ok ? found.value.sizeBytes : undefined;
  }

  /** The file in the cache, in use; undefined where the cache can't serve: then it is bypassed, as in Mesos. */
  async function throughCache(
    source: Source,
    uri: CommandInfoURI,
    job: Job,
  ): Promise<Result<CacheEntry | undefined, string>> {
    const key = `${job.owner?.name ?? ''}\n${uri.value}`;
    const kept = cache.use(key);
    if (kept !== undefined) {
      if (await kept.filled) return ok(kept);
      cache.release(kept);
      return ok(undefined);
    }
    let settle = (_filled: boolean): void => {};
    const filled = new Promise<boolean>((resolve) => {
      settle = resolve;
    });
    const name = baseNameOf(uri.value);
    const entry = cache.add(key, stagingPath(name.ok ? name.value : 'file'));
    entry.filled = filled;
    const done = await fill(entry, source, job);
    if (!done.ok || done.value === false) {
      cache.drop(entry);
      cache.release(entry);
    }
    settle(done.ok && done.value);
    return done.ok ? ok(done.value ? entry : undefined) : done;
  }

  /** false: its size is unknown or too large for the cache. */
  async function fill(entry: CacheEntry, source: Source, job: Job): Promise<Result<boolean, string>> {
    const sizeBytes = await sizeOf(source, job);
    if (sizeBytes === undefined || !(await makeRoom(entry, sizeBytes))) return ok(false);
    if (source.kind === 'net') {
      const got = await download(source.url, entry.path, job);
      if (!got.ok) return got;
      if (got.value !== sizeBytes && !(await makeRoom(entry, got.value))) {
        await files.removeFile(entry.path);
        return ok(false);
      }
      return ok(true);
    }
    // Made empty for the user, then filled by the user: the cache's directory isn't the user's.
    const made = await files.write(entry.path, '', { mode: 0o644 });
    if (!made.ok) return err(made.error.message);
    if (job.owner) await files.changeOwner(entry.path, job.owner.uid, job.owner.gid);
    const copied = await asUser(job, 'cat <"$1" >"$2"', [source.path, entry.path]);
    if (!copied.ok) await files.removeFile(entry.path);
    return copied.ok ? ok(true) : copied;
  }

  async function makeRoom(entry: CacheEntry, sizeBytes: number): Promise<boolean> {
    const evicted = cache.resize(entry, sizeBytes);
    for (const path of evicted ?? []) await files.removeFile(path);
    return evicted !== undefined;
  }

  async function place(from: string, to: string, uri: CommandInfoURI, job: Job): Promise<Result<void, string>> {
    return asUser(job, placeScript, [from, job.sandbox, to, uri.executable ? '755' : '']);
  }

  /** Extracts what is an archive by its name; false: it isn't one. */
  async function extract(from: string, job: Job): Promise<Result<boolean, string>> {
    const kind = archiveKind(from);
    if (kind === undefined) return ok(false);
    const bare = from.slice(from.lastIndexOf('/') + 1).replace(/\.gz$/, '');
    const done = await asUser(job, extractScripts[kind], [from, job.sandbox, bare.replace(/^c\d+-/, '')]);
    return done.ok ? ok(true) : err(`it can't be extracted: ${done.error}`);
  }

  async function fetchCached(
    entry: CacheEntry,
    to: string,
    uri: CommandInfoURI,
    job: Job,
  ): Promise<Result<void, string>> {
    if (!uri.executable && (uri.extract ?? true)) {
      const extracted = await extract(entry.path, job);
      if (!extracted.ok || extracted.value) return extracted.ok ? ok(undefined) : extracted;
    }
    return place(entry.path, to, uri, job);
  }

  async function fetchDirectly(
    source: Source,
    to: string,
    uri: CommandInfoURI,
    job: Job,
  ): Promise<Result<void, string>> {
    let placed: Result<void, string>;
    if (source.kind === 'net') {
      const path = stagingPath('download');
      const got = await download(source.url, path, job);
      if (!got.ok) return got;
      placed = await place(path, to, uri, job);
      await files.removeFile(path);
    } else {
      placed = await place(source.path, to, uri, job);
    }
    if (!placed.ok || uri.executable || !(uri.extract ?? true)) return placed;
    const extracted = await extract(`${job.sandbox}/${to}`, job);
    return extracted.ok ? ok(undefined) : extracted;
  }

  async function fetchOne(uri: CommandInfoURI, job: Job): Promise<Result<void, string>> {
    const source = sourceOf(uri.value, options.frameworksHome);
    if (!source.ok) return source;
    const to = destinationOf(uri.value, uri.output_file);
    if (!to.ok) return to;
    if (uri.cache) {
      const entry = await throughCache(source.value, uri, job);
      if (!entry.ok) return entry;
      if (entry.value !== undefined) {
        const done = await fetchCached(entry.value, to.value, uri, job);
        cache.release(entry.value);
        return done;
      }
    }
    return fetchDirectly(source.value, to.value, uri, job);
  }

  async function fetchAll(uris: readonly CommandInfoURI[], job: Job): Promise<Result<void, string>> {
    for (const uri of uris) {
      const valid = destinationOf(uri.value, uri.output_file);
      if (!valid.ok) return err(`Could not fetch '${uri.value}': ${valid.error}`);
    }
    ready ??= begin();
    const begun = await ready;
    if (!begun.ok) return begun;
    for (const uri of uris) {
      const fetched = job.abort.aborted ? err('stopped') : await fetchOne(uri, job);
      if (!fetched.ok) return err(`Failed to fetch '${uri.value}': ${fetched.error}`);
    }
    return ok(undefined);
  }

  return {
    async fetch(uris, sandbox, owner, abort) {
      const done = await fetchAll(uris, { sandbox, owner, abort });
      if (done.ok) succeeded++;
      else failures++;
      return done;
    },
    metrics: () => ({
      taskFetchesSucceeded: succeeded,
      taskFetchesFailed: failures,
      cacheSizeTotalBytes: cache.limitBytes,
      cacheSizeUsedBytes: cache.usedBytes,
    }),
  };
}
