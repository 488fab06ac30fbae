// An admitted agent re-registered with a changed AgentInfo.
import { type AgentId, err, ok, type Result } from '@meseta/base';
import type { EncodedAgentInfo } from './agent-info.js';
import type { RegistryState } from './state.js';

export interface UpdateAgent {
  readonly kind: 'updateAgent';
  readonly agentId: AgentId;
  readonly info: EncodedAgentInfo;
}

export function updateAgent(registry: RegistryState, { agentId, info }: UpdateAgent): Result<boolean, string> {
  const record = registry.agents.get(agentId);
  if (record === undefined) return err(`agent ${agentId} is not admitted`);
  registry.agents.set(agentId, { ...record, info });
  return ok(true);
}
