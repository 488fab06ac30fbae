// The executor that the agent itself is, for command tasks and the tasks of pods: it turns what a task's container does
// into task statuses. What a status of such a task says of its state:
//   the command has been forked: TASK_STARTING, TASK_RUNNING
//   it ended by itself:          TASK_FINISHED with status 0, else TASK_FAILED
//   it was ended:                TASK_KILLED, whatever its exit status; past max_completion_time TASK_FAILED
//   it never ran:                TASK_FAILED, or TASK_KILLED if it was ended before

import type { ContainerId } from '@meseta/base';
import { cancelTimer, setTimer } from '@meseta/base/core/timers';
import type { ContainerEvent, ExitStatus, ProbeResult } from '@meseta/containers/types';
import type { CheckStatusInfo } from '@meseta/wire';
import { checkProbe, checkStatus, healthProbe, initialCheck, judgeHealth, sameCheckStatus, timesOf } from './checks.js';
import { type Context, log } from './context.js';
import { customContainerEvent } from './custom-executor.js';
import { environmentOfRun, variablesOf } from './environment.js';
import { userOf } from './executors.js';
import { exitMessage } from './exit-status.js';
import type { CheckKind, TaskRecord } from './io.js';
import { nestedContainerEvent } from './nested-containers.js';
import { endRun, killRun } from './run-end.js';
import { report } from './run-reports.js';
import { noteRun, putRun, type TaskRun, taskOfRun, taskRunOf } from './runs.js';
import type { FrameworkRecord } from './state.js';
import type { StatusFields } from './status-updates.js';
import { answerWaitingForRun } from './waiting-calls.js';

export function containerEvent(ctx: Context, event: ContainerEvent): void {
  if (event.kind === 'exited') answerWaitingForRun(ctx, event.containerId, event.status);
  const found = taskRunOf(ctx, event.containerId);
  if (found === undefined) {
    if (!nestedContainerEvent(ctx, event)) customContainerEvent(ctx, event);
    return;
  }
  const { framework, run } = found;
  switch (event.kind) {
    case 'started':
      if (run.state === 'launching') started(ctx, framework, run, event.pid);
      return;
    case 'launchFailed':
      launchFailed(ctx, framework, run, event.message);
      return;
    case 'exited':
      exited(ctx, framework, run, event.status);
      return;
  }
}

function started(ctx: Context, framework: FrameworkRecord, run: TaskRun, pid: number): void {
  // Spreading the run here makes V8 (of Node 20) give every record a hidden class of its own.
  const running: TaskRun = Object.assign({}, run, { state: 'running', pid, startedWallMs: ctx.now.wallMs } as const);
  // Ended before it began: the destruction is under way, its end is all that will be told.
  if (run.kill !== undefined) {
    noteRun(framework, running);
    return;
  }
  putRun(ctx, framework, running);
  report(ctx, framework, running, { state: 'TASK_STARTING' });
  report(ctx, framework, running, { state: 'TASK_RUNNING' });
  noteUsersOfChecks(ctx, framework, running);
  superviseRun(ctx, framework, running);
}

/** As in Mesos, a check runs as its task does; whoever wrote another user into it should know. */
function noteUsersOfChecks(ctx: Context, framework: FrameworkRecord, run: TaskRun): void {
  const info = taskOfRun(framework, run)?.info;
  const user = info && userOf(ctx, framework.info, info.command);
  for (const named of [info?.health_check?.command?.user, info?.check?.command?.command.user]) {
    if (info === undefined || named === undefined || named === user) continue;
    const text = `a check of task ${info.task_id.value} names the user ${named} and runs as the task's, ${user ?? "the agent's own"}`;
    log(ctx, 'warning', text);
  }
}

/** Starts the checks and the clock of a running command, anew after a restart of the agent. */
export function superviseRun(ctx: Context, framework: FrameworkRecord, run: TaskRun): void {
  const record = taskOfRun(framework, run);
  const checks = ctx.state.runs.get(run.containerId);
  if (record === undefined || checks === undefined) return;
  const { containerId } = run;
  const { info } = record;
  const ran = ctx.now.wallMs - (run.startedWallMs ?? ctx.now.wallMs);
  if (info.max_completion_time !== undefined && run.kill === undefined) {
    setTimer(ctx, { kind: 'maxCompletion', containerId }, info.max_completion_time.nanoseconds / 1e6 - ran);
  }
  const begun = ctx.now.monoMs - ran;
  const wasHealthy = record.task.statuses?.some(({ healthy }) => healthy === true) === true;
  const { health_check, check } = info;
  ctx.state.runs.set(containerId, {
    ...checks,
    health: health_check === undefined ? undefined : initialCheck(begun, wasHealthy),
    check: check === undefined ? undefined : initialCheck(begun),
  });
  if (run.kill !== undefined) return;
  for (const [kind, it] of [['health', health_check] as const, ['check', check] as const]) {
    if (it !== undefined) setTimer(ctx, { kind, containerId }, Math.max(0, timesOf(it).delayMs - ran));
  }
}

