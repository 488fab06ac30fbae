// An agent became unreachable: it is no longer admitted, and may re-register.
import { type AgentId, err, ok, type Result } from '@meseta/base';
import type { RegistryState } from './state.js';

export interface MarkAgentUnreachable {
  readonly kind: 'markAgentUnreachable';
  readonly agentId: AgentId;
  readonly atMs: number;
}

export function markAgentUnreachable(
  registry: RegistryState,
  { agentId, atMs }: MarkAgentUnreachable,
): Result<boolean, string> {
  const record = registry.agents.get(agentId);
  if (record === undefined) return err(`agent ${agentId} is not admitted`);
  registry.agents.delete(agentId);
  registry.unreachable.set(agentId, {
    sinceMs: atMs,
    drainInfo: record.drainInfo,
    deactivated: record.deactivated,
  });
  return ok(true);
}
