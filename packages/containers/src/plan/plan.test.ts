import assert from 'node:assert/strict';
import { test } from 'node:test';
import { byPerl, planOn, tools } from '../testing/plans.js';
import type { ContainerSpec } from '../types.js';

const refusals: readonly [string, Partial<ContainerSpec>, RegExp][] = [
  ['no command', { command: {} }, /command\.value/],
  ['an invalid name of a variable', { environment: { 'a=b': 'c' } }, /environment: "a=b"/],
  ['NUL', { environment: { a: 'b\0c' } }, /NUL/],
  ['a soft limit only', { rlimits: { rlimits: [{ type: 'RLMT_NOFILE', soft: 1 }] } }, /RLMT_NOFILE: expected both/],
  ['soft above hard', { rlimits: { rlimits: [{ type: 'RLMT_CPU', soft: 2, hard: 1 }] } }, /soft limit 2 is above/],
  ['a raised limit', { rlimits: { rlimits: [{ type: 'RLMT_NOFILE', soft: 1, hard: 101 }] } }, /CAP_SYS_RESOURCE/],
  [
    'a raised limit: unlimited',
    { rlimits: { rlimits: [{ type: 'RLMT_NOFILE' }] } },
    /unlimited is above the agent's own/,
  ],
  ['a limit that no shell has', { rlimits: { rlimits: [{ type: 'RLMT_NICE', soft: 1, hard: 1 }] } }, /needs prlimit/],
];

test('PLAN-2: a spec that can not be carried out exactly is refused with the reason', () => {
  for (const [name, changes, expected] of refusals) {
    for (const given of [tools, byPerl]) {
      const plan = planOn(given, changes);
      assert.equal(plan.ok, false, name);
      // Without prlimit perl can set no limit at all.
      const isLimit = given === byPerl && changes.rlimits !== undefined;
      if (!plan.ok) assert.match(plan.error, isLimit ? /rlimit_info/ : expected, name);
    }
  }
});
