// What views show of the process itself, beside the core's state.
import type { MasterInfo, VersionInfo } from '@meseta/wire';

export interface ProcessFacts {
  readonly build: VersionInfo;
  readonly info: MasterInfo;
  /** Wall clock. */
  readonly startedAtMs: number;
  readonly cluster: string | undefined;
  /** By name, as typed. */
  readonly flags: ReadonlyMap<string, string>;
}
