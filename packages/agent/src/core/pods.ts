// Pods: task groups of the DEFAULT executor, which is the agent itself and no process. Each task has a container, whose
// sandbox is below the pod's. Mesos: docs/nested-container-and-task-group.md.
//
// PODS-1: of the tasks that were launched together, one that fails or is killed ends all; one that finishes ends none
//     (`run-end.ts`).
// PODS-2: the executor ends with its last container, with status 0; until then further tasks may be launched on it.
import type { ExecutorId, FrameworkId, TaskId } from '@meseta/base';
import { present } from '@meseta/base';
import type { Context } from './context.js';
import { taskSpec } from './executor-launch.js';
import { endExecutor, reportExecutorExited } from './executors.js';
import { persistentVolumes } from './volumes.js';

/** Launches the container of a task that is on disk, unless the task was ended meanwhile. */
export function launchPodTask(ctx: Context, frameworkId: FrameworkId, taskId: TaskId): void {
  const framework = ctx.state.frameworks.get(frameworkId);
  const podTask = framework?.podTasks.get(taskId);
  if (framework === undefined || podTask?.state !== 'queued') return;
  const executor = present(framework.executors.get(podTask.executorId), 'the executor of a container');
  framework.podTasks.set(taskId, { ...podTask, state: 'launching' });
  const { info } = present(framework.tasks.get(taskId), 'the task of a container');
  const outer = {
    containerId: executor.containerId,
    sandbox: executor.sandbox,
    volumes: persistentVolumes(ctx.state.options.workDir, executor.info.resources ?? []),
    pod: { taskId, container: executor.info.container, resources: executor.info.resources ?? [] },
  };
  ctx.effects.push({ kind: 'launch', spec: { ...taskSpec(ctx, framework, podTask, info), outer } });
}

/** PODS-2. */
export function endPodIfEmpty(ctx: Context, frameworkId: FrameworkId, executorId: ExecutorId): void {
  const framework = ctx.state.frameworks.get(frameworkId);
  const executor = framework?.executors.get(executorId);
  // The end of a group may have ended the executor before.
  if (framework === undefined || executor === undefined || executor.state === 'ended') return;
  for (const podTask of framework.podTasks.values()) {
    if (podTask.executorId === executorId && podTask.state !== 'ended') return;
  }
  reportExecutorExited(ctx, framework, executor, 0);
  endExecutor(ctx, framework, executor);
}
