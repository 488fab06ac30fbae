// LAUNCH: task by task; an invalid task does not stop the next one. A valid task is recorded before it is sent.
import { add, createSum, type Resources, subtract } from '@meseta/resources';
import type { ExecutorInfo, OfferOperation, TaskInfo, TaskStatusReason } from '@meseta/wire';
import { usersOfTask } from '@meseta/wire/users';
import type { Acceptance } from '../accept.js';
import { type Context, send } from '../context.js';
import { countOperation, countTaskEnd } from '../counters.js';
import { sendUpdate } from '../events.js';
import { pidForAgents } from '../frameworks/records.js';
import { createMasterUpdate } from '../master-updates.js';
import type { Framework } from '../state.js';
import { addExecutor, addTask, taskOf } from '../tasks.js';
import { chargedExecutorResources, checkTask, runningExecutor } from '../validation/task.js';
import { resourceVersionsOf, taskForAgent } from './for-agent.js';

export function launch(ctx: Context, acceptance: Acceptance, operation: OfferOperation): void {
  const { framework, agent } = acceptance;
  const sum = createSum();
  for (const task of operation.launch?.task_infos ?? []) sum.add(launchTask(ctx, acceptance, task));
  const used = sum.result();
  // Once for all tasks: that costs the allocator as much as for one.
  if (used.length > 0) ctx.state.allocator.transitionOfferedToAllocated(framework.id, agent.id, used);
}

/** A user of the task or its executor that the framework is not authorized to use; undefined if there is none. */
export const deniedUser = (
  { state }: Context,
  framework: Framework,
  task: TaskInfo,
  executor: ExecutorInfo | undefined,
): string | undefined =>
  [...usersOfTask(task, executor, framework.info.user)].find(
    (value) => !state.options.authorize({ action: 'RUN_TASK', principal: framework.principal, value }),
  );

/** Launches a task and returns the resources that it uses; none if it is refused. */
function launchTask(ctx: Context, acceptance: Acceptance, task: TaskInfo): Resources {
  const { framework, agent } = acceptance;
  const denied = deniedUser(ctx, framework, task, task.executor);
  if (denied !== undefined) {
    const text = `not authorized to launch tasks as user '${denied}'`;
    taskError(ctx, framework, task, 'REASON_TASK_UNAUTHORIZED', text);
    return [];
  }
  const place = { framework, agent, offered: acceptance.remaining };
  const problem = checkTask(task, place);
  if (problem !== undefined) {
    taskError(ctx, framework, task, 'REASON_TASK_INVALID', problem);
    return [];
  }
  const used = add(task.resources ?? [], chargedExecutorResources(place, task.executor));
  const launch_executor = task.executor === undefined || runningExecutor(place, task.executor) === undefined;
  acceptance.remaining = subtract(acceptance.remaining, used);
  if (task.executor !== undefined && launch_executor) addExecutor(framework, agent, task.executor);
  addTask(ctx, framework, agent, taskOf(ctx, task, { framework, agent, executor: task.executor }));
  countOperation(framework, { type: 'LAUNCH' });
  send(ctx, agent.pid, {
    name: 'RunTaskMessage',
    body: {
      framework: framework.info,
      pid: pidForAgents(framework),
      task: taskForAgent(agent, task),
      ...resourceVersionsOf(agent),
      launch_executor,
    },
  });
  return used;
}

/** Refuses a task with TASK_ERROR. */
export function taskError(
  ctx: Context,
  framework: Framework,
  task: TaskInfo,
  reason: TaskStatusReason,
  message: string,
): void {
  countTaskEnd(ctx, { state: 'TASK_ERROR', source: 'SOURCE_MASTER', reason });
  sendUpdate(ctx, framework, createMasterUpdate(ctx, framework, task, { state: 'TASK_ERROR', reason, message }));
}
