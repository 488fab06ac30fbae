// The znodes of a cluster below the path of its address. Mesos has `log_replicas` there, for the addresses of the replicas of
// its log; readers of the path expect only that name and the contenders, so the registry is below it.

/** The label of contenders; the server appends ten digits. */
export const CONTENDER = 'json.info_';

export interface ZnodePaths {
  readonly base: string;
  readonly registry: string;
  /** Its version is the epoch of the newest term. */
  readonly epoch: string;
  readonly records: string;
}

export const znodePaths = (base: string): ZnodePaths => {
  const registry = `${base}/log_replicas/meseta`;
  return { base, registry, epoch: `${registry}/epoch`, records: `${registry}/records` };
};

/** The path and all paths above it, the shortest first. */
export const pathsTo = (path: string): readonly string[] =>
  path
    .split('/')
    .slice(1)
    .map((_, n, parts) => `/${parts.slice(0, n + 1).join('/')}`);

/** The names of the contenders, the oldest first. */
export const contendersOf = (names: readonly string[]): readonly string[] =>
  names.filter((name) => name.startsWith(CONTENDER) && /^\d{10}$/.test(name.slice(CONTENDER.length))).sort();
