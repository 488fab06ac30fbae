// RESERVE, UNRESERVE, CREATE, DESTROY, GROW_VOLUME and SHRINK_VOLUME of a framework: applied at once by master and
// allocator, so that later operations of the same ACCEPT can use the results; then sent to the agent.
import { idOf, type OperationId } from '@meseta/base';
import { add, applyOperation, contains, isPersistentVolume, type Resources, subtract } from '@meseta/resources';
import type { OfferOperation, Resource } from '@meseta/wire';
import type { Acceptance } from '../accept.js';
import type { Context } from '../context.js';
import { returnOffer } from '../offers.js';
import { checkOperationCount, operationError, sendOperation } from '../operation-records.js';
import type { Agent, Framework } from '../state.js';
import { usesOnAgent } from '../tasks.js';
import { checkOperation } from '../validation/operation.js';
import { checkAuthorization } from './authorize.js';

export function convert(ctx: Context, acceptance: Acceptance, operation: OfferOperation): void {
  const { framework, agent } = acceptance;
  const { principal } = framework;
  const current = ctx.state.agents.registered.get(agent.id) ?? agent;
  const problem =
    checkNewId(framework, operation) ??
    checkOperationCount(current) ??
    checkOperation(operation, { framework, principal, agent: current }) ??
    checkUnused(ctx, current, operation.destroy?.volumes ?? []) ??
    checkAuthorization(ctx.state.options, principal, operation) ??
    checkResized(acceptance, operation);
  if (problem !== undefined) return operationError(ctx, framework, operation, problem);
  const applied = applyOperation(acceptance.remaining, operation);
  if (!applied.ok) return operationError(ctx, framework, operation, applied.error);
  const { conversions } = applied.value;
  ctx.state.allocator.updateAllocation(framework.id, agent.id, acceptance.remaining, conversions);
  acceptance.remaining = applied.value.resources;
  for (const { consumed, converted } of conversions) {
    acceptance.created = add(subtract(acceptance.created, consumed), converted);
  }
  const resized = operation.grow_volume?.volume ?? operation.shrink_volume?.volume;
  if (resized !== undefined) acceptance.resized.add(volumeId(resized));
  rescindDestroyed(ctx, current, operation.destroy?.volumes ?? []);
  sendOperation(ctx, framework, agent.id, operation, conversions);
}

/** An operation id must be unique, because feedback is by id. */
const checkNewId = ({ operationUuids }: Framework, { id }: OfferOperation): string | undefined =>
  id !== undefined && operationUuids.has(idOf<OperationId>(id))
    ? `operation.id: the framework has an operation '${id.value}' already`
    : undefined;

const volumeId = (volume: Resource): string =>
  `${volume.disk?.persistence?.id} ${volume.reservations?.at(-1)?.role} ${volume.provider_id?.value ?? ''}`;

/** A resized volume cannot be used by a later operation of the same call. */
function checkResized({ resized }: Acceptance, operation: OfferOperation): string | undefined {
  const volumes: readonly (Resource | undefined)[] = [
    ...(operation.destroy?.volumes ?? []),
    operation.grow_volume?.volume,
    operation.shrink_volume?.volume,
  ];
  const used = volumes.find((volume) => volume !== undefined && resized.has(volumeId(volume)));
  return used === undefined ? undefined : `volume '${used.disk?.persistence?.id}' was resized in the same call`;
}

/** A volume that a task or executor uses cannot be destroyed. */
export function checkUnused(ctx: Context, agent: Agent, volumes: Resources): string | undefined {
  if (volumes.length === 0) return undefined;
  const inUse = new Set<string>();
  for (const { resources } of usesOnAgent(ctx, agent)) {
    for (const resource of resources) if (isPersistentVolume(resource)) inUse.add(volumeId(resource));
  }
  const busy = volumes.find((volume) => inUse.has(volumeId(volume)));
  return busy === undefined ? undefined : `volume '${busy.disk?.persistence?.id}' is in use`;
}

/** Rescinds other offers that contain a destroyed (shared) volume. */
function rescindDestroyed(ctx: Context, agent: Agent, volumes: Resources): void {
  if (volumes.length === 0) return;
  for (const id of [...agent.offers]) {
    const offer = ctx.state.offers.get(id);
    if (offer !== undefined && volumes.some((volume) => contains(offer.resources, [volume]))) {
      returnOffer(ctx, offer, 'rescinded');
    }
  }
}
