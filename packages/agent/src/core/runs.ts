// The containers of tasks that the agent runs itself: a command task's, which is its executor's, and those of the tasks of
// pods. `command-executor.ts` handles both alike; these functions find and store their records.
import type { ContainerId, ExecutorId, TaskId } from '@meseta/base';
import { save } from './checkpoint.js';
import type { Context } from './context.js';
import { podTaskKey } from './disk-layout.js';
import { putExecutor } from './executors.js';
import type { ExecutorRecord, PodTaskRecord, TaskRecord } from './io.js';
import { checkpoints, type FrameworkRecord } from './state.js';

export type CommandExecutor = ExecutorRecord & { readonly kind: 'command' };
export type TaskRun = CommandExecutor | PodTaskRecord;

export interface FoundRun {
  readonly framework: FrameworkRecord;
  readonly run: TaskRun;
}

export const isCommand = (executor: ExecutorRecord): executor is CommandExecutor => executor.kind === 'command';

/** The task that runs in a container; undefined for a custom executor's container and for an unknown one. */
export function taskRunOf(ctx: Pick<Context, 'state'>, containerId: ContainerId): FoundRun | undefined {
  const found = ctx.state.runs.get(containerId);
  const framework = found && ctx.state.frameworks.get(found.frameworkId);
  if (found === undefined || framework === undefined) return undefined;
  if (found.taskId !== undefined) {
    const podTask = framework.podTasks.get(found.taskId);
    return podTask && { framework, run: podTask };
  }
  const executor = framework.executors.get(found.executorId);
  return executor !== undefined && isCommand(executor) ? { framework, run: executor } : undefined;
}

/** The tasks that the agent runs itself for an executor; none for a custom executor. */
export function taskRunsOf(framework: FrameworkRecord, executor: ExecutorRecord): readonly TaskRun[] {
  if (isCommand(executor)) return [executor];
  const executorId = executor.info.executor_id.value;
  return [...framework.podTasks.values()].filter((podTask) => podTask.executorId === executorId);
}

/** The run of a task by the task's id. */
export function runOfTask(framework: FrameworkRecord, taskId: TaskId): TaskRun | undefined {
  const executor = framework.executors.get(taskId as string as ExecutorId);
  if (executor !== undefined && isCommand(executor)) return executor;
  return framework.podTasks.get(taskId);
}

export const taskOfRun = (framework: FrameworkRecord, run: TaskRun): TaskRecord | undefined =>
  framework.tasks.get(run.kind === 'podTask' ? run.taskId : (run.info.executor_id.value as TaskId));

export const executorOfRun = (framework: FrameworkRecord, run: TaskRun): ExecutorRecord | undefined =>
  run.kind === 'podTask' ? framework.executors.get(run.executorId) : run;

/** Replaces the record of a run, in the checkpoint too. */
export function putRun(ctx: Context, framework: FrameworkRecord, run: TaskRun): void {
  if (run.kind === 'command') putExecutor(ctx, framework, run);
  else putPodTask(ctx, framework, run);
}

/** Replaces the record in memory only, where a later write or a restart restores the same information. */
export function setRun(framework: FrameworkRecord, run: TaskRun): void {
  if (run.kind === 'command') framework.executors.set(run.info.executor_id.value as ExecutorId, run);
  else framework.podTasks.set(run.taskId, run);
}

export function putPodTask(ctx: Context, framework: FrameworkRecord, podTask: PodTaskRecord): void {
  framework.podTasks.set(podTask.taskId, podTask);
  if (checkpoints(framework)) save(ctx, podTaskKey(framework.id, podTask.taskId), { kind: 'podTask', podTask });
}
