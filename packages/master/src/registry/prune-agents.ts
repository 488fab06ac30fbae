// Removes old entries of unreachable and gone agents (registry garbage collection).
import { type AgentId, ok, type Result } from '@meseta/base';
import type { RegistryState } from './state.js';

export interface PruneAgents {
  readonly kind: 'pruneAgents';
  readonly unreachable: readonly AgentId[];
  readonly gone: readonly AgentId[];
}

export function pruneAgents(registry: RegistryState, { unreachable, gone }: PruneAgents): Result<boolean, string> {
  let changed = false;
  for (const id of unreachable) changed = registry.unreachable.delete(id) || changed;
  for (const id of gone) changed = registry.gone.delete(id) || changed;
  return ok(changed);
}
