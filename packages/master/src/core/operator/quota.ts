// UPDATE_QUOTA: guarantees and limits of top-level roles, checked against what is in use and what the cluster has.
import {
  addQuantities,
  containsQuantities,
  nonRevocable,
  noQuantities,
  type Quantities,
  quantitiesFrom,
  quantitiesOf,
  validateRole,
  withinLimits,
} from '@meseta/resources';
import type { QuotaConfig, QuotaRequest, Resource, ValueScalar } from '@meseta/wire';
import { quotaOf } from '../agents/recovery.js';
import { type Context, reply } from '../context.js';
import type { RequestId } from '../io.js';
import { returnOffer } from '../offers.js';
import { decide } from '../registrar.js';
import { isActive } from '../state.js';
import { firstAmong, firstOf, type Problem } from '../validation/problem.js';

/** An exabyte, in the megabytes that mem and disk are counted in. */
const MAX_MEGABYTES = 1_099_511_627_776;
const MAX_OTHERS = 1e12;

export function updateQuota(
  ctx: Context,
  request: RequestId,
  principal: string | undefined,
  configs: readonly QuotaConfig[],
  force: boolean,
): void {
  const problem = checkConfigs(configs);
  if (problem !== undefined) return reply(ctx, request, 400, problem);
  const denied = configs.find(
    ({ role }) => !ctx.state.options.authorize({ action: 'UPDATE_QUOTA', principal, value: role }),
  );
  if (denied !== undefined) return reply(ctx, request, 403, `not authorized to update the quota of '${denied.role}'`);
  const unfit = force ? undefined : checkCapacity(ctx, configs);
  if (unfit !== undefined) return reply(ctx, request, 400, `${unfit}; force: true sets it nevertheless`);
  decide(ctx, { kind: 'updateQuota', configs }, { kind: 'quotaUpdated', configs, request });
}

export function checkConfigs(configs: readonly QuotaConfig[]): Problem {
  const roles = new Set(configs.map(({ role }) => role));
  return firstOf(
    () => (configs.length === 0 ? 'quota_configs: expected at least one' : undefined),
    () => (roles.size === configs.length ? undefined : 'quota_configs: a role is named twice'),
    () => firstAmong(configs, checkConfig),
  );
}

function checkConfig({ role, guarantees, limits }: QuotaConfig): Problem {
  const valid = validateRole(role);
  if (!valid.ok) return `quota_configs.role: ${valid.error}`;
  if (role === '*') return "quota_configs.role: the role '*' can't have quota";
  if (role.includes('/')) return `quota_configs.role: only top-level roles can have quota, got '${role}'`;
  for (const [field, values] of [['guarantees', guarantees] as const, ['limits', limits] as const]) {
    for (const [name, { value }] of Object.entries(values ?? {})) {
      const max = name === 'mem' || name === 'disk' ? MAX_MEGABYTES : MAX_OTHERS;
      if (!(value >= 0 && value <= max)) {
        return `quota_configs.${field}["${name}"]: expected a number from 0 to ${max}, got ${value}`;
      }
      const limit = limits?.[name]?.value;
      if (field === 'guarantees' && limit !== undefined && value > limit) {
        return `quota_configs.guarantees["${name}"]: ${value} is more than the limit of ${limit}`;
      }
    }
  }
  return undefined;
}

function checkCapacity(ctx: Context, configs: readonly QuotaConfig[]): Problem {
  const { allocator, registrar, agents } = ctx.state;
  for (const config of configs) {
    if (!withinLimits(quotaOf(config).limits, allocator.roleUsage(config.role).consumed)) {
      return `quota_configs.limits: role '${config.role}' uses more than that`;
    }
  }
  const after = new Map(registrar.projected.quotas);
  for (const config of configs) after.set(config.role, config);
  let guaranteed: Quantities = noQuantities;
  for (const { guarantees } of after.values()) guaranteed = addQuantities(guaranteed, quantitiesFrom(guarantees ?? {}));
  let total: Quantities = noQuantities;
  for (const agent of agents.registered.values()) {
    total = addQuantities(total, quantitiesOf(nonRevocable(agent.totalResources)));
  }
  return containsQuantities(total, guaranteed)
    ? undefined
    : 'quota_configs.guarantees: all guarantees together are more than the cluster has';
}

