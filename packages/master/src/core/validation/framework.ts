// Validates a FrameworkInfo, and whether it may replace the known one.
import { createOfferConstraints, type OfferConstraints, type RegexLimits } from '@meseta/allocator';
import { checkId, err, ok, type Result } from '@meseta/base';
import { validateRole } from '@meseta/resources';
import type { FrameworkInfo, SchedulerOfferConstraints } from '@meseta/wire';
import { firstOf, type Problem } from './problem.js';

const isMultiRole = ({ capabilities = [] }: FrameworkInfo): boolean =>
  capabilities.some(({ type }) => type === 'MULTI_ROLE');

/** The roles that a framework subscribes to, in their order. */
export const rolesOf = (info: FrameworkInfo): readonly string[] =>
  isMultiRole(info) ? (info.roles ?? []) : [info.role ?? '*'];

export function checkFrameworkInfo(info: FrameworkInfo, allowed: ReadonlySet<string> | undefined): Problem {
  return firstOf(
    () => checkRoles(info, allowed),
    () => (info.id === undefined || info.id.value === '' ? undefined : checkId('framework_info.id', info.id.value)),
    () => checkOfferFilters(info),
    () => checkFailoverTimeout(info.failover_timeout ?? 0),
  );
}

function checkRoles(info: FrameworkInfo, allowed: ReadonlySet<string> | undefined): Problem {
  const multiRole = isMultiRole(info);
  if (multiRole && info.role !== undefined) {
    return 'framework_info.role: must not be set by a framework with MULTI_ROLE, which uses framework_info.roles';
  }
  if (!multiRole && (info.roles ?? []).length > 0) {
    return 'framework_info.roles: needs the capability MULTI_ROLE; without it use framework_info.role';
  }
  const field = multiRole ? 'framework_info.roles' : 'framework_info.role';
  const seen = new Set<string>();
  for (const role of rolesOf(info)) {
    if (seen.has(role)) return `${field}: '${role}' is listed twice`;
    seen.add(role);
    const valid = validateRole(role);
    if (!valid.ok) return `${field}: ${valid.error}`;
    if (allowed !== undefined && !allowed.has(role)) return `${field}: '${role}' is not among the master's --roles`;
  }
  return undefined;
}

function checkOfferFilters(info: FrameworkInfo): Problem {
  for (const [role, filters] of Object.entries(info.offer_filters ?? {})) {
    const field = `framework_info.offer_filters["${role}"].min_allocatable_resources`;
    for (const [i, set] of (filters.min_allocatable_resources?.quantities ?? []).entries()) {
      const entries = Object.entries(set.quantities ?? {});
      if (entries.length === 0) return `${field}.quantities[${i}]: expected at least one quantity`;
      for (const [name, { value }] of entries) {
        if (!Number.isFinite(value) || value < 0) {
          return `${field}.quantities[${i}]["${name}"]: expected a number >= 0, got ${value}`;
        }
      }
    }
  }
  return undefined;
}

/** The largest number of seconds whose nanoseconds fit in an int64: about 292 years. */
const MAX_FAILOVER_TIMEOUT_SECONDS = 9_223_372_036;

function checkFailoverTimeout(seconds: number): Problem {
  if (Math.abs(seconds) <= MAX_FAILOVER_TIMEOUT_SECONDS) return undefined;
  return `framework_info.failover_timeout: expected at most ${MAX_FAILOVER_TIMEOUT_SECONDS} seconds, got ${seconds}`;
}

export function checkSuppressedRoles(info: FrameworkInfo, suppressed: readonly string[]): Problem {
  const roles = new Set(rolesOf(info));
  for (const role of suppressed) {
    const valid = validateRole(role);
    if (!valid.ok) return `suppressed_roles: ${valid.error}`;
    if (!roles.has(role)) return `suppressed_roles: '${role}' is not among the framework's roles`;
  }
  return undefined;
}

export function readOfferConstraints(
  info: FrameworkInfo,
  source: SchedulerOfferConstraints | undefined,
  limits: RegexLimits,
): Result<OfferConstraints | undefined, string> {
  if (source === undefined) return ok(undefined);
  const roles = new Set(rolesOf(info));
  for (const role of Object.keys(source.role_constraints ?? {})) {
    if (!roles.has(role)) {
      return err(`offer_constraints.role_constraints["${role}"]: '${role}' is not among the framework's roles`);
    }
  }
  const constraints = createOfferConstraints(source, limits);
  return constraints.ok ? constraints : err(`${constraints.error.field}: ${constraints.error.text}`);
}

/** The principal of a framework cannot change. */
export function checkPrincipal(before: FrameworkInfo, after: FrameworkInfo): Problem {
  if (before.principal === after.principal) return undefined;
  const text = (principal: string | undefined): string => (principal === undefined ? 'none' : `'${principal}'`);
  return `framework_info.principal: can't be changed from ${text(before.principal)} to ${text(after.principal)}`;
}

/** The fields that UPDATE_FRAMEWORK may not change. */
export function checkUpdate(before: FrameworkInfo, after: FrameworkInfo): Problem {
  return firstOf(
    () => checkPrincipal(before, after),
    () => (before.user === after.user ? undefined : `framework_info.user: can't be changed from '${before.user}'`),
    () =>
      (before.checkpoint ?? false) === (after.checkpoint ?? false)
        ? undefined
        : `framework_info.checkpoint: can't be changed from ${before.checkpoint ?? false}`,
  );
}
