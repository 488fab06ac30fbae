// UPDATE_QUOTA, SET_QUOTA and REMOVE_QUOTA: guarantees and limits of top-level roles, checked against the consumed
// resources and the capacity of the cluster.
import { type OfferId, overLimit } from '@meseta/base';
import {
  addQuantities,
  containsQuantities,
  nonRevocable,
  noQuantities,
  type Quantities,
  quantitiesFrom,
  quantitiesOf,
  sumOfQuantities,
  validateRole,
  withinLimits,
} from '@meseta/resources';
import type { QuotaConfig, QuotaRequest, Resource, ValueScalar } from '@meseta/wire';
import { quotaOf } from '../agents/recovery.js';
import { type Context, reply } from '../context.js';
import type { RequestId } from '../io.js';
import { returnOffer } from '../offers.js';
import { type AfterCommitWork, propose } from '../registrar.js';
import { isActive, type OfferRecord } from '../state.js';
import { firstAmong, type Problem } from '../validation/problem.js';

/** An exabyte in megabytes, the unit of mem and disk. */
const MAX_MEGABYTES = 1_099_511_627_776;
const MAX_OTHERS = 1e12;

export function updateQuota(
  ctx: Context,
  request: RequestId,
  principal: string | undefined,
  configs: readonly QuotaConfig[],
  force: boolean,
): void {
  const { authorize, roles } = ctx.state.options;
  const problem =
    overLimit('quotas', 'quota_configs', configs.length) ??
    firstAmong(configs, (config) => checkConfig(config, roles)) ??
    checkSize(ctx, configs);
  if (problem !== undefined) return reply(ctx, request, 400, problem);
  const excess = force ? undefined : (checkConsumption(ctx, configs) ?? checkCapacity(ctx, configs));
  if (excess !== undefined) return reply(ctx, request, 400, `${excess}; force: true sets it nevertheless`);
  const denied = configs.find(({ role }) => !authorize({ action: 'UPDATE_QUOTA', principal, value: role }));
  if (denied !== undefined) return reply(ctx, request, 403, `not authorized to update the quota of '${denied.role}'`);
  const rescinds = 'singleOffers';
  propose(ctx, { kind: 'updateQuota', configs }, { kind: 'quotaUpdated', configs, rescinds, request });
}

function checkConfig({ role, guarantees, limits }: QuotaConfig, allowed: ReadonlySet<string> | undefined): Problem {
  const valid = validateRole(role);
  if (!valid.ok) return `quota_configs.role: ${valid.error}`;
  if (allowed !== undefined && !allowed.has(role)) {
    return `quota_configs.role: '${role}' is not among the master's --roles`;
  }
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

/** The quotas of all roles after the change. */
function quotasWith(ctx: Context, configs: readonly QuotaConfig[]): ReadonlyMap<string, QuotaConfig> {
  const after = new Map(ctx.state.registrar.projected.quotas);
  for (const config of configs) after.set(config.role, config);
  return after;
}

/** Limits the number of resource names, because the allocator keeps an amount per name and role. */
function checkSize(ctx: Context, configs: readonly QuotaConfig[]): Problem {
  const names = new Set<string>();
  let roles = 0;
  for (const { guarantees = {}, limits = {} } of quotasWith(ctx, configs).values()) {
    const ownNames = [...Object.keys(guarantees), ...Object.keys(limits)];
    for (const name of ownNames) names.add(name);
    if (ownNames.length > 0) roles++;
  }
  return (
    overLimit('quotas', 'quota_configs: the roles with quota', roles) ??
    overLimit('quotas', 'quota_configs: the names of resources in all quotas', names.size)
  );
}

function checkConsumption({ state: { allocator } }: Context, configs: readonly QuotaConfig[]): Problem {
  const over = configs.find((it) => !withinLimits(quotaOf(it).limits, allocator.consumptionOf(it.role).consumed));
  return over === undefined ? undefined : `quota_configs.limits: role '${over.role}' uses more than that`;
}

function checkCapacity(ctx: Context, configs: readonly QuotaConfig[]): Problem {
  const guarantees = [...quotasWith(ctx, configs).values()].map((config) => quotaOf(config).guarantees);
  const guaranteed = sumOfQuantities(guarantees);
  const totals = [...ctx.state.agents.registered.values()].map(({ totalResources }) =>
    quantitiesOf(nonRevocable(totalResources)),
  );
  const total = sumOfQuantities(totals);
  return containsQuantities(total, guaranteed)
    ? undefined
    : 'quota_configs.guarantees: all guarantees together are more than the cluster has';
}

/** SET_QUOTA, the older call: limits are equal to the guarantees; a role that has a quota is refused. */
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
  const invalid = checkConfig(config, ctx.state.options.roles) ?? checkSize(ctx, [config]);
  if (invalid !== undefined) return reply(ctx, request, 400, invalid);
  if (ctx.state.registrar.projected.quotas.has(role)) {
    return reply(ctx, request, 400, `quota_request.role: '${role}' has quota already`);
  }
  if (!ctx.state.options.authorize({ action: 'UPDATE_QUOTA', principal, value: role })) {
    return reply(ctx, request, 403, `not authorized to set the quota of '${role}'`);
  }
  const excess = force === true ? undefined : checkCapacity(ctx, [config]);
  if (excess !== undefined) return reply(ctx, request, 409, `${excess}; force: true sets it nevertheless`);
  const configs = [config];
  const rescinds = 'offersOfAgents';
  propose(ctx, { kind: 'updateQuota', configs }, { kind: 'quotaUpdated', configs, rescinds, request });
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
  propose(ctx, { kind: 'updateQuota', configs }, { kind: 'quotaUpdated', configs, rescinds: 'none', request });
}

