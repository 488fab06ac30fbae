// An operator deactivates an agent: it is no longer offered; its tasks keep running.
import { type AgentId, err, ok, type Result } from '@meseta/base';
import { changeAgent, operabilityOf } from './change-agent.js';
import type { RegistryState } from './state.js';

export interface DeactivateAgent {
  readonly kind: 'deactivateAgent';
  readonly agentId: AgentId;
}

export function deactivateAgent(registry: RegistryState, { agentId }: DeactivateAgent): Result<boolean, string> {
  const before = operabilityOf(registry, agentId);
  if (before === undefined) return err(`agent ${agentId} is unknown`);
  if (before.deactivated === true) return ok(false);
  changeAgent(registry, agentId, { ...before, deactivated: true });
  registry.minimumCapabilities.add('AGENT_DRAINING');
  return ok(true);
}
