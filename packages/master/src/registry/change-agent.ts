// The drain and deactivation state of an agent, which admitted and unreachable agents both have.
import type { AgentId } from '@meseta/base';
import type { DrainInfo } from '@meseta/wire';
import type { RegistryState } from './state.js';

interface Operability {
  readonly drainInfo: DrainInfo | undefined;
  readonly deactivated: boolean | undefined;
}

/** Returns false if the agent is neither admitted nor unreachable. */
export function changeAgent(registry: RegistryState, agentId: AgentId, change: Operability): boolean {
  const admitted = registry.agents.get(agentId);
  if (admitted !== undefined) registry.agents.set(agentId, { ...admitted, ...change });
  const unreachable = registry.unreachable.get(agentId);
  if (unreachable !== undefined) registry.unreachable.set(agentId, { ...unreachable, ...change });
  return admitted !== undefined || unreachable !== undefined;
}

export const operabilityOf = (registry: RegistryState, agentId: AgentId): Operability | undefined => {
  const record = registry.agents.get(agentId) ?? registry.unreachable.get(agentId);
  return record && { drainInfo: record.drainInfo, deactivated: record.deactivated };
};
