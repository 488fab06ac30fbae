// An admitted agent came back with another info.
import { type AgentId, err, idOf, ok, type Result } from '@meseta/base';
import type { AgentInfo } from '@meseta/wire';
import type { RegistryState } from './state.js';

export interface UpdateAgent {
  readonly kind: 'updateAgent';
  readonly info: AgentInfo;
}

export function updateAgent(registry: RegistryState, { info }: UpdateAgent): Result<boolean, string> {
  if (info.id === undefined) return err('an agent without an id cannot be updated');
  const id = idOf<AgentId>(info.id);
  const record = registry.agents.get(id);
  if (record === undefined) return err(`agent ${id} is not admitted`);
  registry.agents.set(id, { ...record, info });
  return ok(true);
}
