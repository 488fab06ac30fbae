// The system calls that limit what a process may do: its capabilities (capabilities(7)) and no_new_privs (prctl(2)).
import type { CapabilitySets } from '@meseta/base';
import type { Arena } from './child-calls.js';
import type { Step } from './child-steps.js';

const PR_SET_KEEPCAPS = 8;
const PR_CAPBSET_DROP = 24;
const PR_SET_NO_NEW_PRIVS = 38;
const PR_CAP_AMBIENT = 47;
const PR_CAP_AMBIENT_RAISE = 2;
const CAPABILITY_VERSION_3 = 0x20080522;

const maskOf = (capabilities: readonly number[]): bigint =>
  capabilities.reduce((mask, capability) => mask | (1n << BigInt(capability)), 0n);

/** Sets the effective, permitted and inheritable capabilities (capset(2)). */
function capsetStep(arena: Arena, effective: readonly number[]): Step {
  const mask = maskOf(effective);
  const low = Number(mask & 0xffffffffn);
  const high = Number(mask >> 32n);
  const bytes = (words: readonly number[]): Uint8Array => new Uint8Array(Uint32Array.from(words).buffer);
  const header = arena.bytes(bytes([CAPABILITY_VERSION_3, 0]));
  const sets = arena.bytes(bytes([low, low, low, high, high, high]));
  return { name: 'capset', arguments: [header, sets], what: 'set its capabilities' };
}

const prctl = (what: string, ...values: readonly number[]): Step => ({
  name: 'prctl',
  arguments: [...values, 0, 0, 0, 0].slice(0, 5),
  what,
});

/** Before the user is changed. `count`: how many capabilities the kernel has. */
export function boundingSteps({ bounding }: CapabilitySets, count: number): readonly Step[] {
  const what = 'limit its capabilities';
  const dropped = Array.from({ length: count }, (_, capability) => capability).filter((it) => !bounding.includes(it));
  return [...dropped.map((capability) => prctl(what, PR_CAPBSET_DROP, capability)), prctl(what, PR_SET_KEEPCAPS, 1)];
}

/** After the user was changed. The ambient set is what a program of another user than root gets. */
export function capabilitySteps(arena: Arena, { effective }: CapabilitySets, isRoot: boolean): readonly Step[] {
  const what = 'set its capabilities';
  const ambient = isRoot ? [] : effective;
  return [
    capsetStep(arena, effective),
    ...ambient.map((capability) => prctl(what, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability)),
  ];
}

export const noNewPrivilegesStep = (): Step => prctl('forbid new privileges', PR_SET_NO_NEW_PRIVS, 1);
