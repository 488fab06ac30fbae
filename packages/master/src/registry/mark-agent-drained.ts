// A draining agent has no tasks and operations left.
import { type AgentId, err, ok, type Result } from '@meseta/base';
import { changeAgent, operabilityOf } from './change-agent.js';
import type { RegistryState } from './state.js';

export interface MarkAgentDrained {
  readonly kind: 'markAgentDrained';
  readonly agentId: AgentId;
}

export function markAgentDrained(registry: RegistryState, { agentId }: MarkAgentDrained): Result<boolean, string> {
  const before = operabilityOf(registry, agentId);
  if (before?.drainInfo === undefined) return err(`agent ${agentId} is not draining`);
  if (before.drainInfo.state === 'DRAINED') return ok(false);
  changeAgent(registry, agentId, { ...before, drainInfo: { ...before.drainInfo, state: 'DRAINED' } });
  return ok(true);
}
