// Specs, tools and plans for the tests of plans and supervisors.
import assert from 'node:assert/strict';
import type { ContainerId } from '@meseta/base';
import { type LaunchLimits, type LaunchPlan, type LaunchTools, launchPlan } from '../plan/plan.js';
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
};
export const owner = { name: 'nobody', uid: 9, gid: 9, groups: [9] };

export const secret = 'hunter2 of the environment';

export const planned = (extra: Partial<ContainerSpec>, as?: typeof owner, given = tools): LaunchPlan => {
  const plan = launchPlan({ ...spec, environment: { A: secret }, ...extra }, '1:2', as, given, limits);
  assert.ok(plan.ok);
  return plan.value;
};
