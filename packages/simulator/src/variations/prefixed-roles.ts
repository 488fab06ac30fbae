// Roles whose names begin with each other's: `web` is no parent of `web-2`, nor of `webs`.
// Draws: nothing but whether.
// Strikes: the roles of frameworks, quotas and weights have these names.
// Heals: it stays.
import type { Fault } from '../run/plan.js';
import type { Variation } from './variation.js';

const NAMES: Readonly<Record<string, string>> = { red: 'web', green: 'web-2', blue: 'webs', 'red/x': 'web/web' };

const named = (role: string): string => NAMES[role] ?? role;

function renamed(fault: Fault): Fault {
  if (fault.kind !== 'operator' || !('role' in fault.action)) return fault;
  return { ...fault, action: { ...fault.action, role: named(fault.action.role) } };
}

export const prefixedRoles: Variation = {
  name: 'prefixed roles',
  share: 0.25,
  draw: (_random, plan) => ({
    ...plan,
    frameworks: new Map([...plan.frameworks].map(([index, it]) => [index, { ...it, role: named(it.role) }])),
    faults: new Map([...plan.faults].map(([index, fault]) => [index, renamed(fault)])),
  }),
};
