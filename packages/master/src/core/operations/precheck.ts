// Checks every operation of an ACCEPT before any is performed: its resources are well-formed, and an id is set only where
// operation feedback is possible.
// As in Mesos, a LAUNCH with one malformed list of resources launches none of its tasks.
import { resourcesOfOperation, validateResources } from '@meseta/resources';
import type { OfferOperation, Resource, TaskInfo, TaskStatusReason } from '@meseta/wire';
import type { Acceptance } from '../accept.js';
import { type Context, warn } from '../context.js';
import { sendEvent } from '../events.js';
import { operationError } from '../operation-records.js';
import type { Problem } from '../validation/problem.js';
import { taskError } from './launch.js';

/** Returns false after it has reported the problem to the framework. */
export function precheckOperation(ctx: Context, acceptance: Acceptance, operation: OfferOperation): boolean {
  const { framework } = acceptance;
  const { type, id, launch, launch_group } = operation;
  const checkTasks = (tasks: readonly TaskInfo[] | undefined, reason: TaskStatusReason): boolean => {
    const problem =
      checkResourceLists(operation) ?? (id === undefined ? undefined : `operation.id: must not be set for ${type}`);
    if (problem === undefined) return true;
    for (const task of tasks ?? []) taskError(ctx, framework, task, reason, problem);
    return false;
  };
  if (type === 'LAUNCH') return checkTasks(launch?.task_infos, 'REASON_TASK_INVALID');
  if (type === 'LAUNCH_GROUP') return checkTasks(launch_group?.task_group.tasks, 'REASON_TASK_GROUP_INVALID');
  const problem = checkResourceLists(operation);
  if (problem === undefined && id !== undefined && framework.connection?.kind === 'pid') {
    const message = 'operation.id: operation feedback needs the v1 scheduler API';
    warn(ctx, `${type} of framework ${framework.id}: ${message}`);
    sendEvent(ctx, framework, { type: 'ERROR', error: { message } });
    return false;
  }
  const refusal = problem ?? checkFeedback(acceptance, operation);
  if (refusal !== undefined) operationError(ctx, framework, operation, refusal);
  return refusal === undefined;
}

function checkFeedback({ agent }: Acceptance, { id }: OfferOperation): Problem {
  return id === undefined || agent.capabilities.has('AGENT_OPERATION_FEEDBACK')
    ? undefined
    : 'operation.id: the agent lacks the capability AGENT_OPERATION_FEEDBACK';
}

function checkResourceLists(operation: OfferOperation): Problem {
  for (const [field, list] of listsOf(operation)) {
    const valid = validateResources(list ?? [], field);
    if (!valid.ok) return valid.error.text;
  }
  return undefined;
}

type List = readonly [field: string, list: readonly Resource[] | undefined];

function listsOf(operation: OfferOperation): readonly List[] {
  const { launch, launch_group } = operation;
  const ofTask = (task: TaskInfo): readonly List[] => [
    ['task.resources', task.resources],
    ['executor.resources', task.executor?.resources],
  ];
  return [
    ...(launch?.task_infos ?? []).flatMap(ofTask),
    ...(launch_group?.task_group.tasks ?? []).flatMap(ofTask),
    ['executor.resources', launch_group?.executor.resources],
    ...resourcesOfOperation(operation),
  ];
}
