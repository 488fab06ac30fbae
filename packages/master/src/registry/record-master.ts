// A newly elected master records itself as the leader.
import { ok, type Result } from '@meseta/base';
import type { MasterInfo } from '@meseta/wire';
import type { RegistryState } from './state.js';

export interface RecordMaster {
  readonly kind: 'recordMaster';
  readonly info: MasterInfo;
}

export function recordMaster(registry: RegistryState, { info }: RecordMaster): Result<boolean, string> {
  registry.master = info;
  return ok(true);
}
