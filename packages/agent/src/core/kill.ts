// Ending tasks: a polite signal, a grace period, SIGKILL. And what comes of a framework's or executor's shutdown.
//
// K1: the first reason a task is ended for stays; later ones can only shorten the grace period.
// K2: the decision is on disk (checkpointing frameworks), so that an agent that restarts carries it out.
import type { ContainerId, ExecutorId, FrameworkId, TaskId } from '@meseta/base';
import type {
  DrainConfig,
  KillPolicy,
  KillTaskMessage,
  ShutdownExecutorMessage,
  ShutdownFrameworkMessage,
} from '@meseta/wire';
import { report } from './command-executor.js';
import { killCustomTask, shutdownCustom } from './custom-executor.js';
import { endIfLeaving, executorOf, settle } from './executors.js';
import type { ContainerRecord, ExecutorRecord, Kill } from './io.js';
import { DRAIN_KEY, taskKey } from './keys.js';
import { knowsKilling, partitionAware } from './launch.js';
import { endRun, putRun, runOfTask, type TaskRun, taskOfRun, taskRunOf, taskRunsOf } from './runs.js';
import { SIGTERM } from './signals.js';
import { checkpoints, type FrameworkRecord, isTerminal, tasksOf } from './state.js';
import { closeStreams, statusOf, tell } from './status-updates.js';
import { cancelTimer, log, type Step, save, setTimer } from './step.js';

const DEFAULT_GRACE_MS = 3000;

const graceOf = (policy: KillPolicy | undefined): number | undefined =>
  policy?.grace_period === undefined ? undefined : policy.grace_period.nanoseconds / 1e6;

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
  tell(
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

/** Ends a task that the agent runs itself. `graceMs` overrides the task's own grace period. */
export function killRun(
  step: Step,
  framework: FrameworkRecord,
  { containerId }: TaskRun,
  why: Kill['why'],
  graceMs: number | undefined,
): void {
  // As it is now: ending one task of a pod may have ended others.
  const run = taskRunOf(step, containerId)?.run;
  if (run === undefined || run.state === 'ended') return;
  const policy = taskOfRun(framework, run)?.info.kill_policy;
  const grace = graceMs ?? graceOf(policy) ?? DEFAULT_GRACE_MS;
  const earlier = run.kill;
  const kill: Kill = {
    why: earlier?.why ?? why,
    sinceWallMs: earlier?.sinceWallMs ?? step.now.wallMs,
    graceMs: Math.min(earlier?.graceMs ?? grace, grace),
  };
  const killed: TaskRun = { ...run, kill };
  putRun(step, framework, killed);
  for (const kind of ['maxCompletion', 'health', 'check'] as const) cancelTimer(step, { kind, containerId });
  if (run.state === 'queued') {
    killedDuringLaunch(step, framework, killed);
    return;
  }
  if (run.state === 'launching') {
    if (earlier === undefined) step.effects.push({ kind: 'destroy', containerId });
    return;
  }
  if (earlier === undefined) {
    if (knowsKilling(framework.info) && why !== 'maxCompletion')
      report(step, framework, killed, { state: 'TASK_KILLING' });
    if (kill.graceMs > 0) step.effects.push({ kind: 'signal', containerId, signal: SIGTERM });
  }
  armKill(step, killed);
}

/** SIGKILL when what is left of the grace period is over; also after a restart of the agent. */
export function armKill(step: Step, { containerId, kill }: ContainerRecord): void {
  if (kill === undefined) return;
  const leftMs = kill.graceMs - Math.max(0, step.now.wallMs - kill.sinceWallMs);
  if (leftMs > 0) setTimer(step, { kind: 'kill', containerId }, leftMs);
  else graceOver(step, containerId);
}

export function graceOver(step: Step, containerId: ContainerId): void {
  cancelTimer(step, { kind: 'kill', containerId });
  step.effects.push({ kind: 'destroy', containerId });
}

/** Nothing was started yet. */
function killedDuringLaunch(step: Step, framework: FrameworkRecord, run: TaskRun): void {
  report(step, framework, run, {
    state: 'TASK_KILLED',
    message: 'Killed before the task was launched',
    source: 'SOURCE_AGENT',
    reason: 'REASON_TASK_KILLED_DURING_LAUNCH',
  });
  endRun(step, framework, run);
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
    if (checkpoints(framework)) save(step, taskKey(framework.id, taskId), undefined);
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

/** The operator wants this agent empty. Mesos: docs/maintenance.md; behaviours.md 16. */
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
