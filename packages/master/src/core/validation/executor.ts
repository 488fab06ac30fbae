// Validates executors: their fields, and whether they equal a running executor with the same id.
import { checkId, isDeepEqual } from '@meseta/base';
import { equals } from '@meseta/resources';
import type { ExecutorInfo } from '@meseta/wire';
import type { Framework } from '../state.js';
import { checkCommand, checkContainer } from './command.js';
import { firstOf, type Problem } from './problem.js';
import { checkResources } from './resources.js';

export function checkExecutor(
  executor: ExecutorInfo,
  framework: Framework,
  running: ExecutorInfo | undefined,
): Problem {
  return firstOf(
    () => checkId('executor.executor_id', executor.executor_id.value),
    () =>
      executor.framework_id?.value === framework.id
        ? undefined
        : `executor.framework_id: expected ${framework.id}, got ${executor.framework_id?.value ?? 'none'}`,
    () => {
      const grace = executor.shutdown_grace_period?.nanoseconds ?? 0;
      return grace < 0 ? `executor.shutdown_grace_period: expected a duration >= 0, got ${grace} ns` : undefined;
    },
    () => checkType(executor),
    () =>
      (executor.resources ?? []).length === 0 ? undefined : checkResources('executor.resources', executor.resources),
    () => (executor.command === undefined ? undefined : checkCommand('executor.command', executor.command)),
    () => (executor.container === undefined ? undefined : checkContainer('executor.container', executor.container)),
    () =>
      executor.container?.linux_info?.share_cgroups === true
        ? 'executor.container.linux_info.share_cgroups: must not be true for an executor'
        : undefined,
    () =>
      running === undefined || isSameExecutor(running, executor)
        ? undefined
        : `executor: an executor '${executor.executor_id.value}' with another ExecutorInfo is running on the agent`,
  );
}

function checkType({ type, command, container }: ExecutorInfo): Problem {
  if (type === 'DEFAULT') {
    if (command !== undefined) return 'executor.command: must not be set for type DEFAULT';
    if (container !== undefined && container.type !== 'MESOS') {
      return `executor.container.type: expected MESOS for type DEFAULT, got ${container.type}`;
    }
    if (container?.mesos?.image !== undefined)
      return 'executor.container.mesos.image: must not be set for type DEFAULT';
    return undefined;
  }
  if (type !== undefined && type !== 'CUSTOM') return `executor.type: expected DEFAULT or CUSTOM, got ${type}`;
  return command === undefined ? 'executor.command: is missing' : undefined;
}

export function isSameExecutor(a: ExecutorInfo, b: ExecutorInfo): boolean {
  const { resources: mine, ...restA } = a;
  const { resources: theirs, ...restB } = b;
  return equals(mine ?? [], theirs ?? []) && isDeepEqual(restA, restB);
}
