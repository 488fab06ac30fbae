// CREATE_DISK and DESTROY_DISK need a storage resource provider, which Meseta's agents do not have.
import type { OfferOperation, Resource } from '@meseta/wire';
import type { Acceptance } from '../accept.js';
import type { Context } from '../context.js';
import { operationError } from '../operation-records.js';

export function refuseDiskOperation(ctx: Context, { framework }: Acceptance, operation: OfferOperation): void {
  operationError(ctx, framework, operation, diskProblem(operation));
}

function diskProblem({ type, create_disk, destroy_disk }: OfferOperation): string {
  const field = type === 'CREATE_DISK' ? 'create_disk' : 'destroy_disk';
  const source: Resource | undefined = create_disk?.source ?? destroy_disk?.source;
  if (source === undefined) return `operation.${field}: is missing`;
  if (source.provider_id === undefined)
    return `${field}.source.provider_id: is missing; only a provider's disks can be used`;
  return `${field}.source.provider_id: resource provider '${source.provider_id.value}' is unknown`;
}
