// Roles whose names are prefixes of each other: `web` is not a parent of `web-2` or `webs`.
// Draws: nothing.
// Effect: the roles of frameworks, quotas and weights have these names.
// Ends: never.
import type { Fault } from '../faults/all.js';
import type { Variation } from './variation.js';

const NAMES: Readonly<Record<string, string>> = { red: 'web', green: 'web-2', blue: 'webs', 'red/x': 'web/web' };

const newNameOf = (role: string): string => NAMES[role] ?? role;

const renameWeights = (weights: Iterable<readonly [role: string, weight: number]>) =>
  [...weights].map(([role, weight]) => [newNameOf(role), weight] as const);

function renameRoles(fault: Fault): Fault {
  if (fault.kind !== 'operator') return fault;
  const { action } = fault;
  if (action.kind === 'weights') return { ...fault, action: { ...action, weights: renameWeights(action.weights) } };
  return 'role' in action ? { ...fault, action: { ...action, role: newNameOf(action.role) } } : fault;
}

export const prefixedRoles: Variation = {
  name: 'prefixed roles',
  share: 0.25,
  draw: (_random, plan) => ({
    ...plan,
    weights: new Map(renameWeights(plan.weights)),
    frameworks: new Map([...plan.frameworks].map(([index, it]) => [index, { ...it, role: newNameOf(it.role) }])),
    faults: new Map([...plan.faults].map(([index, fault]) => [index, renameRoles(fault)])),
  }),
};
