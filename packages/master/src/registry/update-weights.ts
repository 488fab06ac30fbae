// Sets the weights of some roles; all other roles keep their weights.
import { ok, type Result } from '@meseta/base';
import type { RegistryState } from './state.js';

export interface UpdateWeights {
  readonly kind: 'updateWeights';
  readonly weights: readonly { readonly role: string; readonly weight: number }[];
}

export function updateWeights(registry: RegistryState, { weights }: UpdateWeights): Result<boolean, string> {
  let changed = false;
  for (const { role, weight } of weights) {
    if (registry.weights.get(role) === weight) continue;
    registry.weights.set(role, weight);
    changed = true;
  }
  return ok(changed);
}
