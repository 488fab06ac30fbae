// Turns the authorizer's answers for a principal into the approver that the views use.
import { type Authorizer, allows, type Principal } from '@meseta/security';
import type { ExecutorInfo, FrameworkInfo } from '@meseta/wire';
import type { Approver } from '../views/approver.js';

export function approverOf(authorizer: Authorizer, principal: Principal | undefined): Approver {
  const framework = authorizer.approverFor(principal, 'VIEW_FRAMEWORK');
  const task = authorizer.approverFor(principal, 'VIEW_TASK');
  const executor = authorizer.approverFor(principal, 'VIEW_EXECUTOR');
  const container = authorizer.approverFor(principal, 'VIEW_CONTAINER');
  const standalone = authorizer.approverFor(principal, 'VIEW_STANDALONE_CONTAINER');
  const sandbox = authorizer.approverFor(principal, 'ACCESS_SANDBOX');
  const role = authorizer.approverFor(principal, 'VIEW_ROLE');
  const objectOf = (executor_info: ExecutorInfo, framework_info: FrameworkInfo) => ({ framework_info, executor_info });
  return {
    framework: (framework_info) => allows(framework, { framework_info }),
    task: (shown, framework_info) => allows(task, { framework_info, task: shown }),
    executor: (info, owner) => allows(executor, objectOf(info, owner)),
    container: (info, owner) => allows(container, objectOf(info, owner)),
    standalone: (container_id) => allows(standalone, { container_id }),
    sandbox: (owner) => allows(sandbox, owner && objectOf(owner.info, owner.framework)),
    role: (value) => allows(role, { value }),
    flags: allows(authorizer.approverFor(principal, 'VIEW_FLAGS')),
    log: allows(authorizer.approverFor(principal, 'ACCESS_MESOS_LOG')),
  };
}
