// An operator drains an agent: its tasks are killed, and it stays deactivated until an operator reactivates it.
import { type AgentId, err, ok, type Result } from '@meseta/base';
import type { DrainConfig } from '@meseta/wire';
import { changeAgent } from './change-agent.js';
import type { RegistryState } from './state.js';

export interface DrainAgent {
  readonly kind: 'drainAgent';
  readonly agentId: AgentId;
  readonly config: DrainConfig;
}

export function drainAgent(registry: RegistryState, { agentId, config }: DrainAgent): Result<boolean, string> {
  const drainInfo = { state: 'DRAINING', config } as const;
  if (!changeAgent(registry, agentId, { drainInfo, deactivated: true })) return err(`agent ${agentId} is unknown`);
  registry.minimumCapabilities.add('AGENT_DRAINING');
  return ok(true);
}
