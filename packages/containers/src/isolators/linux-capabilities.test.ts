import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CapabilityInfo, CapabilityInfoCapability, LinuxInfo } from '@meseta/wire';
import { planCapabilities } from './linux-capabilities.js';

const set = (...capabilities: CapabilityInfoCapability[]): CapabilityInfo => ({ capabilities });
const CHOWN = 0;
const NET_RAW = 13;
const AVAILABLE = [CHOWN, NET_RAW, 1];

type Flags = Parameters<typeof planCapabilities>[1];
const flags = (effective?: CapabilityInfo, bounding?: CapabilityInfo): Flags => ({ effective, bounding });

test('the capabilities of a task are those that it names, else those of the flags, within the bounding set', () => {
  const table: readonly [string, LinuxInfo, Flags, readonly number[] | undefined, readonly number[] | undefined][] = [
    ['none at all', {}, flags(), undefined, undefined],
    ['both of the task', both('CHOWN', 'CHOWN', 'NET_RAW'), flags(), [CHOWN], [CHOWN, NET_RAW]],
    ['effective only', { effective_capabilities: set('NET_RAW') }, flags(), [NET_RAW], [NET_RAW]],
    ['the older field', { capability_info: set('NET_RAW') }, flags(), [NET_RAW], [NET_RAW]],
    ['bounding only', { bounding_capabilities: set('CHOWN') }, flags(), [CHOWN], [CHOWN]],
    ['an empty set', { effective_capabilities: set() }, flags(), [], []],
    ['both of the flags', {}, flags(set('CHOWN'), set('CHOWN', 'NET_RAW')), [CHOWN], [CHOWN, NET_RAW]],
    ['the bounding flag', {}, flags(undefined, set('CHOWN')), [CHOWN], [CHOWN]],
    [
      'within the flag',
      { effective_capabilities: set('CHOWN') },
      flags(undefined, set('CHOWN', 'NET_RAW')),
      [CHOWN],
      [CHOWN, NET_RAW],
    ],
    [
      'a default beyond the task',
      { bounding_capabilities: set('CHOWN') },
      flags(set('CHOWN', 'NET_RAW')),
      [CHOWN],
      [CHOWN],
    ],
  ];
  for (const [name, linux, options, effective, bounding] of table) {
    const planned = planCapabilities(linux, options, AVAILABLE);
    assert.ok(planned.ok, name);
    assert.deepEqual([planned.value?.effective, planned.value?.bounding], [effective, bounding], name);
  }
});

function both(effective: CapabilityInfoCapability, ...bounding: CapabilityInfoCapability[]): LinuxInfo {
  return { effective_capabilities: set(effective), bounding_capabilities: set(...bounding) };
}

test('CAPABILITIES-1: capabilities beyond the bounding set, the flag or the agent are refused by their name', () => {
  const table: readonly [LinuxInfo, Flags, RegExp][] = [
    [both('CHOWN', 'NET_RAW'), flags(), /^effective_capabilities: CHOWN is not among the bounding/],
    [{ effective_capabilities: set('CHOWN') }, flags(undefined, set('NET_RAW')), /^effective_capabilities: CHOWN/],
    [
      { bounding_capabilities: set('CHOWN') },
      flags(undefined, set('NET_RAW')),
      /^bounding_capabilities: CHOWN is not in/,
    ],
    [{ effective_capabilities: set('SYS_ADMIN') }, flags(), /^SYS_ADMIN: this agent does not have/],
    [{ effective_capabilities: set('UNKNOWN') }, flags(), /^UNKNOWN: expected the name of a capability/],
  ];
  for (const [linux, options, expected] of table) {
    const planned = planCapabilities(linux, options, AVAILABLE);
    assert.match(planned.ok ? 'planned' : planned.error, expected);
  }
});
