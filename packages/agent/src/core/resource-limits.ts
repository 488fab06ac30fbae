import type { Capabilities, ContainerResources } from '@meseta/containers/types';

/** Why this agent can't provide one of the limits; undefined: it can. Validation has refused those of other resources. */
export function findMissingLimit(
  { cpusLimits, memLimits }: Capabilities,
  limits: ContainerResources['limits'] = {},
): string | undefined {
  const provided = [...(limits['cpus'] ? [cpusLimits] : []), ...(limits['mem'] ? [memLimits] : [])];
  const missing = provided.find(({ ok }) => !ok);
  return missing === undefined || missing.ok ? undefined : missing.error;
}
