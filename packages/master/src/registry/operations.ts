// The registry's operations: changes that a master makes durable before it acts on them. One file per operation.
import type { Result } from '@meseta/base';
import { type AdmitAgent, admitAgent } from './admit-agent.js';
import { type DeactivateAgent, deactivateAgent } from './deactivate-agent.js';
import { type DrainAgent, drainAgent } from './drain-agent.js';
import { type MarkAgentDrained, markAgentDrained } from './mark-agent-drained.js';
import { type MarkAgentGone, markAgentGone } from './mark-agent-gone.js';
import { type MarkAgentReachable, markAgentReachable } from './mark-agent-reachable.js';
import { type MarkAgentUnreachable, markAgentUnreachable } from './mark-agent-unreachable.js';
import { type PruneAgents, pruneAgents } from './prune-agents.js';
import { type ReactivateAgent, reactivateAgent } from './reactivate-agent.js';
import { type RecordMaster, recordMaster } from './record-master.js';
import { type RemoveAgent, removeAgent } from './remove-agent.js';
import { type StartMaintenance, startMaintenance } from './start-maintenance.js';
import type { RegistryState } from './state.js';
import { type StopMaintenance, stopMaintenance } from './stop-maintenance.js';
import { type UpdateAgent, updateAgent } from './update-agent.js';
import { type UpdateMaintenance, updateMaintenance } from './update-maintenance.js';
import { type UpdateQuota, updateQuota } from './update-quota.js';
import { type UpdateWeights, updateWeights } from './update-weights.js';

/** Plain data. Times are whole milliseconds of the wall clock; a maintenance schedule has Mesos' TimeInfo. */
export type RegistryOperation =
  | AdmitAgent
  | DeactivateAgent
  | DrainAgent
  | MarkAgentDrained
  | MarkAgentGone
  | MarkAgentReachable
  | MarkAgentUnreachable
  | PruneAgents
  | ReactivateAgent
  | RecordMaster
  | RemoveAgent
  | StartMaintenance
  | StopMaintenance
  | UpdateAgent
  | UpdateMaintenance
  | UpdateQuota
  | UpdateWeights;

/** Returns whether the registry changed. After an error the registry is unchanged; the text names the conflict. */
export function applyToRegistry(registry: RegistryState, operation: RegistryOperation): Result<boolean, string> {
  switch (operation.kind) {
    case 'admitAgent':
      return admitAgent(registry, operation);
    case 'deactivateAgent':
      return deactivateAgent(registry, operation);
    case 'drainAgent':
      return drainAgent(registry, operation);
    case 'markAgentDrained':
      return markAgentDrained(registry, operation);
    case 'markAgentGone':
      return markAgentGone(registry, operation);
    case 'markAgentReachable':
      return markAgentReachable(registry, operation);
    case 'markAgentUnreachable':
      return markAgentUnreachable(registry, operation);
    case 'pruneAgents':
      return pruneAgents(registry, operation);
    case 'reactivateAgent':
      return reactivateAgent(registry, operation);
    case 'recordMaster':
      return recordMaster(registry, operation);
    case 'removeAgent':
      return removeAgent(registry, operation);
    case 'startMaintenance':
      return startMaintenance(registry, operation);
    case 'stopMaintenance':
      return stopMaintenance(registry, operation);
    case 'updateAgent':
      return updateAgent(registry, operation);
    case 'updateMaintenance':
      return updateMaintenance(registry, operation);
    case 'updateQuota':
      return updateQuota(registry, operation);
    case 'updateWeights':
      return updateWeights(registry, operation);
  }
}
