// An agent that was unreachable, or that this registry has forgotten, is back.
import { type AgentId, err, idOf, ok, type Result } from '@meseta/base';
import type { AgentInfo } from '@meseta/wire';
import type { RegistryState } from './state.js';

export interface MarkAgentReachable {
  readonly kind: 'markAgentReachable';
  readonly info: AgentInfo;
}

export function markAgentReachable(registry: RegistryState, { info }: MarkAgentReachable): Result<boolean, string> {
  if (info.id === undefined) return err('an agent without an id cannot be marked reachable');
  const id = idOf<AgentId>(info.id);
  if (registry.gone.has(id)) return err(`agent ${id} is gone`);
  if (registry.agents.has(id)) return ok(false);
  const before = registry.unreachable.get(id);
  registry.unreachable.delete(id);
  registry.agents.set(id, { info, drainInfo: before?.drainInfo, deactivated: before?.deactivated });
  return ok(true);
}
