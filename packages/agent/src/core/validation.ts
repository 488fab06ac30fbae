// Validation of ids and paths that become directories: those in the master's messages, in calls, and in the checkpoint. Each
// is validated here even if its sender validated it.
//
// VALIDATION-1: no id or volume gets into the state or into a path unless it is valid.
import { checkContainerId, checkId, checkPathBelow } from '@meseta/base';
import { resourcesOfOperation, validateResources } from '@meseta/resources';
import type { AgentCall, ContainerID, ExecutorInfo, OfferOperation, Resource, TaskInfo } from '@meseta/wire';
import type { CheckpointRecord } from './io.js';

type Problem = string | undefined;

function checkResources(field: string, resources: readonly Resource[] | undefined): Problem {
  const valid = validateResources(resources ?? [], field);
  return valid.ok ? undefined : valid.error.text;
}

/** The name of the link to the newest agent's directory. */
const NEWEST = 'latest';

/** The problem with the id that a master gives to this agent. */
export const checkAgentId = (field: string, id: string): Problem =>
  checkId(field, id) ?? (id === NEWEST ? `${field}: expected an id other than "${NEWEST}"` : undefined);

/** The problem with a task and its executor. */
export const checkTask = (task: TaskInfo, executor: ExecutorInfo | undefined): Problem =>
  checkId('task.task_id', task.task_id.value) ??
  checkResources('task.resources', task.resources) ??
  (executor && checkId('executor.executor_id', executor.executor_id.value)) ??
  checkResources('executor.resources', executor?.resources);

/** The problem with the resources of an operation. */
export function checkOperation(operation: OfferOperation): Problem {
  for (const [field, list] of resourcesOfOperation(operation)) {
    const problem = checkResources(field, list);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

/** The container id in a call. */
export const containerIdOf = (call: AgentCall): ContainerID | undefined =>
  (
    call.launch_nested_container ??
    call.wait_nested_container ??
    call.kill_nested_container ??
    call.remove_nested_container ??
    call.launch_nested_container_session ??
    call.attach_container_input ??
    call.attach_container_output ??
    call.launch_container ??
    call.wait_container ??
    call.kill_container ??
    call.remove_container
  )?.container_id;

export function checkContainerCall(call: AgentCall): Problem {
  const input = call.attach_container_input;
  if (input !== undefined && input.type !== 'CONTAINER_ID') {
    return `attach_container_input.type: expected CONTAINER_ID in the first record, got ${input.type ?? 'nothing'}`;
  }
  const id = containerIdOf(call);
  if (id === undefined) return 'container_id: is missing';
  const isNested = call.type?.includes('_NESTED_') === true;
  return (
    checkContainerId('container_id', id) ??
    (isNested && id.parent === undefined ? `container_id.parent: is missing; ${call.type} needs it` : undefined) ??
    (call.launch_nested_container_session?.container?.linux_info?.share_cgroups === false
      ? 'container.linux_info.share_cgroups: must not be false for sessions'
      : undefined)
  );
}

type Named = readonly [field: string, id: string];

const firstWrong = (named: readonly Named[]): Problem =>
  named.map(([field, id]) => checkId(field, id)).find((problem) => problem !== undefined);

const checkSandbox = (path: string): Problem =>
  path.startsWith('/')
    ? checkPathBelow('sandbox', path)
    : `sandbox: expected an absolute path, got ${JSON.stringify(path)}`;

/** The problem with a record of the checkpoint. */
export function checkRecord(record: CheckpointRecord): Problem {
  switch (record.kind) {
    case 'agent':
      return firstWrong([['agent.id', record.info.id?.value ?? '']]);
    case 'framework':
      return firstWrong([['framework.id', record.info.id?.value ?? '']]);
    case 'executor': {
      const { frameworkId, info, containerId, sandbox } = record.executor;
      const ids: readonly Named[] = [
        ['executor.framework_id', frameworkId],
        ['executor.executor_id', info.executor_id.value],
        ['executor.container_id', containerId],
      ];
      return firstWrong(ids) ?? checkSandbox(sandbox);
    }
    case 'podTask': {
      const { frameworkId, executorId, taskId, containerId, parent, sandbox } = record.podTask;
      const ids: readonly Named[] = [
        ['pod task.framework_id', frameworkId],
        ['pod task.executor_id', executorId],
        ['pod task.task_id', taskId],
        ['pod task.container_id', containerId],
        ['pod task.parent', parent],
      ];
      return firstWrong(ids) ?? checkSandbox(sandbox);
    }
    case 'nestedContainer': {
      const { id, containerId, sandbox } = record.nestedContainer;
      const parts: Named[] = [['nested container.container_id', containerId]];
      for (let part: ContainerID | undefined = id; part !== undefined; part = part.parent) {
        parts.push(['nested container.id', part.value]);
      }
      return firstWrong(parts) ?? checkSandbox(sandbox);
    }
    case 'task': {
      const { frameworkId, record: task } = record;
      return firstWrong([
        ['task.framework_id', frameworkId],
        ['task.task_id', task.info.task_id.value],
        ['task.executor_id', task.executorId],
      ]);
    }
    case 'sandbox':
      return firstWrong([['sandbox.container_id', record.containerId]]) ?? checkSandbox(record.path);
    case 'resources':
      return checkResources('resources', record.resources);
    case 'executorProgress':
    case 'taskProgress':
    case 'waitingStatus':
    case 'operation':
    case 'drain':
      return undefined;
  }
}
