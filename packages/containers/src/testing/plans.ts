// Specs, tools and plans for the tests of plans and supervisors.
import assert from 'node:assert/strict';
import { type ContainerId, err, ok } from '@meseta/base';
import { posixRlimits } from '../isolators/posix-rlimits.js';
import {
  type LaunchLimits,
  type LaunchOwner,
  type LaunchPlan,
  type LaunchTools,
  type PlanContext,
  planContainer,
} from '../plan/plan.js';
import type { ContainerSpec } from '../types.js';

export const tools: LaunchTools = {
  shell: '/bin/sh',
  setsid: '/bin/setsid',
  env: '/bin/env',
  envResetsSignals: false,
  setpriv: undefined,
  su: undefined,
  prlimit: undefined,
  bash: undefined,
  perl: undefined,
  perlSupervises: false,
};
export const byPerl: LaunchTools = { ...tools, setsid: undefined, perl: '/bin/perl', perlSupervises: true };
export const limits: LaunchLimits = {
  current: new Map([['Max open files', { soft: 50, hard: 100 }]]),
  mayRaise: false,
};
export const spec: ContainerSpec = {
  containerId: 'c' as ContainerId,
  sandbox: '/sandbox',
  user: undefined,
  command: { value: 'true' },
  environment: {},
  uris: [],
  rlimits: undefined,
  resources: [],
  container: undefined,
  volumes: [],
};
export const owner = { name: 'nobody', uid: 9, gid: 9, groups: [9] };

export const secret = 'hunter2 of the environment';

const rlimitsOf = (given: LaunchTools) => posixRlimits.supports({ tools: given, limits });

const contextOn = (given: LaunchTools): PlanContext => ({
  isolators: [posixRlimits],
  capabilities: { limits: err('no cgroups'), rlimits: rlimitsOf(given), sandboxPathVolumes: ok(undefined) },
  host: { tools: given, limits },
});

export const planContext: PlanContext = contextOn(tools);

/** The plan on a machine with these tools, or why there is none. */
export const planOn = (given: LaunchTools, changes: Partial<ContainerSpec>, as?: LaunchOwner) =>
  planContainer({ ...spec, ...changes }, as, contextOn(given));

export const planned = (extra: Partial<ContainerSpec>, as?: typeof owner, given = tools): LaunchPlan => {
  const { sandbox = spec.sandbox, ...changes } = extra;
  const plan = planOn(given, { environment: { A: secret }, ...changes }, as);
  assert.ok(plan.ok);
  return { ...plan.value.command, directory: { path: sandbox, identity: '1:2' } };
};
