// Operators' operations on an agent's unallocated resources: RESERVE_RESOURCES to SHRINK_VOLUME.
// Offers with needed resources are rescinded, with a filter, until the operation is possible; 409 if it never is.
import { type AgentId, idOf } from '@meseta/base';
import {
  applyOperation,
  contains,
  conversionsOf,
  equals,
  merge,
  type Resources,
  subtract,
  toPostRefinement,
  unallocate,
  validateResources,
} from '@meseta/resources';
import type { AgentID, MasterCall, OfferOperation, Resource } from '@meseta/wire';
import { type Context, reply } from '../context.js';
import type { RequestId } from '../io.js';
import { returnOffer } from '../offers.js';
import { checkOperationCount, sendOperation } from '../operation-records.js';
import { checkAuthorization } from '../operations/authorize.js';
import { checkUnused } from '../operations/convert.js';
import type { Agent } from '../state.js';
import { checkOperation } from '../validation/operation.js';

interface AgentOperation {
  readonly agentId: AgentId | undefined;
  readonly operation: OfferOperation;
}

/** The operation of a call and its agent; undefined if the call has no operation. */
export function operationOf(call: MasterCall): AgentOperation | undefined {
  const { reserve_resources, unreserve_resources, create_volumes, destroy_volumes, grow_volume, shrink_volume } = call;
  switch (call.type) {
    case 'RESERVE_RESOURCES':
      return onAgent(reserve_resources, ({ resources, source = [] }) => ({
        type: 'RESERVE',
        reserve: { resources: refined(resources), ...(source.length > 0 && { source: refined(source) }) },
      }));
    case 'UNRESERVE_RESOURCES':
      return onAgent(unreserve_resources, ({ resources }) => ({
        type: 'UNRESERVE',
        unreserve: { resources: refined(resources) },
      }));
    case 'CREATE_VOLUMES':
      return onAgent(create_volumes, ({ volumes }) => ({ type: 'CREATE', create: { volumes: refined(volumes) } }));
    case 'DESTROY_VOLUMES':
      return onAgent(destroy_volumes, ({ volumes }) => ({ type: 'DESTROY', destroy: { volumes: refined(volumes) } }));
    case 'GROW_VOLUME':
      return onAgent(grow_volume, ({ volume, addition }) => ({
        type: 'GROW_VOLUME',
        grow_volume: { volume: one(volume), addition: one(addition) },
      }));
    case 'SHRINK_VOLUME':
      return onAgent(shrink_volume, ({ volume, subtract: removed }) => ({
        type: 'SHRINK_VOLUME',
        shrink_volume: { volume: one(volume), subtract: removed },
      }));
    default:
      return undefined;
  }
}

function onAgent<Body extends { readonly agent_id?: AgentID | undefined }>(
  body: Body | undefined,
  operationIn: (body: Body) => OfferOperation,
): AgentOperation | undefined {
  if (body === undefined) return undefined;
  const { agent_id } = body;
  return { agentId: agent_id === undefined ? undefined : idOf<AgentId>(agent_id), operation: operationIn(body) };
}

/** Invalid resources are not changed; validation reports them. */
function refined(list: readonly Resource[] | undefined): readonly Resource[] {
  const sent = list ?? [];
  return validateResources(sent).ok ? toPostRefinement(sent) : sent;
}

const one = (resource: Resource): Resource => refined([resource])[0] ?? resource;

export function performOperation(
  ctx: Context,
  request: RequestId,
  principal: string | undefined,
  agentId: AgentId | undefined,
  operation: OfferOperation,
): void {
  const agent = agentId === undefined ? undefined : ctx.state.agents.registered.get(agentId);
  if (agent === undefined) return reply(ctx, request, 400, `agent_id: agent ${agentId ?? ''} is not registered`);
  const volumes = operation.destroy?.volumes ?? [];
  const problem =
    checkOperation(operation, { framework: undefined, principal, agent }) ??
    checkVolumesExist(agent, volumes) ??
    checkUnused(ctx, agent, volumes);
  if (problem !== undefined) return reply(ctx, request, 400, problem);
  const denied = checkAuthorization(ctx.state.options, principal, operation);
  if (denied !== undefined) return reply(ctx, request, 403, denied);
  const tooMany = checkOperationCount(agent);
  if (tooMany !== undefined) return reply(ctx, request, 409, tooMany);
  const conversions = conversionsOf(operation);
  if (!conversions.ok) return reply(ctx, request, 400, conversions.error);
  const needed = merge(conversions.value.flatMap(({ consumed }) => consumed));
  rescindOffersFor(ctx, agent, operation, needed);
  const applied = ctx.state.allocator.updateAvailable(agent.id, [operation]);
  if (!applied.ok) return reply(ctx, request, 409, applied.error);
  sendOperation(ctx, undefined, agent.id, operation, conversions.value);
  reply(ctx, request, 202);
}

/** A call that destroys a volume which does not exist is a 400, not a 409. */
function checkVolumesExist(agent: Agent, volumes: Resources): string | undefined {
  const missing = volumes.find((volume) => !contains(agent.checkpointedResources, [volume]));
  return missing === undefined
    ? undefined
    : `destroy.volumes: the agent has no volume '${missing.disk?.persistence?.id}'`;
}

/** Rescinds offers that contain needed resources, until the unallocated resources suffice. None if they never can. */
function rescindOffersFor(ctx: Context, agent: Agent, operation: OfferOperation, needed: Resources): void {
  if (!contains(agent.totalResources, needed)) return;
  const fits = (): boolean => applyOperation(ctx.state.allocator.available(agent.id).resources, operation).ok;
  let required = needed;
  for (const id of [...agent.offers]) {
    if (fits()) return;
    const offer = ctx.state.offers.get(id);
    if (offer === undefined) continue;
    const missing = subtract(required, unallocate(offer.resources));
    if (equals(missing, required)) continue;
    required = missing;
    returnOffer(ctx, offer, 'rescinded', { filters: { refuse_seconds: 5 } });
  }
}
