// The end of tasks that the agent runs itself: by themselves, or by SIGTERM, a grace period and SIGKILL. The end of one task
// may end others (PODS-1).
//
// RUN-END-1: the first reason for a kill stays; later kills can only shorten the grace period.
// RUN-END-2: for a checkpointing framework the kill is on disk before a signal is sent: an agent that restarts continues it,
//     and takes the end that the signal causes for that of a kill.

import type { ContainerId } from '@meseta/base';
import { cancelTimer, setTimer } from '@meseta/base/core/timers';
import type { KillPolicy } from '@meseta/wire';
import { afterCommit, whenDurable } from './checkpoint.js';
import { type Context, cancelContainerTimers } from './context.js';
import { endExecutor } from './executors.js';
import { SIGKILL, SIGTERM } from './exit-status.js';
import type { ContainerRecord, Kill, PodTaskRecord } from './io.js';
import { endNested, pathOf } from './nested-records.js';
import { endPodIfEmpty } from './pods.js';
import { report } from './run-reports.js';
import { putPodTask, putRun, type TaskRun, taskOfRun, taskRunOf } from './runs.js';
import { type FrameworkRecord, knowsKilling } from './state.js';

const DEFAULT_GRACE_MS = 3000;

export const graceOf = (policy: KillPolicy | undefined): number | undefined =>
  policy?.grace_period === undefined ? undefined : policy.grace_period.nanoseconds / 1e6;

/** Kills a task that the agent runs itself. `graceMs` replaces the task's own grace period. */
export function killRun(
  ctx: Context,
  framework: FrameworkRecord,
  { containerId }: TaskRun,
  why: Kill['why'],
  graceMs: number | undefined,
): void {
  // The caller's record may be outdated: the end of one task of a pod may have ended others.
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
    endKilledLaunch(ctx, framework, killed);
    return;
  }
  if (run.state === 'launching') {
    if (earlier === undefined) whenDurable(ctx, framework, { kind: 'signal', containerId, signal: SIGKILL });
    return;
  }
  if (earlier === undefined) {
    if (knowsKilling(framework.info) && why !== 'maxCompletion' && why !== 'preempted')
      report(ctx, framework, killed, { state: 'TASK_KILLING' });
    const signal = kill.graceMs > 0 ? SIGTERM : SIGKILL;
    whenDurable(ctx, framework, { kind: 'signal', containerId, signal });
  }
  if (earlier !== undefined || kill.graceMs > 0) setKillTimer(ctx, killed);
}

/** Sets the timer for SIGKILL at the end of the grace period, or sends it if that is over; also after a restart. */
export function setKillTimer(ctx: Context, { containerId, kill }: ContainerRecord): void {
  if (kill === undefined) return;
  const leftMs = kill.graceMs - Math.max(0, ctx.now.wallMs - kill.sinceWallMs);
  if (leftMs > 0) setTimer(ctx, { kind: 'kill', containerId }, leftMs);
  else destroyRun(ctx, containerId);
}

/** RUN-END-2. A container that has ended meanwhile is left alone. */
export function signalContainer(ctx: Context, containerId: ContainerId, signal: number): void {
  if (!ctx.state.runs.has(containerId)) return;
  if (signal === SIGKILL) ctx.effects.push({ kind: 'destroy', containerId });
  else ctx.effects.push({ kind: 'signal', containerId, signal });
}

export function destroyRun(ctx: Context, containerId: ContainerId): void {
  cancelTimer(ctx, { kind: 'kill', containerId });
  ctx.effects.push({ kind: 'destroy', containerId });
}

/** Ends a task whose container was not launched yet. */
function endKilledLaunch(ctx: Context, framework: FrameworkRecord, run: TaskRun): void {
  report(ctx, framework, run, {
    state: 'TASK_KILLED',
    message: 'Killed before the task was launched',
    source: 'SOURCE_AGENT',
    reason: 'REASON_TASK_KILLED_DURING_LAUNCH',
  });
  endRun(ctx, framework, run);
}

/** Ends a task whose container has ended or was never launched; its status is reported before. */
export function endRun(ctx: Context, framework: FrameworkRecord, run: TaskRun): void {
  if (run.kind === 'command') endExecutor(ctx, framework, run);
  else endPodTask(ctx, framework, run);
}

/** PODS-1, PODS-2: ends a task of a pod. */
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
