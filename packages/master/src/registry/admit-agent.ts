// A new agent joins the cluster.
import { type AgentId, err, idOf, ok, type Result } from '@meseta/base';
import type { AgentInfo } from '@meseta/wire';
import type { RegistryState } from './state.js';

export interface AdmitAgent {
  readonly kind: 'admitAgent';
  readonly info: AgentInfo;
}

export function admitAgent(registry: RegistryState, { info }: AdmitAgent): Result<boolean, string> {
  if (info.id === undefined) return err('an agent without an id cannot be admitted');
  const id = idOf<AgentId>(info.id);
  if (registry.agents.has(id)) return err(`agent ${id} is already admitted`);
  if (registry.unreachable.has(id)) return err(`agent ${id} is marked unreachable`);
  if (registry.gone.has(id)) return err(`agent ${id} is gone`);
  registry.agents.set(id, { info });
  return ok(true);
}
