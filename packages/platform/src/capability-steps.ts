// The system calls that limit what a process may do: its capabilities (capabilities(7)), no_new_privs (prctl(2)) and the filter
// of its system calls (seccomp(2)).
//
// CAPABILITY-STEPS-1: the filter is loaded last: after it a process only executes its program. Without no_new_privs that needs
//   CAP_SYS_ADMIN, which the process keeps until the exec. The exec takes it away, because it computes the permitted set from
//   the inheritable, the ambient and the bounding set only (capabilities(7)).
import type { CapabilitySets, LinuxPlan } from '@meseta/base';
import type { Arena } from './child-calls.js';
import type { Step } from './child-steps.js';

const PR_SET_KEEPCAPS = 8;
const PR_SET_SECCOMP = 22;
const PR_CAPBSET_DROP = 24;
const PR_SET_NO_NEW_PRIVS = 38;
const PR_CAP_AMBIENT = 47;
const PR_CAP_AMBIENT_RAISE = 2;
const CAPABILITY_VERSION_3 = 0x20080522;
const CAP_SYS_ADMIN = 21;
const SECCOMP_MODE_FILTER = 2;
/** struct sock_filter, and struct sock_fprog with its count at 0 and its address at 8. */
const INSTRUCTION_BYTES = 8;
const PROGRAM_BYTES = 16;
const PROGRAM_ADDRESS = 8;

const maskOf = (capabilities: readonly number[]): bigint =>
  capabilities.reduce((mask, capability) => mask | (1n << BigInt(capability)), 0n);

/** Sets the effective and permitted capabilities, which are the same, and the inheritable ones (capset(2)). */
function capsetStep(arena: Arena, effective: readonly number[], inheritable: readonly number[]): Step {
  const halvesOf = (capabilities: readonly number[]): readonly [low: number, high: number] => {
    const mask = maskOf(capabilities);
    return [Number(mask & 0xffffffffn), Number(mask >> 32n)];
  };
  const [low, high] = halvesOf(effective);
  const [lowInheritable, highInheritable] = halvesOf(inheritable);
  const bytes = (words: readonly number[]): Uint8Array => new Uint8Array(Uint32Array.from(words).buffer);
  const header = arena.bytes(bytes([CAPABILITY_VERSION_3, 0]));
  const sets = arena.bytes(bytes([low, low, lowInheritable, high, high, highInheritable]));
  return { name: 'capset', arguments: [header, sets], what: 'set its capabilities' };
}

const prctl = (what: string, ...values: readonly (number | bigint)[]): Step => ({
  name: 'prctl',
  arguments: [...values, 0, 0, 0, 0].slice(0, 5),
  what,
});

/** Before the user is changed. `count`: how many capabilities the kernel has. */
export function boundingSteps({ bounding }: CapabilitySets, count: number): readonly Step[] {
  const what = 'limit its capabilities';
  const dropped = Array.from({ length: count }, (_, capability) => capability).filter((it) => !bounding.includes(it));
  return [...dropped.map((capability) => prctl(what, PR_CAPBSET_DROP, capability)), keepCapabilitiesStep()];
}

/** Before the user is changed: the change leaves the permitted set as it is. */
export const keepCapabilitiesStep = (): Step => prctl('keep its capabilities', PR_SET_KEEPCAPS, 1);

/** CAPABILITY-STEPS-1. */
export const keepsAdministration = ({ seccomp, noNewPrivileges }: LinuxPlan): boolean =>
  seccomp !== undefined && !noNewPrivileges;

/** After the user was changed, which leaves none: those that it has until it executes its program. CAPABILITY-STEPS-1. */
export const administrationSteps = (arena: Arena): readonly Step[] => [capsetStep(arena, [CAP_SYS_ADMIN], [])];

/**
 * After the user was changed. The ambient set is what a program of another user than root gets. `keepsAdmin`:
 * CAPABILITY-STEPS-1.
 */
export function capabilitySteps(
  arena: Arena,
  { effective }: CapabilitySets,
  isRoot: boolean,
  keepsAdmin: boolean,
): readonly Step[] {
  const what = 'set its capabilities';
  const ambient = isRoot ? [] : effective;
  return [
    capsetStep(arena, keepsAdmin ? [...effective, CAP_SYS_ADMIN] : effective, effective),
    ...ambient.map((capability) => prctl(what, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability)),
  ];
}

export const noNewPrivilegesStep = (): Step => prctl('forbid new privileges', PR_SET_NO_NEW_PRIVS, 1);

/** CAPABILITY-STEPS-1. */
export function seccompSteps(arena: Arena, { seccomp }: Pick<LinuxPlan, 'seccomp'>): readonly Step[] {
  if (seccomp === undefined) return [];
  const instructions = Buffer.from(seccomp, 'base64');
  const program = Buffer.alloc(PROGRAM_BYTES);
  program.writeUInt16LE(instructions.length / INSTRUCTION_BYTES);
  program.writeBigUInt64LE(arena.bytes(instructions), PROGRAM_ADDRESS);
  return [prctl('filter its system calls', PR_SET_SECCOMP, SECCOMP_MODE_FILTER, arena.bytes(program))];
}