type QuotaUpdated = Extract<AfterCommitWork, { readonly kind: 'quotaUpdated' }>;

export function quotaUpdated(
  ctx: Context,
  configs: readonly QuotaConfig[],
  rescinds: QuotaUpdated['rescinds'],
  request: RequestId,
): void {
  const outstanding = rescinds === 'singleOffers' ? outstandingOffers(ctx) : undefined;
  // Of two configurations of a role the last one is in force.
  for (const config of new Map(configs.map((it) => [it.role, it])).values()) {
    ctx.state.allocator.updateQuota(config.role, quotaOf(config));
    if (outstanding !== undefined) rescindSingleOffers(ctx, config, outstanding);
    if (rescinds === 'offersOfAgents') rescindOffersOfAgents(ctx, config);
  }
  reply(ctx, request, 200);
}

/** The offers of the cluster, listed once for all configurations of a call. */
interface OutstandingOffers {
  /** In the order of agents. An offer is removed when it is rescinded. */
  readonly all: Set<OfferRecord>;
  /** By the top-level role of the offer's role, in the order of frameworks; rescinded offers stay. */
  readonly byTopLevelRole: ReadonlyMap<string, readonly OfferRecord[]>;
}

const topLevelRoleOf = (role: string): string => role.slice(0, `${role}/`.indexOf('/'));

function outstandingOffers(ctx: Context): OutstandingOffers {
  const byTopLevelRole = new Map<string, OfferRecord[]>();
  for (const framework of ctx.state.frameworks.values()) {
    for (const offer of offersIn(ctx, framework)) {
      const role = topLevelRoleOf(offer.role);
      const known = byTopLevelRole.get(role);
      if (known === undefined) byTopLevelRole.set(role, [offer]);
      else known.push(offer);
    }
  }
  const all = new Set([...ctx.state.agents.registered.values()].flatMap((agent) => offersIn(ctx, agent)));
  return { all, byTopLevelRole };
}

/**
 * For UPDATE_QUOTA: rescinds offers of the role and its subroles until these are within the limit, then offers of other roles
 * until the guarantee can be met. Over all configurations of a call, each offer is visited a bounded number of times: it is
 * rescinded, or its role is that of one configuration.
 */
function rescindSingleOffers(ctx: Context, config: QuotaConfig, { all, byTopLevelRole }: OutstandingOffers): void {
  const { limits, guarantees } = quotaOf(config);
  const used = (): Quantities => ctx.state.allocator.consumptionOf(config.role).consumedOrOffered;
  const rescind = (offer: OfferRecord): void => {
    all.delete(offer);
    returnOffer(ctx, offer, 'rescinded');
  };
  for (const offer of byTopLevelRole.get(config.role) ?? []) {
    if (withinLimits(limits, used())) break;
    if (all.has(offer)) rescind(offer);
  }
  let free = used();
  for (const offer of all) {
    if (containsQuantities(free, guarantees)) return;
    if (topLevelRoleOf(offer.role) === config.role) continue;
    free = addQuantities(free, offer.bundle.quantities);
    rescind(offer);
  }
}

/**
 * For SET_QUOTA: rescinds all offers of agents, one agent after another, until the guarantee can be met and as many agents
 * have free resources as frameworks have the role.
 */
function rescindOffersOfAgents(ctx: Context, { role, guarantees = {} }: QuotaConfig): void {
  const { state } = ctx;
  const wanted = quantitiesFrom(guarantees);
  let frameworks = 0;
  for (const { status, roles } of state.frameworks.values())
    if (status === 'active' && roles.includes(role)) frameworks++;
  let found = noQuantities;
  let visited = 0;
  for (const agent of state.agents.registered.values()) {
    if (containsQuantities(found, wanted) && visited >= frameworks) return;
    if (!isActive(agent)) continue;
    const offers = offersIn(ctx, agent);
    for (const offer of offers) {
      found = addQuantities(found, offer.bundle.quantities);
      returnOffer(ctx, offer, 'rescinded');
    }
    if (offers.length > 0) visited++;
  }
}

const offersIn = ({ state }: Context, { offers }: { readonly offers: ReadonlySet<OfferId> }): OfferRecord[] =>
  [...offers].flatMap((id) => state.offers.get(id) ?? []);
