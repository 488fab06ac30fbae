// The approver that views use for a principal. Principals with equal rights have equal keys, so they share renderings.
import { type Approver as ActionApprover, type Authorizer, allows, principalOf } from '@meseta/security';
import { type Approver, approveAll } from '../views/approver.js';

export type ApproverOf = (principal: string | undefined) => Approver;

const seesAll = ({ kind }: ActionApprover): boolean => kind === 'all';

export function createApprovers(authorizer: Authorizer): ApproverOf {
  return (principal) => {
    const subject = principal === undefined ? undefined : principalOf(principal);
    const framework = authorizer.approverFor(subject, 'VIEW_FRAMEWORK');
    const task = authorizer.approverFor(subject, 'VIEW_TASK');
    const executor = authorizer.approverFor(subject, 'VIEW_EXECUTOR');
    const role = authorizer.approverFor(subject, 'VIEW_ROLE');
    const quota = authorizer.approverFor(subject, 'GET_QUOTA');
    const flags = authorizer.approverFor(subject, 'VIEW_FLAGS');
    const schedule = authorizer.approverFor(subject, 'GET_MAINTENANCE_SCHEDULE');
    const maintenance = authorizer.approverFor(subject, 'GET_MAINTENANCE_STATUS');
    const all = [framework, task, executor, role, quota, flags, schedule, maintenance];
    if (all.every(seesAll)) return approveAll;
    return {
      key: JSON.stringify(all.map(({ key }) => key)),
      framework: ({ info }) => allows(framework, { framework_info: info }),
      task: (shown, { info }) => allows(task, { framework_info: info, task: shown }),
      executor: (shown, { info }) => allows(executor, { framework_info: info, executor_info: shown }),
      role: (name) => allows(role, { value: name }),
      quota: (name) => allows(quota, { value: name }),
      flags: allows(flags),
      maintenanceSchedule: allows(schedule),
      maintenanceStatus: allows(maintenance),
    };
  };
}
