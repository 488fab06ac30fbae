// Launch plans in the form in which the supervisor takes them.
import type { ContainerId } from '@meseta/base';
import type { LaunchOwner, LaunchPlan } from '../../plan/plan.js';
import type { ProcessPlan, SupervisorRequest } from '../../supervisor/protocol.js';

/** The user's own group first. */
const userOf = ({ uid, gid, groups }: LaunchOwner): ProcessPlan['user'] => ({
  uid,
  groups: [gid, ...groups.filter((it) => it !== gid)],
});

/** A plan as the supervisor takes it. */
export const processPlan = ({ owner, rlimits, ...plan }: LaunchPlan): ProcessPlan => ({
  program: plan.program,
  argv: plan.argv,
  environment: plan.environment,
  directory: plan.directory,
  startDirectory: plan.startDirectory,
  input: plan.input,
  user: owner === undefined ? undefined : userOf(owner),
  limits: rlimits,
  cgroups: plan.cgroups,
  oomScoreAdjustment: plan.oomScoreAdjustment,
  linux: plan.linux,
  isPause: plan.isPause,
});

export const launchRequest = (id: ContainerId, plan: LaunchPlan): SupervisorRequest => ({
  kind: 'launch',
  id,
  plan: processPlan(plan),
  cgroup: plan.cgroup,
  inside: plan.inside,
  parent: plan.parent,
});
