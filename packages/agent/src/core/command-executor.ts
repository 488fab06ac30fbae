// The executor that the agent itself is for command tasks: it turns what the container does into task statuses.
// Mesos: behaviours.md 10. What a status of such a task says of its state:
//   the command has been forked: TASK_STARTING, TASK_RUNNING
//   it ended by itself:          TASK_FINISHED with status 0, else TASK_FAILED
//   it was ended:                TASK_KILLED, whatever its exit status; past max_completion_time TASK_FAILED
//   it never ran:                TASK_FAILED, or TASK_KILLED if it was ended before
import type { ContainerId, ExecutorId, TaskId } from '@meseta/base';
import { parsePid } from '@meseta/base';
import type { ContainerEvent, ExitStatus, ProbeResult } from '@meseta/containers/types';
import type { CheckStatusInfo, ContainerStatus, TaskStatus } from '@meseta/wire';
import { checkProbe, checkStatus, healthProbe, initialCheck, judgeHealth, sameCheckStatus, timesOf } from './checks.js';
import { taskEnvironment, variablesOf } from './environment.js';
import { endExecutor, executorOf, putExecutor } from './executors.js';
import type { CheckKind, ExecutorRecord, TaskRecord } from './io.js';
import { killCommand } from './kill.js';
import { partitionAware } from './launch.js';
import { exitMessage } from './signals.js';
import { agentIdOf, type FrameworkRecord, isTerminal } from './state.js';
import { type StatusFields, statusOf, tell } from './status-updates.js';
import { cancelTimer, log, type Step, setTimer } from './step.js';

export function containerEvent(step: Step, event: ContainerEvent): void {
  const found = executorOf(step, event.containerId);
  if (found === undefined) {
    if (event.kind !== 'started') step.effects.push({ kind: 'removeContainer', containerId: event.containerId });
    return;
  }
  const { framework, executor } = found;
  switch (event.kind) {
    case 'started':
      if (executor.state === 'launching') started(step, framework, executor, event.pid);
      return;
    case 'launchFailed':
      launchFailed(step, framework, executor, event.message);
      return;
    case 'exited':
      exited(step, framework, executor, event.status);
      return;
  }
}

function started(step: Step, framework: FrameworkRecord, executor: ExecutorRecord, pid: number): void {
  const running: ExecutorRecord = { ...executor, state: 'running', pid, startedWallMs: step.now.wallMs };
  // Ended before it began: the destruction is under way, its end is all that will be told.
  if (executor.kill !== undefined) {
    framework.executors.set(executor.info.executor_id.value as ExecutorId, running);
    return;
  }
  putExecutor(step, framework, running);
  report(step, framework, running, { state: 'TASK_STARTING' });
  report(step, framework, running, { state: 'TASK_RUNNING' });
  superviseRun(step, framework, running);
}

/** Starts the checks and the clock of a running command, anew after a restart of the agent. */
export function superviseRun(step: Step, framework: FrameworkRecord, executor: ExecutorRecord): void {
  const record = taskOfExecutor(framework, executor);
  const run = step.state.runs.get(executor.containerId);
  if (record === undefined || run === undefined) return;
  const { containerId } = executor;
  const { info } = record;
  const ran = step.now.wallMs - (executor.startedWallMs ?? step.now.wallMs);
  if (info.max_completion_time !== undefined && executor.kill === undefined) {
    setTimer(step, { kind: 'maxCompletion', containerId }, info.max_completion_time.nanoseconds / 1e6 - ran);
  }
  const begun = step.now.monoMs - ran;
  const wasHealthy = record.task.statuses?.some(({ healthy }) => healthy === true) === true;
  const { health_check, check } = info;
  step.state.runs.set(containerId, {
    ...run,
    health: health_check === undefined ? undefined : initialCheck(begun, wasHealthy),
    check: check === undefined ? undefined : initialCheck(begun),
  });
  if (executor.kill !== undefined) return;
  for (const [kind, it] of [['health', health_check] as const, ['check', check] as const]) {
    if (it !== undefined) setTimer(step, { kind, containerId }, Math.max(0, timesOf(it).delayMs - ran));
  }
}

