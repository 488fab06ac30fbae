// UPDATE_WEIGHTS: if a named role is in use, all offers are rescinded, so that the new shares take effect.
import { overLimit } from '@meseta/base';
import { validateRole } from '@meseta/resources';
import type { WeightInfo } from '@meseta/wire';
import { type Context, reply } from '../context.js';
import type { RequestId } from '../io.js';
import { rescindOffersOf } from '../offers.js';
import { propose } from '../registrar.js';
import type { Problem } from '../validation/problem.js';

export function updateWeights(
  ctx: Context,
  request: RequestId,
  principal: string | undefined,
  infos: readonly WeightInfo[],
): void {
  const tooMany = overLimit('weights', 'weight_infos', infos.length);
  if (tooMany !== undefined) return reply(ctx, request, 400, tooMany);
  const { authorize, roles: allowed } = ctx.state.options;
  const weights = infos.map(({ role, weight }) => ({ role: (role ?? '').trim(), weight }));
  const problem = weights.map((info) => checkWeight(info, allowed)).find((text) => text !== undefined);
  if (problem !== undefined) return reply(ctx, request, 400, problem);
  const denied = weights.find(({ role }) => !authorize({ action: 'UPDATE_WEIGHT', principal, value: role }));
  if (denied !== undefined) return reply(ctx, request, 403, `not authorized to update the weight of '${denied.role}'`);
  const roles = weights.map(({ role }) => role);
  propose(ctx, { kind: 'updateWeights', weights }, { kind: 'weightsUpdated', roles, request });
}

interface Weight {
  readonly role: string;
  readonly weight: number;
}

function checkWeight({ role, weight }: Weight, allowed: ReadonlySet<string> | undefined): Problem {
  const valid = validateRole(role);
  if (!valid.ok) return `weight_infos.role: ${valid.error}`;
  if (allowed !== undefined && !allowed.has(role)) {
    return `weight_infos.role: '${role}' is not among the master's --roles`;
  }
  return weight > 0 && Number.isFinite(weight) ? undefined : `weight_infos.weight: expected more than 0, got ${weight}`;
}

export function weightsUpdated(ctx: Context, roles: readonly string[], request: RequestId | undefined): void {
  const { state } = ctx;
  const inUse = new Set<string>();
  for (const framework of state.frameworks.values()) for (const role of framework.roles) inUse.add(role);
  state.allocator.updateWeights(state.registrar.durable.weights);
  if (roles.some((role) => inUse.has(role))) {
    for (const agent of state.agents.registered.values()) rescindOffersOf(ctx, agent);
  }
  if (request !== undefined) reply(ctx, request, 200);
}
