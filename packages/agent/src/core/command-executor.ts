// The agent as the executor of command tasks and of the tasks of pods: it turns events of a task's container into task
// statuses.
//   the command was forked:        TASK_STARTING, TASK_RUNNING
//   the command ended by itself:   TASK_FINISHED with exit status 0, else TASK_FAILED
//   it exceeded a limit:           TASK_FAILED with the limit's reason and resources
//   the agent ended it:            TASK_KILLED whatever its exit status; after max_completion_time TASK_FAILED, by a
//                                  preemption TASK_LOST or TASK_GONE
//   the container never started:   TASK_FAILED, or TASK_KILLED if the task was killed before

import type { ContainerId } from '@meseta/base';
import { cancelTimer, setTimer } from '@meseta/base/core/timers';
import type { ContainerEnd, ContainerEvent, ProbeResult, StartedFacts } from '@meseta/containers/types';
import type { CheckStatusInfo } from '@meseta/wire';
import { checkProbe, checkStatus, healthProbe, initialCheck, judgeHealth, sameCheckStatus, timesOf } from './checks.js';
import { type Context, log } from './context.js';
import { environmentOfRun, variablesOf } from './environment.js';
import { userOf } from './executors.js';
import { exitMessage, limitationStatus, preemptedStatus } from './exit-status.js';
import type { CheckKind, TaskRecord } from './io.js';
import { endRun, killRun } from './run-end.js';
import { containerStatus, report } from './run-reports.js';
import { putRun, setRun, type TaskRun, taskOfRun, taskRunOf } from './runs.js';
import type { FrameworkRecord } from './state.js';
import type { StatusFields } from './status-updates.js';

/** An event of the container of a task. */
export function handleTaskContainerEvent(
  ctx: Context,
  framework: FrameworkRecord,
  run: TaskRun,
  event: ContainerEvent,
): void {
  switch (event.kind) {
    case 'started':
      if (run.state === 'launching') handleStarted(ctx, framework, run, event);
      return;
    case 'launchFailed':
      handleLaunchFailed(ctx, framework, run, event.message);
      return;
    case 'exited':
      handleExited(ctx, framework, run, event);
      return;
  }
}

function handleStarted(
  ctx: Context,
  framework: FrameworkRecord,
  run: TaskRun,
  { pid, facts, networks }: Extract<ContainerEvent, { kind: 'started' }>,
): void {
  // Spreading the run here makes V8 (of Node 20) give every record a hidden class of its own.
  const started = { state: 'running', pid, startedWallMs: ctx.now.wallMs } as const;
  const running: TaskRun = Object.assign({}, run, started, networks === undefined ? {} : { networks });
  // The task was killed while its container was made: the container is being destroyed, and only its end is reported.
  if (run.kill !== undefined) {
    setRun(framework, running);
    return;
  }
  putRun(ctx, framework, running);
  report(ctx, framework, running, { state: 'TASK_STARTING' });
  report(ctx, framework, running, { state: 'TASK_RUNNING', ...runningFields(ctx, running, facts) });
  warnOfUsersOfChecks(ctx, framework, running);
  startChecks(ctx, framework, running);
}

/** What a container's engine says of it. */
function runningFields(ctx: Context, run: TaskRun, facts: StartedFacts | undefined): Partial<StatusFields> {
  const { data, networkInfos: network_infos } = facts ?? {};
  return {
    ...(data === undefined ? {} : { data }),
    ...(network_infos === undefined ? {} : { container_status: { ...containerStatus(ctx, run), network_infos } }),
  };
}

/** As in Mesos, a check runs as its task's user. The log warns of a check that names another one. */
function warnOfUsersOfChecks(ctx: Context, framework: FrameworkRecord, run: TaskRun): void {
  const info = taskOfRun(framework, run)?.info;
  const user = info && userOf(ctx, framework.info, info.command);
  for (const named of [info?.health_check?.command?.user, info?.check?.command?.command.user]) {
    if (info === undefined || named === undefined || named === user) continue;
    const text = `a check of task ${info.task_id.value} runs as ${user ?? "the agent's user"}, the task's user, and not as ${named}`;
    log(ctx, 'warning', text);
  }
}

