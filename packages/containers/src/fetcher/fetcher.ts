// The fetcher: copies a command's URIs into its sandbox before the command starts (Mesos: docs/fetcher.md).
//
// Owns: the cache, and the directory of the cache and of downloads.
// FETCHER-1: sandboxes are written and local files are read with the rights of the sandbox's user, so neither a link in a
//     sandbox nor a URI reaches a file that the user may not. Downloads go to the agent's own directory first.
// FETCHER-2: URIs are fetched in their order. The first failure ends the fetch; an invalid URI ends it before it starts.
// FETCHER-3: the first fetch removes the files of an earlier agent process: the cache starts empty.
import { err, type Files, type Outbound, ok, type Processes, type Result } from '@meseta/base';
import type { CommandInfoURI } from '@meseta/wire';
import type { LaunchOwner } from '../plan/plan.js';
import { type ByteLimits, createByteBudgets } from './byte-budget.js';
import { createFetcherCache } from './cache.js';
import { createDownloads } from './download.js';
import { createPlacer, type Job } from './place.js';
import { baseNameOf, destinationOf, type Source, sourceOf } from './uri.js';

export interface FetcherOptions extends ByteLimits {
  /** Absolute. Only the fetcher uses it: its content is removed at the first fetch. */
  readonly cacheDir: string;
  readonly cacheBytes: number;
  /** The base directory of relative URIs: `--frameworks_home`. */
  readonly frameworksHome: string | undefined;
  /** How long a download may receive no data before it fails: `--fetcher_stall_timeout`. */
  readonly stallTimeoutMs: number;
}

interface FetcherPorts {
  readonly files: Files;
  readonly processes: Processes;
  readonly outbound: Outbound;
  /** The setpriv of util-linux, which sets the supplementary groups of users. */
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

/** A URI that has been checked. */
interface CheckedUri {
  readonly uri: CommandInfoURI;
  readonly source: Source;
  /** The last part of the URI. */
  readonly name: string;
  /** The destination below the sandbox. */
  readonly to: string;
}

function checkUri(uri: CommandInfoURI, frameworksHome: string | undefined): Result<CheckedUri, string> {
  const name = baseNameOf(uri.value);
  if (!name.ok) return name;
  const to = destinationOf(uri.value, uri.output_file);
  if (!to.ok) return to;
  const source = sourceOf(uri.value, frameworksHome);
  return source.ok ? ok({ uri, source: source.value, name: name.value, to: to.value }) : source;
}

const EXECUTABLE_MODE = 0o755;
const DOWNLOAD_MODE = 0o644;

export function createFetcher(options: FetcherOptions & FetcherPorts): Fetcher {
  const cache = createFetcherCache(options.cacheBytes);
  const placer = createPlacer(options.files, options.processes, options.setpriv);
  const downloads = createDownloads({ ...options, placer, cache });
  let prepared: Promise<Result<void, string>> | undefined;
  let succeeded = 0;
  let failed = 0;

  const shouldExtract = (uri: CommandInfoURI): boolean => !uri.executable && (uri.extract ?? true);

  /** Returns whether the cache served. A cached archive is extracted into the sandbox without being copied there. */
  async function fetchFromCache({ uri, name, to, source }: CheckedUri, job: Job): Promise<Result<boolean, string>> {
    const entry = await downloads.cached(uri.value, name, source, job);
    if (!entry.ok || entry.value === undefined) return entry.ok ? ok(false) : entry;
    const { path: from, mode } = entry.value;
    const extracted = shouldExtract(uri) ? await placer.extract(from, name, job) : ok(false);
    let done: Result<unknown, string> = extracted;
    if (extracted.ok && !extracted.value)
      done = await placer.place(from, to, uri.executable ? EXECUTABLE_MODE : mode, job);
    cache.release(entry.value);
    return done.ok ? ok(true) : done;
  }

  async function fetchWithoutCache({ uri, source, to }: CheckedUri, job: Job): Promise<Result<void, string>> {
    const mode = uri.executable ? EXECUTABLE_MODE : undefined;
    if (source.kind === 'file') return placer.place(source.path, to, mode, job);
    const path = downloads.newPath('download');
    const downloaded = await downloads.download(source.url, path, job);
    if (!downloaded.ok) return downloaded;
    const placed = await placer.place(path, to, mode ?? DOWNLOAD_MODE, job);
    await options.files.removeFile(path);
    return placed;
  }

  async function fetchOne(checked: CheckedUri, job: Job): Promise<Result<void, string>> {
    if (job.abort.aborted) return err('stopped');
    const served = checked.uri.cache ? await fetchFromCache(checked, job) : ok(false);
    if (!served.ok || served.value) return served.ok ? ok(undefined) : served;
    const placed = await fetchWithoutCache(checked, job);
    if (!placed.ok || !shouldExtract(checked.uri)) return placed;
    const extracted = await placer.extract(`./${checked.to}`, checked.to, job);
    return extracted.ok ? ok(undefined) : extracted;
  }

  async function fetchAll(
    uris: readonly CommandInfoURI[],
    container: Omit<Job, 'budget'>,
  ): Promise<Result<void, string>> {
    const checkedUris: CheckedUri[] = [];
    for (const uri of uris) {
      const checked = checkUri(uri, options.frameworksHome);
      if (!checked.ok) return err(`Could not fetch '${uri.value}': ${checked.error}`);
      checkedUris.push(checked.value);
    }
    prepared ??= downloads.prepareDirectory();
    const ready = await prepared;
    if (!ready.ok) return ready;
    const nextBudget = createByteBudgets(options);
    for (const checked of checkedUris) {
      const fetched = await fetchOne(checked, { ...container, budget: nextBudget() });
      if (!fetched.ok) return err(`Failed to fetch '${checked.uri.value}': ${fetched.error}`);
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
