// The end of what the agent runs itself: by itself, or by a polite signal, a grace period and SIGKILL. One task's end may
// end others (`pods.ts`, PODS-1).
//
// RUN-END-1: the first reason a task is ended for stays; later ones can only shorten the grace period.
// RUN-END-2: the decision is on disk (checkpointing frameworks), so that an agent that restarts carries it out.
import type { ContainerId } from '@meseta/base';
import type { KillPolicy } from '@meseta/wire';
import { cancelContainerTimers, cancelTimer, type Step, setTimer } from './context.js';
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

/** The container is gone, or never was. What the task has become was said before. */
export function endRun(step: Step, framework: FrameworkRecord, run: TaskRun): void {
  if (run.kind === 'command') endExecutor(step, framework, run);
  else endPodTask(step, framework, run);
}

/** A task's container is gone, or never was: PODS-1, PODS-2. What the task has become was said before. */
function endPodTask(step: Step, framework: FrameworkRecord, podTask: PodTaskRecord): void {
  const { containerId, taskId, executorId } = podTask;
  if (podTask.state !== 'queued') step.after.push({ kind: 'removeContainer', containerId });
  step.state.runs.delete(containerId);
  cancelContainerTimers(step, containerId);
  endNested(step, (id) => pathOf(id).startsWith(`${podTask.parent}/${containerId}/`), false);
  putPodTask(step, framework, { ...podTask, state: 'ended' });
  if (framework.tasks.get(taskId)?.task.state !== 'TASK_FINISHED') endGroup(step, framework, podTask);
  endPodIfEmpty(step, framework.id, executorId);
}

function endGroup(step: Step, framework: FrameworkRecord, { group }: PodTaskRecord): void {
  for (const taskId of group) {
    const podTask = framework.podTasks.get(taskId);
    if (podTask !== undefined && podTask.state !== 'ended' && podTask.kill === undefined) {
      killRun(step, framework, podTask, 'group', undefined);
    }
  }
}
