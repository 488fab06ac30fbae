import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ok } from '@meseta/base';
import type { PlanPatch } from '../isolators/isolator.js';
import { planContext, spec } from '../testing/plans.js';
import type { ContainerSpec } from '../types.js';
import { planContainer } from './plan.js';

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
  ['a limit of no known type', { rlimits: { rlimits: [{ type: 'UNKNOWN' }] } }, /without a known type/],
];

test('PLAN-2: a spec that can not be carried out exactly is refused with the reason', () => {
  for (const [name, changes, expected] of refusals) {
    const plan = planContainer({ ...spec, ...changes }, undefined, planContext);
    assert.equal(plan.ok, false, name);
    if (!plan.ok) assert.match(plan.error, expected, name);
  }
});

test('PLAN-1: the values of a task are whole words of the plan', () => {
  const command = { shell: false, value: '/bin/echo', arguments: ['echo', '$(id)', "it's"] };
  const plan = planContainer({ ...spec, command, environment: { A: '`id`' } }, undefined, planContext);
  assert.deepEqual(plan.ok && plan.value.command, {
    program: '/bin/echo',
    argv: ['echo', '$(id)', "it's"],
    environment: { A: '`id`' },
    owner: undefined,
    rlimits: [],
    cgroup: undefined,
    cgroups: [],
    linux: undefined,
  });
});

test('the parts of several isolators are one plan: lists are added, other values are those of the last', () => {
  const patches: readonly PlanPatch[] = [
    { rlimits: [{ resource: 1, soft: 1, hard: 1 }], cgroups: ['/a'], linux: { namespaces: ['mount'], hostname: 'a' } },
    { linux: { namespaces: ['mount', 'pid'], noNewPrivileges: true }, cgroups: ['/b'] },
    { linux: { hostname: 'b', mounts: [{ kind: 'tmpfs', target: '/y', bytes: 1 }] } },
  ];
  const isolators = patches.map((patch, index) => ({
    name: String(index),
    supports: () => ok(undefined),
    plan: () => ok(patch),
  }));
  const plan = planContainer(spec, undefined, { ...planContext, isolators });
  assert.ok(plan.ok);
  const { rlimits, cgroups, linux } = plan.value.command;
  assert.deepEqual([rlimits, cgroups], [patches[0]?.rlimits, ['/a', '/b']]);
  assert.deepEqual(linux, {
    namespaces: ['mount', 'pid'],
    shared: [],
    root: undefined,
    sandboxInRoot: undefined,
    mounts: patches[2]?.linux?.mounts,
    devices: [],
    capabilities: undefined,
    noNewPrivileges: true,
    seccomp: undefined,
    workingDirectory: undefined,
    hostname: 'b',
    network: undefined,
  });
});
