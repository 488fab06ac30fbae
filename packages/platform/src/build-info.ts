// Version and build information. The version is that of the Mesos interfaces that are implemented, as clients compare it.
import type { VersionInfo } from '@meseta/wire';

/** Set by scripts/build.mjs, with git's values in a checkout; undefined in bundles of tests. */
interface Stamp {
  readonly date: string;
  readonly timeSeconds: number;
  readonly user: string;
  readonly gitSha?: string;
  readonly gitBranch?: string;
  readonly gitTag?: string;
}
declare const MESETA_BUILD: Stamp | undefined;

const built: Stamp = typeof MESETA_BUILD === 'undefined' ? { date: '', timeSeconds: 0, user: '' } : MESETA_BUILD;

export type BuildInfo = Required<Pick<VersionInfo, 'build_date' | 'build_time' | 'build_user'>> & VersionInfo;

export const buildInfo: BuildInfo = {
  version: '1.12.0',
  build_date: built.date,
  build_time: built.timeSeconds,
  build_user: built.user,
  ...(built.gitSha === undefined ? {} : { git_sha: built.gitSha }),
  ...(built.gitBranch === undefined ? {} : { git_branch: built.gitBranch }),
  ...(built.gitTag === undefined ? {} : { git_tag: built.gitTag }),
};
