// The fetcher: brings a command's URIs into its sandbox before it starts (Mesos' fetcher.md).
//
// FETCHER-1: what is written into a sandbox is written with the rights of its user, and local files are read with them, so
//     neither a link in a sandbox nor a URI reaches what the user may not. Downloads go to a directory of the agent's first.
// FETCHER-2: URIs are fetched in their order; the first failure ends the fetch, and a URI that is no good ends it before it begins.
// FETCHER-3: the first fetch removes the files of an earlier agent process: the cache begins empty.
import { err, type Files, type Outbound, ok, type Processes, type Result } from '@meseta/base';
import type { CommandInfoURI } from '@meseta/wire';
import type { LaunchOwner } from '../plan/plan.js';
import { type ByteLimits, createByteBudgets } from './byte-budget.js';
import { createFetcherCache } from './cache.js';
import { createDownloads } from './download.js';
import { createPlacer, type Job } from './place.js';
import { baseNameOf, destinationOf, type Source, sourceOf } from './uri.js';

export interface FetcherOptions extends ByteLimits {
  /** Absolute: `--fetcher_cache_dir`. It is the fetcher's alone: whatever is in it is removed. */
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
  /** util-linux's, where the machine has it: keeps the supplementary groups of users. */
  readonly setpriv?: string | undefined;
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

interface Wanted {
  readonly uri: CommandInfoURI;
  readonly source: Source;
  /** The last part of the URI. */
  readonly name: string;
  /** Below the sandbox. */
  readonly to: string;
}

function wantedOf(uri: CommandInfoURI, frameworksHome: string | undefined): Result<Wanted, string> {
  const name = baseNameOf(uri.value);
  if (!name.ok) return name;
  const to = destinationOf(uri.value, uri.output_file);
  if (!to.ok) return to;
  const source = sourceOf(uri.value, frameworksHome);
  return source.ok ? ok({ uri, source: source.value, name: name.value, to: to.value }) : source;
}

const executableMode = 0o755;
const downloadMode = 0o644;

export function createFetcher(options: FetcherOptions & FetcherPorts): Fetcher {
  const cache = createFetcherCache(options.cacheBytes);
  const placer = createPlacer(options.files, options.processes, options.setpriv);
  const downloads = createDownloads({ ...options, placer, cache });
  let begun: Promise<Result<void, string>> | undefined;
  let succeeded = 0;
  let failed = 0;

  const extracts = (uri: CommandInfoURI): boolean => !uri.executable && (uri.extract ?? true);

  /** From the cache an archive goes straight into the sandbox; true when the cache served. */
  async function fromCache(wanted: Wanted, job: Job): Promise<Result<boolean, string>> {
    const { uri, name, to } = wanted;
    const entry = await downloads.cached(uri.value, name, wanted.source, job);
    if (!entry.ok || entry.value === undefined) return entry.ok ? ok(false) : entry;
    const { path: from, mode } = entry.value;
    const extracted = extracts(uri) ? await placer.extract(from, name, job) : ok(false);
    let done: Result<unknown, string> = extracted;
    if (extracted.ok && !extracted.value)
      done = await placer.place(from, to, uri.executable ? executableMode : mode, job);
    cache.release(entry.value);
    return done.ok ? ok(true) : done;
  }

  async function place(wanted: Wanted, job: Job): Promise<Result<void, string>> {
    const { source, to } = wanted;
    const mode = wanted.uri.executable ? executableMode : undefined;
    if (source.kind === 'file') return placer.place(source.path, to, mode, job);
    const path = downloads.newPath('download');
    const got = await downloads.download(source.url, path, job);
    if (!got.ok) return got;
    const placed = await placer.place(path, to, mode ?? downloadMode, job);
    await options.files.removeFile(path);
    return placed;
  }

  async function fetchOne(wanted: Wanted, job: Job): Promise<Result<void, string>> {
    if (job.abort.aborted) return err('stopped');
    const served = wanted.uri.cache ? await fromCache(wanted, job) : ok(false);
    if (!served.ok || served.value) return served.ok ? ok(undefined) : served;
    const placed = await place(wanted, job);
    if (!placed.ok || !extracts(wanted.uri)) return placed;
    const extracted = await placer.extract(`./${wanted.to}`, wanted.to, job);
    return extracted.ok ? ok(undefined) : extracted;
  }

  async function fetchAll(uris: readonly CommandInfoURI[], of: Omit<Job, 'budget'>): Promise<Result<void, string>> {
    const all: Wanted[] = [];
    for (const uri of uris) {
      const wanted = wantedOf(uri, options.frameworksHome);
      if (!wanted.ok) return err(`Could not fetch '${uri.value}': ${wanted.error}`);
      all.push(wanted.value);
    }
    begun ??= downloads.begin();
    const ready = await begun;
    if (!ready.ok) return ready;
    const nextBudget = createByteBudgets(options);
    for (const wanted of all) {
      const fetched = await fetchOne(wanted, { ...of, budget: nextBudget() });
      if (!fetched.ok) return err(`Failed to fetch '${wanted.uri.value}': ${fetched.error}`);
    }
    return ok(undefined);
  }

  return {
    async fetch(uris, sandbox, owner, abort) {
      const done = await fetchAll(uris, { sandbox, owner, abort });
      if (done.ok) succeeded++;
      else failed++;
      return done;
    },
    metrics: () => ({
      taskFetchesSucceeded: succeeded,
      taskFetchesFailed: failed,
      cacheSizeTotalBytes: cache.limitBytes,
      cacheSizeUsedBytes: cache.usedBytes,
    }),
  };
}
