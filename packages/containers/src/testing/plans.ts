// A spec and facts about a machine for the tests of plans.
import assert from 'node:assert/strict';
import { type ContainerId, err, ok } from '@meseta/base';
import { posixRlimits } from '../isolators/posix-rlimits.js';
import { type LaunchLimits, type LaunchOwner, type LaunchPlan, type PlanContext, planContainer } from '../plan/plan.js';
import type { ContainerSpec } from '../types.js';

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
export const planContext: PlanContext = {
  isolators: [posixRlimits],
  capabilities: {
    cpusLimits: err('no cgroups'),
    memLimits: err('no cgroups'),
    rlimits: ok(undefined),
    sandboxPathVolumes: ok(undefined),
    hostPathVolumes: err('no host paths'),
    secretVolumes: err('no secrets'),
    mounts: err('no mounts'),
    capabilities: err('no capabilities'),
    seccomp: err('no profiles'),
    ipcNamespaces: err('no namespaces'),
    networks: err('no networks'),
    images: err('this agent has no image provider'),
    imageVolumes: err('this agent has no image provider'),
  },
  host: { setpriv: undefined, limits, linux: err('posix'), capabilities: [], bounding: [] },
};

export const owner: LaunchOwner = { name: 'nobody', uid: 9, gid: 9, groups: [9] };

/** The plan of a container with these changes to `spec`. */
export function planned(changes: Partial<ContainerSpec>): LaunchPlan {
  const plan = planContainer({ ...spec, ...changes }, undefined, planContext);
  assert.ok(plan.ok);
  return { ...plan.value.command, directory: { path: changes.sandbox ?? spec.sandbox, identity: '1:2' } };
}
