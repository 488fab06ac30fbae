// linux/capabilities: limits the capabilities of a container's processes (Mesos: docs/isolators/linux-capabilities.md).
//
// The effective set is what the command has, the bounding set what it can ever get. Root gets the bounding set by the exec of
// the command (capabilities(7)), as in Mesos. A task that names neither has those of the flags; without flags its user has
// what it has on the machine.
// CAPABILITIES-1: no container gets a capability that the operator's bounding set or the agent itself lacks.
import { type CapabilitySets, err, ok, type Result } from '@meseta/base';
import type { CapabilityInfo, CapabilityInfoCapability, LinuxInfo } from '@meseta/wire';
import type { Isolator } from './isolator.js';

/** By their numbers (capabilities(7), linux/capability.h). */
const NAMES: readonly CapabilityInfoCapability[] = [
  'CHOWN',
  'DAC_OVERRIDE',
  'DAC_READ_SEARCH',
  'FOWNER',
  'FSETID',
  'KILL',
  'SETGID',
  'SETUID',
  'SETPCAP',
  'LINUX_IMMUTABLE',
  'NET_BIND_SERVICE',
  'NET_BROADCAST',
  'NET_ADMIN',
  'NET_RAW',
  'IPC_LOCK',
  'IPC_OWNER',
  'SYS_MODULE',
  'SYS_RAWIO',
  'SYS_CHROOT',
  'SYS_PTRACE',
  'SYS_PACCT',
  'SYS_ADMIN',
  'SYS_BOOT',
  'SYS_NICE',
  'SYS_RESOURCE',
  'SYS_TIME',
  'SYS_TTY_CONFIG',
  'MKNOD',
  'LEASE',
  'AUDIT_WRITE',
  'AUDIT_CONTROL',
  'SETFCAP',
  'MAC_OVERRIDE',
  'MAC_ADMIN',
  'SYSLOG',
  'WAKE_ALARM',
  'BLOCK_SUSPEND',
  'AUDIT_READ',
  'PERFMON',
  'BPF',
  'CHECKPOINT_RESTORE',
];

/** `name`: without CAP_. undefined: the kernel has none of that name. */
export function capabilityNumber(name: string): number | undefined {
  const number = (NAMES as readonly string[]).indexOf(name);
  return number < 0 ? undefined : number;
}

export interface CapabilityOptions {
  /** `--effective_capabilities` */
  readonly effective: CapabilityInfo | undefined;
  /** `--bounding_capabilities` */
  readonly bounding: CapabilityInfo | undefined;
}

type Names = readonly CapabilityInfoCapability[];

/** The first of `names` that is not in `within`. */
const findOutside = (names: Names, within: Names): CapabilityInfoCapability | undefined =>
  names.find((name) => !within.includes(name));

interface NamedSets {
  readonly effective: Names;
  readonly bounding: Names;
}

/** undefined: neither the task nor the operator names any. */
function chooseSets(linux: LinuxInfo, options: CapabilityOptions): Result<NamedSets | undefined, string> {
  const wanted = (linux.effective_capabilities ?? linux.capability_info)?.capabilities;
  const wantedBounding = linux.bounding_capabilities?.capabilities;
  const allowed = options.bounding?.capabilities;
  const bounding = wantedBounding ?? allowed ?? wanted;
  const effective = wanted ?? options.effective?.capabilities ?? bounding;
  if (effective === undefined) return ok(undefined);
  const limits = bounding ?? effective;
  const beyond = allowed === undefined ? undefined : findOutside(limits, allowed);
  if (beyond !== undefined) return err(`bounding_capabilities: ${beyond} is not in --bounding_capabilities`);
  const outside = findOutside(effective, limits);
  // A default of the operator is limited by what the task names.
  if (outside !== undefined && wanted !== undefined) {
    return err(`effective_capabilities: ${outside} is not among the bounding capabilities`);
  }
  return ok({ effective: effective.filter((name) => limits.includes(name)), bounding: limits });
}

function numbersOf(names: Names, available: readonly number[]): Result<readonly number[], string> {
  const numbers = names.map((name) => NAMES.indexOf(name));
  const unknown = numbers.indexOf(-1);
  if (unknown >= 0) return err(`${names[unknown]}: expected the name of a capability`);
  const missing = numbers.find((number) => !available.includes(number));
  return missing === undefined
    ? ok([...new Set(numbers)])
    : err(`${NAMES[missing]}: this agent does not have that capability itself`);
}

export function planCapabilities(
  linux: LinuxInfo,
  options: CapabilityOptions,
  available: readonly number[],
): Result<CapabilitySets | undefined, string> {
  const sets = chooseSets(linux, options);
  if (!sets.ok || sets.value === undefined) return sets.ok ? ok(undefined) : sets;
  const effective = numbersOf(sets.value.effective, available);
  if (!effective.ok) return effective;
  const bounding = numbersOf(sets.value.bounding, available);
  return bounding.ok ? ok({ effective: effective.value, bounding: bounding.value }) : bounding;
}

export const createLinuxCapabilities = (options: CapabilityOptions): Isolator => ({
  name: 'linux/capabilities',
  provides: 'capabilities',
  supports: ({ linux }) => linux,
  plan({ container }, { capabilities: available }) {
    const capabilities = planCapabilities(container?.linux_info ?? {}, options, available);
    if (!capabilities.ok) return err(`container.linux_info.${capabilities.error}`);
    return ok(capabilities.value === undefined ? {} : { linux: { capabilities: capabilities.value } });
  },
});
