// LAUNCH_GROUP: launches all tasks or none. If one task fails, all get its error.
import { createSum, subtract } from '@meseta/resources';
import type { OfferOperation, TaskStatusReason } from '@meseta/wire';
import type { Acceptance } from '../accept.js';
import { type Context, send } from '../context.js';
import { countOperation } from '../counters.js';
import { addExecutor, addTask, taskOf } from '../tasks.js';
import { firstAmong } from '../validation/problem.js';
import { chargedExecutorResources, runningExecutor } from '../validation/task.js';
import { checkTaskGroup } from '../validation/task-group.js';
import { executorForAgent, resourceVersionsOf, taskForAgent } from './for-agent.js';
import { deniedUser, taskError } from './launch.js';

export function launchGroup(ctx: Context, acceptance: Acceptance, operation: OfferOperation): void {
  if (operation.launch_group === undefined) return;
  const { executor, task_group } = operation.launch_group;
  const { framework, agent } = acceptance;
  const tasks = task_group.tasks ?? [];
  const refuse = (reason: TaskStatusReason, text: string): void => {
    for (const task of tasks) taskError(ctx, framework, task, reason, text);
  };
  const denied = firstAmong(tasks, (task) => deniedUser(ctx, framework, task, executor));
  if (denied !== undefined) {
    return refuse('REASON_TASK_GROUP_UNAUTHORIZED', `not authorized to launch tasks as user '${denied}'`);
  }
  const place = { framework, agent, offered: acceptance.remaining };
  const problem = checkTaskGroup(executor, tasks, place);
  if (problem !== undefined) return refuse('REASON_TASK_GROUP_INVALID', problem);
  const sum = createSum();
  sum.add(chargedExecutorResources(place, executor));
  for (const task of tasks) sum.add(task.resources ?? []);
  const used = sum.result();
  const launch_executor = runningExecutor(place, executor) === undefined;
  acceptance.remaining = subtract(acceptance.remaining, used);
  ctx.state.allocator.transitionOfferedToAllocated(framework.id, agent.id, used);
  if (launch_executor) addExecutor(framework, agent, executor);
  for (const task of tasks) addTask(ctx, framework, agent, taskOf(ctx, task, { framework, agent, executor }));
  countOperation(framework, operation);
  send(ctx, agent.pid, {
    name: 'RunTaskGroupMessage',
    body: {
      framework: framework.info,
      executor: executorForAgent(agent, executor),
      task_group: { tasks: tasks.map((task) => taskForAgent(agent, task)) },
      ...resourceVersionsOf(agent),
      launch_executor,
    },
  });
}
