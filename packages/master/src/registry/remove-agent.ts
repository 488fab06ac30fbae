// Removes an admitted agent: it unregistered, its machine is down, or an agent with a new id registered from its pid.
import { type AgentId, err, ok, type Result } from '@meseta/base';
import type { RegistryState } from './state.js';

export interface RemoveAgent {
  readonly kind: 'removeAgent';
  readonly agentId: AgentId;
}

export function removeAgent(registry: RegistryState, { agentId }: RemoveAgent): Result<boolean, string> {
  if (!registry.agents.delete(agentId)) return err(`agent ${agentId} is not admitted`);
  return ok(true);
}