export const taskOfExecutor = (framework: FrameworkRecord, executor: ExecutorRecord): TaskRecord | undefined =>
  framework.tasks.get(executor.info.executor_id.value as TaskId);

/** Tells a status of a command task: with its container, its health and its check, as far as they are known. */
export function report(step: Step, framework: FrameworkRecord, executor: ExecutorRecord, fields: StatusFields): void {
  const record = taskOfExecutor(framework, executor);
  if (record === undefined || isTerminal(record.task.state)) return;
  const last = record.task.statuses?.at(-1);
  const { check } = record.info;
  const healthy = fields.healthy ?? last?.healthy;
  const checkOf = fields.check_status ?? last?.check_status ?? (check && checkStatus(check, undefined));
  const status = statusOf(step, record.info.task_id.value as TaskId, {
    source: 'SOURCE_EXECUTOR',
    executor_id: executor.info.executor_id,
    container_status: containerStatus(step, executor),
    ...fields,
    ...(healthy === undefined ? {} : { healthy }),
    ...(checkOf === undefined ? {} : { check_status: checkOf }),
  });
  tell(step, framework, record.info.task_id.value as TaskId, drained(step, framework, executor, status));
}

/** On a draining agent what it ended says so, and is gone for good if the agent will be. */
function drained(step: Step, framework: FrameworkRecord, executor: ExecutorRecord, status: TaskStatus): TaskStatus {
  const { drain } = step.state;
  if (drain === undefined || executor.kill === undefined) return status;
  if (status.state !== 'TASK_KILLED' && status.state !== 'TASK_KILLING') return status;
  const gone = status.state === 'TASK_KILLED' && drain.config.mark_gone === true && partitionAware(framework.info);
  return { ...status, state: gone ? 'TASK_GONE_BY_OPERATOR' : status.state, reason: 'REASON_AGENT_DRAINING' };
}

/** As Mesos shows it: without networks of its own a container has the agent's address. */
export function containerStatus(step: Step, executor: ExecutorRecord): ContainerStatus {
  const address = parsePid(step.state.config.pid);
  const ip = address.ok ? address.value.address.replace(/:\d+$/, '') : '';
  return {
    network_infos: [{ ip_addresses: [{ ip_address: ip }] }],
    ...(executor.pid === undefined ? {} : { executor_pid: executor.pid }),
    container_id: { value: executor.containerId },
  };
}

function launchFailed(step: Step, framework: FrameworkRecord, executor: ExecutorRecord, message: string): void {
  if (executor.kill === undefined) step.state.counters.containerLaunchErrors++;
  const killed = executor.kill !== undefined;
  report(step, framework, executor, {
    state: killed ? 'TASK_KILLED' : 'TASK_FAILED',
    message: killed ? 'Killed before the task was launched' : `Failed to launch container: ${message}`,
    source: 'SOURCE_AGENT',
    reason: killed ? 'REASON_TASK_KILLED_DURING_LAUNCH' : 'REASON_CONTAINER_LAUNCH_FAILED',
  });
  endExecutor(step, framework, executor);
}

export function exited(step: Step, framework: FrameworkRecord, executor: ExecutorRecord, status: ExitStatus): void {
  const told = taskOfExecutor(framework, executor)?.task.statuses?.length ?? 0;
  // It was ended before the scheduler could hear that it began.
  if (executor.kill !== undefined && told === 0) launchFailed(step, framework, executor, '');
  else {
    report(step, framework, executor, outcomeOf(executor, status));
    endExecutor(step, framework, executor);
  }
}

