// An agent re-registered that was unreachable, or that the registry no longer lists (it was pruned or removed).
import { type AgentId, err, ok, type Result } from '@meseta/base';
import type { EncodedAgentInfo } from './agent-info.js';
import type { RegistryState } from './state.js';

export interface MarkAgentReachable {
  readonly kind: 'markAgentReachable';
  readonly agentId: AgentId;
  readonly info: EncodedAgentInfo;
}

export function markAgentReachable(
  registry: RegistryState,
  { agentId, info }: MarkAgentReachable,
): Result<boolean, string> {
  if (registry.gone.has(agentId)) return err(`agent ${agentId} is gone`);
  if (registry.agents.has(agentId)) return ok(false);
  const before = registry.unreachable.get(agentId);
  registry.unreachable.delete(agentId);
  registry.agents.set(agentId, { info, drainInfo: before?.drainInfo, deactivated: before?.deactivated });
  return ok(true);
}