/** SET_QUOTA, Mesos' older call: limits are the guarantees; a role that has quota already is refused. */
export function setQuota(
  ctx: Context,
  request: RequestId,
  principal: string | undefined,
  { role, guarantee, force }: QuotaRequest,
): void {
  if (role === undefined) return reply(ctx, request, 400, 'quota_request.role: is missing');
  const problem = checkGuarantee(guarantee ?? []);
  if (problem !== undefined) return reply(ctx, request, 400, problem);
  const guarantees: Record<string, ValueScalar> = {};
  for (const { name, scalar } of guarantee ?? []) if (scalar !== undefined) guarantees[name] = scalar;
  const config: QuotaConfig = { role, guarantees, limits: guarantees };
  const unfit = checkConfig(config);
  if (unfit !== undefined) return reply(ctx, request, 400, unfit);
  if (!ctx.state.options.authorize({ action: 'UPDATE_QUOTA', principal, value: role })) {
    return reply(ctx, request, 403, `not authorized to set the quota of '${role}'`);
  }
  const excess = force === true ? undefined : checkCapacity(ctx, [config]);
  if (excess !== undefined) return reply(ctx, request, 409, `${excess}; force: true sets it nevertheless`);
  if (ctx.state.registrar.projected.quotas.has(role)) {
    return reply(ctx, request, 400, `quota_request.role: '${role}' has quota already`);
  }
  const configs = [config];
  decide(ctx, { kind: 'updateQuota', configs }, { kind: 'quotaUpdated', configs, request });
}

function checkGuarantee(guarantee: readonly Resource[]): Problem {
  const seen = new Set<string>();
  if (guarantee.length === 0) return 'quota_request.guarantee: expected at least one resource';
  return firstAmong(guarantee, (resource, i) => {
    const at = `quota_request.guarantee[${i}]`;
    if (resource.type !== 'SCALAR' || resource.scalar === undefined) return `${at}: expected a scalar`;
    if (seen.has(resource.name)) return `${at}.name: '${resource.name}' is listed twice`;
    seen.add(resource.name);
    const plain = resource.disk ?? resource.reservation ?? resource.revocable ?? resource.reservations;
    return plain === undefined ? undefined : `${at}: expected a plain resource`;
  });
}

/** REMOVE_QUOTA. */
export function removeQuota(ctx: Context, request: RequestId, principal: string | undefined, role: string): void {
  if (!ctx.state.registrar.projected.quotas.has(role)) return reply(ctx, request, 400, `role: '${role}' has no quota`);
  if (!ctx.state.options.authorize({ action: 'UPDATE_QUOTA', principal, value: role })) {
    return reply(ctx, request, 403, `not authorized to remove the quota of '${role}'`);
  }
  const configs = [{ role }];
  decide(ctx, { kind: 'updateQuota', configs }, { kind: 'quotaUpdated', configs, request });
}

export function quotaUpdated(ctx: Context, configs: readonly QuotaConfig[], request: RequestId): void {
  for (const config of configs) {
    ctx.state.allocator.updateQuota(config.role, quotaOf(config));
    rescindFor(ctx, config);
  }
  reply(ctx, request, 200);
}

/** First in the role's own tree until it fits its limit, then of others until its guarantee could be met. */
function rescindFor(ctx: Context, config: QuotaConfig): void {
  const { state } = ctx;
  const { limits, guarantees } = quotaOf(config);
  const inTree = (role: string): boolean => role === config.role || role.startsWith(`${config.role}/`);
  for (const offer of [...state.offers.values()]) {
    if (withinLimits(limits, state.allocator.roleUsage(config.role).consumedOrOffered)) break;
    if (inTree(offer.role)) returnOffer(ctx, offer, 'rescinded');
  }
  if (guarantees.names.length === 0) return;
  let found = state.allocator.roleUsage(config.role).consumedOrOffered;
  for (const agent of state.agents.registered.values()) {
    if (!isActive(agent)) continue;
    if (containsQuantities(found, guarantees)) return;
    for (const id of [...agent.offers]) {
      const offer = state.offers.get(id);
      if (offer !== undefined && !inTree(offer.role)) returnOffer(ctx, offer, 'rescinded');
    }
    found = addQuantities(found, state.allocator.available(agent.id).quantities);
  }
}
