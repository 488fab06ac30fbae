// An operator reactivates a deactivated, draining or drained agent: it is offered again.
import { type AgentId, err, ok, type Result } from '@meseta/base';
import { changeAgent } from './change-agent.js';
import type { RegistryState } from './state.js';

export interface ReactivateAgent {
  readonly kind: 'reactivateAgent';
  readonly agentId: AgentId;
}

export function reactivateAgent(registry: RegistryState, { agentId }: ReactivateAgent): Result<boolean, string> {
  const changed = changeAgent(registry, agentId, { drainInfo: undefined, deactivated: undefined });
  if (!changed) return err(`agent ${agentId} is unknown`);
  if (!hasDeactivatedAgent(registry)) registry.minimumCapabilities.delete('AGENT_DRAINING');
  return ok(true);
}

function hasDeactivatedAgent(registry: RegistryState): boolean {
  for (const agent of registry.agents.values()) if (agent.deactivated === true) return true;
  for (const agent of registry.unreachable.values()) if (agent.deactivated === true) return true;
  return false;
}
