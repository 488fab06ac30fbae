// Admits an agent that registers for the first time.
import { type AgentId, err, ok, type Result } from '@meseta/base';
import type { EncodedAgentInfo } from './agent-info.js';
import type { RegistryState } from './state.js';

export interface AdmitAgent {
  readonly kind: 'admitAgent';
  readonly agentId: AgentId;
  readonly info: EncodedAgentInfo;
}

export function admitAgent(registry: RegistryState, { agentId, info }: AdmitAgent): Result<boolean, string> {
  if (registry.agents.has(agentId)) return err(`agent ${agentId} is already admitted`);
  if (registry.unreachable.has(agentId)) return err(`agent ${agentId} is marked unreachable`);
  if (registry.gone.has(agentId)) return err(`agent ${agentId} is gone`);
  registry.agents.set(agentId, { info });
  return ok(true);
}
