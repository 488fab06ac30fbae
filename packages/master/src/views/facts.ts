// What views show of the process itself, beside the core's state.
import type { MasterInfo } from '@meseta/wire';

export interface BuildInfo {
  readonly version: string;
  readonly build_date: string;
  /** Seconds since the epoch. */
  readonly build_time: number;
  readonly build_user: string;
}

export interface ProcessFacts {
  readonly build: BuildInfo;
  readonly info: MasterInfo;
  /** Wall clock. */
  readonly startedAtMs: number;
  readonly cluster: string | undefined;
  /** By name, as typed. */
  readonly flags: ReadonlyMap<string, string>;
}