/** Starts the checks of a running task and the timer of max_completion_time, also after a restart of the agent. */
export function startChecks(ctx: Context, framework: FrameworkRecord, run: TaskRun): void {
  const record = taskOfRun(framework, run);
  const checks = ctx.state.runs.get(run.containerId);
  if (record === undefined || checks === undefined) return;
  const { containerId } = run;
  const { info } = record;
  const ranMs = ctx.now.wallMs - (run.startedWallMs ?? ctx.now.wallMs);
  if (info.max_completion_time !== undefined && run.kill === undefined) {
    setTimer(ctx, { kind: 'maxCompletion', containerId }, info.max_completion_time.nanoseconds / 1e6 - ranMs);
  }
  const startedMonoMs = ctx.now.monoMs - ranMs;
  const wasHealthy = record.task.statuses?.some(({ healthy }) => healthy === true) === true;
  const { health_check, check } = info;
  ctx.state.runs.set(containerId, {
    ...checks,
    health: health_check === undefined ? undefined : initialCheck(startedMonoMs, wasHealthy),
  });
  if (run.kill !== undefined) return;
  for (const [kind, it] of [['health', health_check] as const, ['check', check] as const]) {
    if (it !== undefined) setTimer(ctx, { kind, containerId }, Math.max(0, timesOf(it).delayMs - ranMs));
  }
}

function handleLaunchFailed(ctx: Context, framework: FrameworkRecord, run: TaskRun, message: string): void {
  if (run.kill === undefined) ctx.state.counters.containerLaunchErrors++;
  const killed = run.kill !== undefined;
  report(
    ctx,
    framework,
    run,
    run.kill?.why === 'preempted'
      ? preemptedStatus(framework.info)
      : {
          state: killed ? 'TASK_KILLED' : 'TASK_FAILED',
          message: killed ? 'Killed before the task was launched' : `Failed to launch container: ${message}`,
          // As in Mesos, the executor of a pod reports a failed launch itself, with the id of the container and nothing else.
          ...(run.kind === 'podTask' && !killed
            ? { container_status: { container_id: { value: run.containerId, parent: { value: run.parent } } } }
            : { source: 'SOURCE_AGENT' as const }),
          reason: killed ? 'REASON_TASK_KILLED_DURING_LAUNCH' : 'REASON_CONTAINER_LAUNCH_FAILED',
        },
  );
  endRun(ctx, framework, run);
}

export function handleExited(ctx: Context, framework: FrameworkRecord, run: TaskRun, end: ContainerEnd): void {
  const statusCount = taskOfRun(framework, run)?.task.statuses?.length ?? 0;
  // The task was killed before its start was reported.
  if (run.kill !== undefined && statusCount === 0) handleLaunchFailed(ctx, framework, run, '');
  else {
    report(ctx, framework, run, limitationStatus(end) ?? endStatusOf(framework, run, end));
    endRun(ctx, framework, run);
  }
}

function endStatusOf(framework: FrameworkRecord, run: TaskRun, end: ContainerEnd): StatusFields {
  const { kill } = run;
  const { status, message = exitMessage(status) } = end;
  if (kill?.why === 'maxCompletion') {
    return { state: 'TASK_FAILED', message, reason: 'REASON_MAX_COMPLETION_TIME_REACHED' };
  }
  if (kill?.why === 'preempted') return preemptedStatus(framework.info);
  if (kill !== undefined) return { state: 'TASK_KILLED', message };
  if (status.kind === 'exited' && status.code === 0) return { state: 'TASK_FINISHED', message };
  return { state: 'TASK_FAILED', message };
}

/** Probes a task when its check is due. */
export function startProbe(ctx: Context, containerId: ContainerId, kind: CheckKind): void {
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
    log(ctx, 'warning', `can't probe the ${kind} of task ${info.task_id.value}: it has no command, HTTP or TCP check`);
    return;
  }
  ctx.effects.push({ kind: 'probe', containerId, check: kind, probe: made, timeoutMs: timesOf(check).timeoutMs });
}

export function handleProbeResult(ctx: Context, containerId: ContainerId, kind: CheckKind, result: ProbeResult): void {
  const found = taskRunOf(ctx, containerId);
  const record = found && taskOfRun(found.framework, found.run);
  // CHECKS-1.
  if (found === undefined || record === undefined || found.run.kill !== undefined) return;
  if (found.run.state !== 'running') return;
  if (kind === 'health') handleHealthResult(ctx, found.framework, found.run, record, result);
  else handleCheckResult(ctx, found.framework, found.run, record, result);
}

function handleHealthResult(
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

function handleCheckResult(
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

/** Ends a task that has run for its max_completion_time. */
export function killAfterMaxCompletionTime(ctx: Context, containerId: ContainerId): void {
  const found = taskRunOf(ctx, containerId);
  if (found === undefined || found.run.kill !== undefined) return;
  cancelTimer(ctx, { kind: 'maxCompletion', containerId });
  killRun(ctx, found.framework, found.run, 'maxCompletion', 0);
}
