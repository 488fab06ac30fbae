// An operator marks an agent as gone: it may never register again.
import { type AgentId, err, ok, type Result } from '@meseta/base';
import type { RegistryState } from './state.js';

export interface MarkAgentGone {
  readonly kind: 'markAgentGone';
  readonly agentId: AgentId;
  readonly atMs: number;
}

export function markAgentGone(registry: RegistryState, { agentId, atMs }: MarkAgentGone): Result<boolean, string> {
  if (registry.gone.has(agentId)) return err(`agent ${agentId} is already gone`);
  const known = registry.agents.delete(agentId) || registry.unreachable.delete(agentId);
  if (!known) return err(`agent ${agentId} is unknown`);
  registry.gone.set(agentId, atMs);
  return ok(true);
}
