// The end of what the agent runs itself: by itself, or by a polite signal, a grace period and SIGKILL. One task's end may
// end others (`pods.ts`, PODS-1).
//
// RUN-END-1: the first reason a task is ended for stays; later ones can only shorten the grace period.
// RUN-END-2: the decision is on disk (checkpointing frameworks), so that an agent that restarts carries it out.

import type { ContainerId } from '@meseta/base';
import { cancelTimer, setTimer } from '@meseta/base/core/timers';
import type { KillPolicy } from '@meseta/wire';
import { afterCommit } from './checkpoint.js';
import { type Context, cancelContainerTimers } from './context.js';
import { endExecutor } from './executors.js';
import { SIGTERM } from './exit-status.js';
import type { ContainerRecord, Kill, PodTaskRecord } from './io.js';
import { endNested, pathOf } from './nested-records.js';
import { endPodIfEmpty } from './pods.js';
import { report } from './run-reports.js';
import { putPodTask, putRun, type TaskRun, taskOfRun, taskRunOf } from './runs.js';
import { type FrameworkRecord, knowsKilling } from './state.js';

const DEFAULT_GRACE_MS = 3000;

export const graceOf = (policy: KillPolicy | undefined): number | undefined =>
  policy?.grace_period === undefined ? undefined : policy.grace_period.nanoseconds / 1e6;

/** Ends a task that the agent runs itself. `graceMs` overrides the task's own grace period. */
export function killRun(
  ctx: Context,
  framework: FrameworkRecord,
  { containerId }: TaskRun,
  why: Kill['why'],
  graceMs: number | undefined,
): void {
  // As it is now: ending one task of a pod may have ended others.
  const run = taskRunOf(ctx, containerId)?.run;
  if (run === undefined || run.state === 'ended') return;
  const policy = taskOfRun(framework, run)?.info.kill_policy;
  const grace = graceMs ?? graceOf(policy) ?? DEFAULT_GRACE_MS;
  const earlier = run.kill;
  const kill: Kill = {
    why: earlier?.why ?? why,
    sinceWallMs: earlier?.sinceWallMs ?? ctx.now.wallMs,
    graceMs: Math.min(earlier?.graceMs ?? grace, grace),
  };
  const killed: TaskRun = { ...run, kill };
  putRun(ctx, framework, killed);
  for (const kind of ['maxCompletion', 'health', 'check'] as const) cancelTimer(ctx, { kind, containerId });
  if (run.state === 'queued') {
    killedDuringLaunch(ctx, framework, killed);
    return;
  }
  if (run.state === 'launching') {
    if (earlier === undefined) ctx.effects.push({ kind: 'destroy', containerId });
    return;
  }
  if (earlier === undefined) {
    if (knowsKilling(framework.info) && why !== 'maxCompletion')
      report(ctx, framework, killed, { state: 'TASK_KILLING' });
    if (kill.graceMs > 0) ctx.effects.push({ kind: 'signal', containerId, signal: SIGTERM });
  }
  armKill(ctx, killed);
}

/** SIGKILL when what is left of the grace period is over; also after a restart of the agent. */
export function armKill(ctx: Context, { containerId, kill }: ContainerRecord): void {
  if (kill === undefined) return;
  const leftMs = kill.graceMs - Math.max(0, ctx.now.wallMs - kill.sinceWallMs);
  if (leftMs > 0) setTimer(ctx, { kind: 'kill', containerId }, leftMs);
  else graceOver(ctx, containerId);
}

export function graceOver(ctx: Context, containerId: ContainerId): void {
  cancelTimer(ctx, { kind: 'kill', containerId });
  ctx.effects.push({ kind: 'destroy', containerId });
}

/** Nothing was started yet. */
function killedDuringLaunch(ctx: Context, framework: FrameworkRecord, run: TaskRun): void {
  report(ctx, framework, run, {
    state: 'TASK_KILLED',
    message: 'Killed before the task was launched',
    source: 'SOURCE_AGENT',
    reason: 'REASON_TASK_KILLED_DURING_LAUNCH',
  });
  endRun(ctx, framework, run);
}

/** The container is gone, or never was. What the task has become was said before. */
export function endRun(ctx: Context, framework: FrameworkRecord, run: TaskRun): void {
  if (run.kind === 'command') endExecutor(ctx, framework, run);
  else endPodTask(ctx, framework, run);
}

/** A task's container is gone, or never was: PODS-1, PODS-2. What the task has become was said before. */
function endPodTask(ctx: Context, framework: FrameworkRecord, podTask: PodTaskRecord): void {
  const { containerId, taskId, executorId } = podTask;
  if (podTask.state !== 'queued') afterCommit(ctx, { kind: 'removeContainer', containerId });
  ctx.state.runs.delete(containerId);
  cancelContainerTimers(ctx, containerId);
  endNested(ctx, (id) => pathOf(id).startsWith(`${podTask.parent}/${containerId}/`), false);
  putPodTask(ctx, framework, { ...podTask, state: 'ended' });
  if (framework.tasks.get(taskId)?.task.state !== 'TASK_FINISHED') endGroup(ctx, framework, podTask);
  endPodIfEmpty(ctx, framework.id, executorId);
}

function endGroup(ctx: Context, framework: FrameworkRecord, { group }: PodTaskRecord): void {
  for (const taskId of group) {
    const podTask = framework.podTasks.get(taskId);
    if (podTask !== undefined && podTask.state !== 'ended' && podTask.kill === undefined) {
      killRun(ctx, framework, podTask, 'group', undefined);
    }
  }
}
