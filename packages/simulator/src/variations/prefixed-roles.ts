// Roles whose names begin with each other's: `web` is no parent of `web-2`, nor of `webs`.
// Draws: nothing.
// Strikes: the roles of frameworks, quotas and weights have these names.
// Heals: it stays.
import type { Fault } from '../faults/all.js';
import type { Variation } from './variation.js';

const NAMES: Readonly<Record<string, string>> = { red: 'web', green: 'web-2', blue: 'webs', 'red/x': 'web/web' };

const named = (role: string): string => NAMES[role] ?? role;

const namedWeights = (weights: Iterable<readonly [role: string, weight: number]>) =>
  [...weights].map(([role, weight]) => [named(role), weight] as const);

function renamed(fault: Fault): Fault {
  if (fault.kind !== 'operator') return fault;
  const { action } = fault;
  if (action.kind === 'weights') return { ...fault, action: { ...action, weights: namedWeights(action.weights) } };
  return 'role' in action ? { ...fault, action: { ...action, role: named(action.role) } } : fault;
}

export const prefixedRoles: Variation = {
  name: 'prefixed roles',
  share: 0.25,
  draw: (_random, plan) => ({
    ...plan,
    weights: new Map(namedWeights(plan.weights)),
    frameworks: new Map([...plan.frameworks].map(([index, it]) => [index, { ...it, role: named(it.role) }])),
    faults: new Map([...plan.faults].map(([index, fault]) => [index, renamed(fault)])),
  }),
};
