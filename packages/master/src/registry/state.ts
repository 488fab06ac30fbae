// The registry in memory: the durable state that every later master recovers.
//
// Boundary: changed only by the operations in this folder, one file each. Maps are in the order of admission.
// REGISTRY-1: an agent id is in at most one of agents, unreachable and gone.
// REGISTRY-2: applying the same operations to the same state gives the same state.
import { type AgentId, addressOfPid, type Pid } from '@meseta/base';
import type {
  AgentInfo,
  DrainInfo,
  MachineID,
  MachineInfo,
  MaintenanceSchedule,
  MasterInfo,
  QuotaConfig,
} from '@meseta/wire';
import type { EncodedAgentInfo } from './agent-info.js';

export interface RegistryAgentRecord {
  /** Its resources are in the pre-refinement format wherever that format can express them. */
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
  /** Capabilities that a master needs in order to lead: AGENT_DRAINING, QUOTA_V2. */
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

/** The key of a machine in `machines`: its hostname in lower case and its IP address. */
export const machineKey = ({ hostname = '', ip = '' }: MachineID): string => `${hostname.toLowerCase()} ${ip}`;

/** The key of the machine of an agent: its hostname, and the IP address that it sends from. */
export function machineKeyOf({ info, pid }: { readonly info: AgentInfo; readonly pid: Pid }): string {
  const address = addressOfPid(pid);
  return machineKey({ hostname: info.hostname, ip: address.slice(0, address.lastIndexOf(':')) });
}
