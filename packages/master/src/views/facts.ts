// Facts about the process that views show besides the core's state.
import type { MasterInfo, VersionInfo } from '@meseta/wire';

export interface ProcessFacts {
  readonly build: VersionInfo;
  readonly info: MasterInfo;
  /** Wall clock. */
  readonly startedAtMs: number;
  readonly cluster: string | undefined;
  /** Values by flag name, as they were given. */
  readonly flags: ReadonlyMap<string, string>;
}