function outcomeOf(executor: ExecutorRecord, status: ExitStatus): StatusFields {
  const { kill } = executor;
  const message = exitMessage(status);
  if (kill?.why === 'maxCompletion') {
    return { state: 'TASK_FAILED', message, reason: 'REASON_MAX_COMPLETION_TIME_REACHED' };
  }
  if (kill !== undefined) return { state: 'TASK_KILLED', message };
  if (status.kind === 'exited' && status.code === 0) return { state: 'TASK_FINISHED', message };
  return { state: 'TASK_FAILED', message };
}

/** A check is due. */
export function probe(step: Step, containerId: ContainerId, kind: CheckKind): void {
  const found = executorOf(step, containerId);
  const record = found && taskOfExecutor(found.framework, found.executor);
  if (found === undefined || record === undefined || found.executor.kill !== undefined) return;
  const { info } = record;
  const agentId = agentIdOf(step.state) ?? '';
  const environment = taskEnvironment(step.state.config, agentId, found.framework.info, found.executor, info);
  const made = (kind === 'health' ? healthProbe : checkProbe)(info, (command) => ({
    ...environment,
    ...variablesOf(command),
  }));
  const check = kind === 'health' ? info.health_check : info.check;
  if (made === undefined || check === undefined) {
    log(step, 'warning', `the ${kind} of task ${info.task_id.value} can't be made: it doesn't say how`);
    return;
  }
  step.effects.push({ kind: 'probe', containerId, check: kind, probe: made, timeoutMs: timesOf(check).timeoutMs });
}

export function probeResult(step: Step, containerId: ContainerId, kind: CheckKind, result: ProbeResult): void {
  const found = executorOf(step, containerId);
  const record = found && taskOfExecutor(found.framework, found.executor);
  // C1.
  if (found === undefined || record === undefined || found.executor.kill !== undefined) return;
  if (found.executor.state !== 'running') return;
  if (kind === 'health') healthResult(step, found.framework, found.executor, record, result);
  else checkResult(step, found.framework, found.executor, record, result);
}

function healthResult(
  step: Step,
  framework: FrameworkRecord,
  executor: ExecutorRecord,
  record: TaskRecord,
  result: ProbeResult,
): void {
  const { containerId } = executor;
  const run = step.state.runs.get(containerId);
  const check = record.info.health_check;
  if (run?.health === undefined || check === undefined) return;
  const verdict = judgeHealth(check, run.health, result, step.now.monoMs);
  step.state.runs.set(containerId, { ...run, health: verdict.state });
  setTimer(step, { kind: 'health', containerId }, timesOf(check).intervalMs);
  if (verdict.healthy !== undefined) {
    report(step, framework, executor, {
      state: 'TASK_RUNNING',
      healthy: verdict.healthy,
      reason: 'REASON_TASK_HEALTH_CHECK_STATUS_UPDATED',
    });
  }
  if (!verdict.kill) return;
  log(step, 'info', `task ${record.info.task_id.value} failed its health check and is ended`);
  killCommand(step, framework, executor, 'unhealthy', undefined);
}

function checkResult(
  step: Step,
  framework: FrameworkRecord,
  executor: ExecutorRecord,
  record: TaskRecord,
  result: ProbeResult,
): void {
  const { check } = record.info;
  if (check === undefined) return;
  setTimer(step, { kind: 'check', containerId: executor.containerId }, timesOf(check).intervalMs);
  const known: CheckStatusInfo | undefined = record.task.statuses?.at(-1)?.check_status;
  const next = checkStatus(check, result);
  if (sameCheckStatus(known, next)) return;
  report(step, framework, executor, {
    state: 'TASK_RUNNING',
    check_status: next,
    reason: 'REASON_TASK_CHECK_STATUS_UPDATED',
  });
}

/** The task has run for as long as it may. */
export function maxCompletionReached(step: Step, containerId: ContainerId): void {
  const found = executorOf(step, containerId);
  if (found === undefined || found.executor.kill !== undefined) return;
  cancelTimer(step, { kind: 'maxCompletion', containerId });
  killCommand(step, found.framework, found.executor, 'maxCompletion', 0);
}
