// Dispatches the events of containers to the module that handles what runs in them: a task, a nested or standalone container,
// or a framework's own executor.
import type { ContainerEvent } from '@meseta/containers/types';
import { handleTaskContainerEvent } from './command-executor.js';
import type { Context } from './context.js';
import { handleCustomContainerEvent } from './custom-executor.js';
import { handleNestedContainerEvent } from './nested-containers.js';
import { taskRunOf } from './runs.js';
import { replyToWaitingForRun } from './waiting-calls.js';

export function handleContainerEvent(ctx: Context, event: ContainerEvent): void {
  if (event.kind === 'exited') replyToWaitingForRun(ctx, event.containerId, event);
  const task = taskRunOf(ctx, event.containerId);
  if (task !== undefined) handleTaskContainerEvent(ctx, task.framework, task.run, event);
  else if (!handleNestedContainerEvent(ctx, event)) handleCustomContainerEvent(ctx, event);
}
