// The registry in memory: what every master after this one has to know.
//
// Boundary: changed only by the operations beside this file, one file each. Maps are in the order of admission.
// REGISTRY-1: an agent id is in at most one of agents, unreachable and gone.
// REGISTRY-2: applying the same operations to the same state gives the same state.
import type { AgentId } from '@meseta/base';
import type { DrainInfo, MachineInfo, MaintenanceSchedule, MasterInfo, QuotaConfig } from '@meseta/wire';
import type { EncodedAgentInfo } from './agent-info.js';

export interface RegistryAgentRecord {
  /** Resources in the pre-refinement format where that can say them. */
  readonly info: EncodedAgentInfo;
  readonly drainInfo?: DrainInfo | undefined;
  readonly deactivated?: boolean | undefined;
}

export interface RegistryUnreachableRecord {
  /** Wall clock, whole milliseconds. */
  readonly sinceMs: number;
  readonly drainInfo?: DrainInfo | undefined;
  readonly deactivated?: boolean | undefined;
}

export interface RegistryState {
  master: MasterInfo | undefined;
  readonly agents: Map<AgentId, RegistryAgentRecord>;
  readonly unreachable: Map<AgentId, RegistryUnreachableRecord>;
  /** Since when, wall clock, whole milliseconds. */
  readonly gone: Map<AgentId, number>;
  /** By `machineKey`. */
  readonly machines: Map<string, MachineInfo>;
  /** At most one. */
  schedules: readonly MaintenanceSchedule[];
  readonly quotas: Map<string, QuotaConfig>;
  readonly weights: Map<string, number>;
  /** What a master must be able to do to lead: AGENT_DRAINING, QUOTA_V2. */
  readonly minimumCapabilities: Set<string>;
}

export function emptyRegistry(): RegistryState {
  return {
    master: undefined,
    agents: new Map(),
    unreachable: new Map(),
    gone: new Map(),
    machines: new Map(),
    schedules: [],
    quotas: new Map(),
    weights: new Map(),
    minimumCapabilities: new Set(),
  };
}

/** The machine's key: hostname in lower case, and ip. */
export const machineKey = (id: { readonly hostname?: string | undefined; readonly ip?: string | undefined }): string =>
  `${(id.hostname ?? '').toLowerCase()} ${id.ip ?? ''}`;
