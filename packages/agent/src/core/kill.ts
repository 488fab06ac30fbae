// Ending tasks: who asks for it, and what comes of a framework's or executor's shutdown and of a drain.
import type { ContainerId, ExecutorId, FrameworkId, TaskId } from '@meseta/base';
import type {
  DrainConfig,
  KillPolicy,
  KillTaskMessage,
  ShutdownExecutorMessage,
  ShutdownFrameworkMessage,
} from '@meseta/wire';
import { taskKeys } from './checkpoint-records.js';
import { log, type Step, save } from './context.js';
import { killCustomTask, shutdownCustom } from './custom-executor.js';
import { DRAIN_KEY } from './disk-layout.js';
import { endIfLeaving, executorOf, settle } from './executors.js';
import type { ExecutorRecord } from './io.js';
import { graceOf, graceOver, killRun } from './run-end.js';
import { runOfTask, taskOfRun, taskRunsOf } from './runs.js';
import { checkpoints, type FrameworkRecord, isTerminal, partitionAware, tasksOf } from './state.js';
import { closeStreams, enqueueStatusUpdate, statusOf } from './status-updates.js';

export function killTask(step: Step, message: KillTaskMessage): void {
  const frameworkId = message.framework_id.value as FrameworkId;
  const taskId = message.task_id.value as TaskId;
  const framework = step.state.frameworks.get(frameworkId);
  if (framework === undefined || framework.state === 'terminating') {
    log(step, 'warning', `no framework ${frameworkId} of which task ${taskId} could be ended`);
    return;
  }
  const run = runOfTask(framework, taskId);
  if (run !== undefined) {
    killRun(step, framework, run, 'asked', graceOf(message.kill_policy));
    return;
  }
  const executor = framework.executors.get(framework.tasks.get(taskId)?.executorId as ExecutorId);
  if (executor !== undefined) {
    killCustomTask(step, framework, executor, taskId, message.kill_policy);
    return;
  }
  if (framework.streams.has(taskId)) return;
  enqueueStatusUpdate(
    step,
    framework,
    taskId,
    statusOf(step, taskId, {
      state: partitionAware(framework.info) ? 'TASK_DROPPED' : 'TASK_LOST',
      message: 'The agent has no such task',
      source: 'SOURCE_AGENT',
      reason: 'REASON_EXECUTOR_TERMINATED',
    }),
  );
}

/** Ends an executor with all that it runs. */
function endAll(step: Step, framework: FrameworkRecord, executor: ExecutorRecord): void {
  if (executor.kind === 'custom') shutdownCustom(step, framework, executor, 'shutdown');
  else for (const run of taskRunsOf(framework, executor)) killRun(step, framework, run, 'shutdown', undefined);
}

/** Nobody is left who would hear of the framework's tasks: they are ended, their updates dropped. */
export function shutdownFramework(step: Step, { framework_id }: ShutdownFrameworkMessage): void {
  const framework = step.state.frameworks.get(framework_id.value as FrameworkId);
  if (framework === undefined || framework.state === 'terminating') return;
  log(step, 'info', `framework ${framework.id} is shut down`);
  closeStreams(step, framework);
  const terminating: FrameworkRecord = { ...framework, state: 'terminating' };
  step.state.frameworks.set(framework.id, terminating);
  for (const taskId of framework.tasks.keys()) {
    if (checkpoints(framework)) for (const key of taskKeys(framework.id, taskId)) save(step, key, undefined);
  }
  for (const [executorId, executor] of framework.executors) {
    if (executor.state === 'ended') settle(step, framework.id, executorId);
    else endAll(step, step.state.frameworks.get(framework.id) ?? terminating, executor);
  }
  settle(step, framework.id, undefined);
}

export function shutdownExecutor(step: Step, message: ShutdownExecutorMessage): void {
  const framework = step.state.frameworks.get(message.framework_id?.value as FrameworkId);
  const executor = framework?.executors.get(message.executor_id?.value as ExecutorId);
  if (framework !== undefined && executor !== undefined) endAll(step, framework, executor);
}

/** Every task is ended, none is taken any more; the agent ends with the last (`leave`). */
export function leave(step: Step, message: string): void {
  const running = [...step.state.frameworks.values()].flatMap((framework) =>
    [...framework.executors.values()]
      .filter(({ state }) => state !== 'ended')
      .map((executor) => ({ framework, executor })),
  );
  step.state.leaving = message;
  if (running.length === 0) endIfLeaving(step);
  for (const { framework, executor } of running) endAll(step, framework, executor);
}

/** The operator wants this agent empty. Mesos: docs/maintenance.md. */
export function drainAgent(step: Step, config: DrainConfig): void {
  if (step.state.frameworks.size === 0 && step.state.operations.size === 0) return;
  const sinceWallMs = step.now.wallMs;
  step.state.drain = { config, sinceWallMs };
  save(step, DRAIN_KEY, { kind: 'drain', config, sinceWallMs });
  applyDrain(step);
}

/** Ends every task, within the operator's grace period where the task's own isn't shorter. */
export function applyDrain(step: Step): void {
  const { drain, frameworks } = step.state;
  if (drain === undefined) return;
  for (const framework of [...frameworks.values()]) {
    for (const executor of [...framework.executors.values()]) drainExecutor(step, framework, executor);
  }
}

/** Ends what an executor runs, as `applyDrain`; one that subscribes only now hears of it now. */
export function drainExecutor(step: Step, framework: FrameworkRecord, executor: ExecutorRecord): void {
  const { drain } = step.state;
  if (drain === undefined) return;
  const max = drain.config.max_grace_period;
  const maxMs = max === undefined ? undefined : max.nanoseconds / 1e6;
  const graceFor = (policy: KillPolicy | undefined): number | undefined =>
    maxMs === undefined ? undefined : Math.min(graceOf(policy) ?? maxMs, maxMs);
  for (const run of taskRunsOf(framework, executor)) {
    killRun(step, framework, run, 'draining', graceFor(taskOfRun(framework, run)?.info.kill_policy));
  }
  if (executor.kind !== 'custom') return;
  for (const { info, task } of [...tasksOf(framework, executor.info.executor_id.value as ExecutorId)]) {
    if (isTerminal(task.state)) continue;
    const graceMs = graceFor(info.kill_policy);
    const policy = graceMs === undefined ? undefined : { grace_period: { nanoseconds: graceMs * 1e6 } };
    killCustomTask(step, framework, executor, info.task_id.value as TaskId, policy);
  }
}

/** A drained agent is drained once; what the master sends afterwards is news. Idle executors may stay. */
export function finishDrain(step: Step): void {
  const { drain, frameworks, operations } = step.state;
  if (drain === undefined || operations.size > 0) return;
  for (const { tasks, streams } of frameworks.values()) if (tasks.size > 0 || streams.size > 0) return;
  step.state.drain = undefined;
  save(step, DRAIN_KEY, undefined);
}

/** The grace period of a task is over. */
export function killDue(step: Step, containerId: ContainerId): void {
  if (executorOf(step, containerId) !== undefined) graceOver(step, containerId);
}
