import type { LaunchOwner, LaunchPlan } from '../../plan/plan.js';
import type { ProcessPlan } from '../../supervisor/protocol.js';

/** The user's own group first. */
const userOf = ({ uid, gid, groups }: LaunchOwner): ProcessPlan['user'] => ({
  uid,
  groups: [gid, ...groups.filter((it) => it !== gid)],
});

/** A plan as the supervisor takes it. */
export const processPlan = ({
  program,
  argv,
  environment,
  directory,
  owner,
  rlimits,
  cgroups,
}: LaunchPlan): ProcessPlan => ({
  program,
  argv,
  environment,
  directory,
  user: owner === undefined ? undefined : userOf(owner),
  limits: rlimits,
  cgroups,
});