function launchFailed(ctx: Context, framework: FrameworkRecord, run: TaskRun, message: string): void {
  if (run.kill === undefined) ctx.state.counters.containerLaunchErrors++;
  const killed = run.kill !== undefined;
  report(ctx, framework, run, {
    state: killed ? 'TASK_KILLED' : 'TASK_FAILED',
    message: killed ? 'Killed before the task was launched' : `Failed to launch container: ${message}`,
    // A pod's executor tells itself that a container of its could not be launched, which one is all there is to say.
    ...(run.kind === 'podTask' && !killed
      ? { container_status: { container_id: { value: run.containerId, parent: { value: run.parent } } } }
      : { source: 'SOURCE_AGENT' as const }),
    reason: killed ? 'REASON_TASK_KILLED_DURING_LAUNCH' : 'REASON_CONTAINER_LAUNCH_FAILED',
  });
  endRun(ctx, framework, run);
}

export function exited(ctx: Context, framework: FrameworkRecord, run: TaskRun, status: ExitStatus): void {
  const told = taskOfRun(framework, run)?.task.statuses?.length ?? 0;
  // It was ended before the scheduler could hear that it began.
  if (run.kill !== undefined && told === 0) launchFailed(ctx, framework, run, '');
  else {
    report(ctx, framework, run, outcomeOf(run, status));
    endRun(ctx, framework, run);
  }
}

function outcomeOf(run: TaskRun, status: ExitStatus): StatusFields {
  const { kill } = run;
  const message = exitMessage(status);
  if (kill?.why === 'maxCompletion') {
    return { state: 'TASK_FAILED', message, reason: 'REASON_MAX_COMPLETION_TIME_REACHED' };
  }
  if (kill !== undefined) return { state: 'TASK_KILLED', message };
  if (status.kind === 'exited' && status.code === 0) return { state: 'TASK_FINISHED', message };
  return { state: 'TASK_FAILED', message };
}

/** A check is due. */
export function probe(ctx: Context, containerId: ContainerId, kind: CheckKind): void {
  const found = taskRunOf(ctx, containerId);
  const record = found && taskOfRun(found.framework, found.run);
  if (found === undefined || record === undefined || found.run.kill !== undefined) return;
  const { info } = record;
  const environment = environmentOfRun(ctx.state, found.framework, found.run, info);
  const made = (kind === 'health' ? healthProbe : checkProbe)(info, (command) => ({
    ...environment,
    ...variablesOf(command),
  }));
  const check = kind === 'health' ? info.health_check : info.check;
  if (made === undefined || check === undefined) {
    log(ctx, 'warning', `the ${kind} of task ${info.task_id.value} can't be made: it doesn't say how`);
    return;
  }
  ctx.effects.push({ kind: 'probe', containerId, check: kind, probe: made, timeoutMs: timesOf(check).timeoutMs });
}

export function probeResult(ctx: Context, containerId: ContainerId, kind: CheckKind, result: ProbeResult): void {
  const found = taskRunOf(ctx, containerId);
  const record = found && taskOfRun(found.framework, found.run);
  // CHECKS-1.
  if (found === undefined || record === undefined || found.run.kill !== undefined) return;
  if (found.run.state !== 'running') return;
  if (kind === 'health') healthResult(ctx, found.framework, found.run, record, result);
  else checkResult(ctx, found.framework, found.run, record, result);
}

function healthResult(
  ctx: Context,
  framework: FrameworkRecord,
  run: TaskRun,
  record: TaskRecord,
  result: ProbeResult,
): void {
  const { containerId } = run;
  const checks = ctx.state.runs.get(containerId);
  const check = record.info.health_check;
  if (checks?.health === undefined || check === undefined) return;
  const verdict = judgeHealth(check, checks.health, result, ctx.now.monoMs);
  ctx.state.runs.set(containerId, { ...checks, health: verdict.state });
  setTimer(ctx, { kind: 'health', containerId }, timesOf(check).intervalMs);
  if (verdict.healthy !== undefined) {
    report(ctx, framework, run, {
      state: 'TASK_RUNNING',
      healthy: verdict.healthy,
      reason: 'REASON_TASK_HEALTH_CHECK_STATUS_UPDATED',
    });
  }
  if (!verdict.kill) return;
  log(ctx, 'info', `task ${record.info.task_id.value} failed its health check and is ended`);
  killRun(ctx, framework, run, 'unhealthy', undefined);
}

function checkResult(
  ctx: Context,
  framework: FrameworkRecord,
  run: TaskRun,
  record: TaskRecord,
  result: ProbeResult,
): void {
  const { check } = record.info;
  if (check === undefined) return;
  setTimer(ctx, { kind: 'check', containerId: run.containerId }, timesOf(check).intervalMs);
  const known: CheckStatusInfo | undefined = record.task.statuses?.at(-1)?.check_status;
  const next = checkStatus(check, result);
  if (sameCheckStatus(known, next)) return;
  report(ctx, framework, run, {
    state: 'TASK_RUNNING',
    check_status: next,
    reason: 'REASON_TASK_CHECK_STATUS_UPDATED',
  });
}

/** The task has run for as long as it may. */
export function maxCompletionReached(ctx: Context, containerId: ContainerId): void {
  const found = taskRunOf(ctx, containerId);
  if (found === undefined || found.run.kill !== undefined) return;
  cancelTimer(ctx, { kind: 'maxCompletion', containerId });
  killRun(ctx, found.framework, found.run, 'maxCompletion', 0);
}
