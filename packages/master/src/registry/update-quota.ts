// Sets guarantees and limits of roles. A configuration with neither removes the role's quota.
import { ok, type Result } from '@meseta/base';
import type { QuotaConfig } from '@meseta/wire';
import type { RegistryState } from './state.js';

export interface UpdateQuota {
  readonly kind: 'updateQuota';
  readonly configs: readonly QuotaConfig[];
}

export function updateQuota(registry: RegistryState, { configs }: UpdateQuota): Result<boolean, string> {
  for (const config of configs) {
    const quantityCount = Object.keys(config.guarantees ?? {}).length + Object.keys(config.limits ?? {}).length;
    if (quantityCount === 0) registry.quotas.delete(config.role);
    else registry.quotas.set(config.role, config);
  }
  if (registry.quotas.size > 0) registry.minimumCapabilities.add('QUOTA_V2');
  else registry.minimumCapabilities.delete('QUOTA_V2');
  return ok(configs.length > 0);
}
