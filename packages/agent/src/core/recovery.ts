// The first step of a process: it restores the checkpoint of the process before and matches it with the launcher's containers.
// Mesos: docs/agent-recovery.md. Mesos reports tasks that ended meanwhile as failed; here they have their exit status, because
// the supervisor recorded it.
//
// RECOVERY-1: a container without a record is destroyed; an executor or task without a container has ended.
// RECOVERY-2: after a restart of the host no task runs; the agent keeps its id unless its description changed.
// RECOVERY-3: kills and drains continue with the rest of their grace periods.

import {
  type ContainerId,
  type ExecutorId,
  type FrameworkId,
  isDeepEqual,
  type OperationUuid,
  type TaskId,
} from '@meseta/base';
import { setTimer } from '@meseta/base/core/timers';
import type { RecoveredContainer } from '@meseta/containers/types';
import { applyCheckpointed, contains } from '@meseta/resources';
import type { AgentInfo, Resource } from '@meseta/wire';
import { isTerminal } from '@meseta/wire/task-states';
import { afterCommit, save } from './checkpoint.js';
import { relocated, updateOf, type WholeRecord, wholeRecords } from './checkpoint-records.js';
import { handleExited, startChecks } from './command-executor.js';
import { handleContainerEvent } from './container-events.js';
import { type Context, log } from './context.js';
import { awaitExecutor, endCustomExecutor } from './custom-executor.js';
import { AGENT_KEY } from './disk-layout.js';
import { updateExecutorContainer } from './executor-launch.js';
import { putExecutor, releaseIfDone, restoreRetired } from './executors.js';
import { limitationStatus } from './exit-status.js';
import type { CheckpointEntry, ExecutorRecord, PodTaskRecord } from './io.js';
import { applyDrain, leaveWhenEmpty } from './kill.js';
import { matchNested, restoreNested } from './nested-containers.js';
import type { AgentOptions } from './options.js';
import { estimateOversubscribed } from './oversubscription.js';
import { endPodIfEmpty } from './pods.js';
import { endRun, setKillTimer } from './run-end.js';
import { report } from './run-reports.js';
import { isCommand, setRun, type TaskRun, taskOfRun, taskRunOf } from './runs.js';
import { excludeSandboxesInUse, measureDiskPeriodically } from './sandboxes.js';
import { type FrameworkRecord, isPartitionAware, newFramework } from './state.js';
import { restoredStream, type StatusFields } from './status-updates.js';
import { checkRecord } from './validation.js';
import { changeVolumes } from './volumes.js';

export function start(
  ctx: Context,
  onDisk: readonly CheckpointEntry[],
  containers: readonly RecoveredContainer[],
): void {
  const { state } = ctx;
  state.started = true;
  state.startedWallMs = ctx.now.wallMs;
  const agent = onDisk.map(({ record }) => record).find((record) => record.kind === 'agent');
  const verdict = agent === undefined ? 'new' : compatibility(state.options, agent.info, agent.bootId);
  if (verdict === 'incompatible') {
    const message =
      `this agent's description has changed in a way that --reconfiguration_policy=${state.options.reconfigurationPolicy} ` +
      `does not allow (hostname, port, domain, attributes or resources); change it back, or remove ` +
      `${state.options.workDir}/meta/slaves/latest to start as a new agent, which ends the tasks of the old one`;
    ctx.effects.push({ kind: 'exit', status: 1, message });
    return;
  }
  const wrong = onDisk.map(({ record }) => checkRecord(record)).find((problem) => problem !== undefined);
  if (wrong !== undefined) {
    const message = `the checkpoint in work_dir is damaged (${wrong}); move work_dir away to start as a new agent`;
    ctx.effects.push({ kind: 'exit', status: 1, message });
    return;
  }
  if (verdict === 'known' && agent !== undefined) {
    state.info = { ...state.info, id: agent.info.id };
    const { bootId, workDir } = state.options;
    save(ctx, AGENT_KEY, { kind: 'agent', info: state.info, bootId, workDir });
  }
  const checkpoint = relocate(ctx, onDisk, agent?.workDir);
  for (const record of wholeRecords(checkpoint)) {
    if (verdict === 'known' || record.kind === 'sandbox') restore(ctx, record);
  }
  for (const { key, record } of checkpoint) {
    if (verdict !== 'known' && record.kind !== 'sandbox') save(ctx, key, undefined);
  }
  for (const framework of state.frameworks.values()) restoreRetired(ctx, framework);
  if (!restoreResources(ctx, verdict === 'known' ? checkpoint : [])) return;
  const rebooted = agent !== undefined && agent.bootId !== state.options.bootId;
  matchContainers(ctx, containers, rebooted);
  excludeSandboxesInUse(ctx);
  log(ctx, 'info', `recovered ${state.frameworks.size} frameworks, ${state.runs.size} containers`);
  if (state.drain !== undefined) applyDrain(ctx);
  measureDiskPeriodically(ctx);
  estimateOversubscribed(ctx);
  if (state.options.recover === 'cleanup') {
    leaveWhenEmpty(ctx, 'what an earlier agent left here has been ended (--recover=cleanup)');
  }
}

/** The records of the checkpoint with the paths of a work_dir that was moved. */
function relocate(
  ctx: Context,
  checkpoint: readonly CheckpointEntry[],
  from: string | undefined,
): readonly CheckpointEntry[] {
  const to = ctx.state.options.workDir;
  if (from === undefined || from === to) return checkpoint;
  log(ctx, 'info', `work_dir was moved from ${from} to ${to}`);
  return checkpoint.map((entry) => {
    const record = relocated(entry.record, from, to);
    if (record !== entry.record) save(ctx, entry.key, record);
    return { key: entry.key, record };
  });
}

/** Whether a process with these options may continue as the agent of the checkpoint. */
export function compatibility(
  options: AgentOptions,
  before: AgentInfo,
  bootId: string,
): 'known' | 'new' | 'incompatible' {
  const now = options.info;
  const had = before.resources ?? [];
  const has = now.resources ?? [];
  const additive = options.reconfigurationPolicy === 'additive';
  const attributes = before.attributes ?? [];
  const permitted =
    before.hostname === now.hostname &&
    before.port === now.port &&
    isDeepEqual(before.domain, now.domain) &&
    (additive
      ? attributes.every((it) => now.attributes?.some((other) => isDeepEqual(it, other))) && contains(has, had)
      : isDeepEqual(before.attributes, now.attributes) && contains(has, had) && contains(had, has));
  if (permitted) return 'known';
  return bootId === options.bootId ? 'incompatible' : 'new';
}

function restore(ctx: Context, record: WholeRecord): void {
  const { state } = ctx;
  switch (record.kind) {
    case 'framework':
      frameworkWith(ctx, record.info.id?.value as FrameworkId, { info: record.info, pid: record.pid });
      return;
    case 'executor': {
      const { executor } = record;
      const executorId = executor.info.executor_id.value as ExecutorId;
      frameworkWith(ctx, executor.frameworkId, {}).executors.set(executorId, executor);
      const run = { frameworkId: executor.frameworkId, executorId, health: undefined };
      if (executor.state !== 'ended') state.runs.set(executor.containerId, run);
      return;
    }
    case 'nestedContainer':
      restoreNested(ctx, record.nestedContainer);
      return;
    case 'podTask': {
      const { podTask } = record;
      const { frameworkId, executorId, taskId } = podTask;
      frameworkWith(ctx, frameworkId, {}).podTasks.set(taskId, podTask);
      const run = { frameworkId, executorId, taskId, health: undefined };
      if (podTask.state !== 'ended') state.runs.set(podTask.containerId, run);
      return;
    }
    case 'task': {
      const { frameworkId, record: task, waiting } = record;
      const taskId = task.info.task_id.value as TaskId;
      const framework = frameworkWith(ctx, frameworkId, {});
      framework.tasks.set(taskId, task);
      const [first] = waiting;
      if (first === undefined) return;
      const updates = waiting.map(({ status }) => updateOf(frameworkId, status));
      framework.streams.set(taskId, restoredStream(frameworkId, taskId, updates, first.number));
      return;
    }
    case 'operation':
      state.operations.set(record.record.operation.uuid.value as OperationUuid, record.record);
      return;
    case 'drain':
      state.drain = { config: record.config, sinceWallMs: record.sinceWallMs };
      return;
    case 'sandbox': {
      const { containerId, path, endedWallMs } = record;
      state.sandboxes.set(containerId, { containerId, path, endedWallMs, isBeingRemoved: false });
      return;
    }
    case 'agent':
    case 'resources':
      return;
  }
}

/** The framework's record, which is added by the first entry that names it; entries have no order. */
function frameworkWith(ctx: Context, id: FrameworkId, known: Partial<FrameworkRecord>): FrameworkRecord {
  const framework: FrameworkRecord = {
    ...newFramework(id, { user: '', name: '', checkpoint: true }, undefined),
    ...ctx.state.frameworks.get(id),
    ...known,
    id,
  };
  ctx.state.frameworks.set(id, framework);
  return framework;
}

function restoreResources(ctx: Context, checkpoint: readonly CheckpointEntry[]): boolean {
  const { state } = ctx;
  const kept: readonly Resource[] = checkpoint.flatMap(({ record }) =>
    record.kind === 'resources' ? record.resources : [],
  );
  if (kept.length === 0) return true;
  const total = applyCheckpointed(state.total, kept);
  if (!total.ok) {
    const message = `the reservations and volumes on this agent do not fit into --resources: ${total.error}`;
    ctx.effects.push({ kind: 'exit', status: 1, message });
    return false;
  }
  state.total = total.value;
  changeVolumes(ctx, [], state.total);
  return true;
}

function matchContainers(ctx: Context, containers: readonly RecoveredContainer[], rebooted: boolean): void {
  const found = new Map<ContainerId, RecoveredContainer>(containers.map((it) => [it.containerId, it]));
  for (const container of containers) {
    if (ctx.state.runs.has(container.containerId) || ctx.state.nestedPaths.has(container.containerId)) continue;
    const kind = container.state === 'running' ? 'destroy' : 'removeContainer';
    if (container.state === 'running') ctx.state.orphanContainers.add(container.containerId);
    ctx.effects.push({ kind, containerId: container.containerId });
  }
  for (const framework of [...ctx.state.frameworks.values()]) {
    matchPodTasks(ctx, framework, found, rebooted);
    for (const [executorId, executor] of [...framework.executors]) {
      const container = found.get(executor.containerId);
      if (executor.state === 'ended') releaseIfDone(ctx, framework.id, executorId);
      else if (isCommand(executor)) matchContainer(ctx, framework, executor, container, rebooted);
      else if (executor.kind === 'custom') matchCustomExecutor(ctx, framework, executor, container);
      else endPodIfEmpty(ctx, framework.id, executorId);
    }
    releaseIfDone(ctx, framework.id, undefined);
  }
  matchNested(ctx, found);
  if (ctx.state.awaited.size === 0) return;
  setTimer(ctx, { kind: 'executorsBack' }, ctx.state.options.executorReregistrationTimeoutMs);
}

/** Matches a custom executor with its container; a running one is waited for (REGISTRATION-5). */
function matchCustomExecutor(
  ctx: Context,
  framework: FrameworkRecord,
  executor: ExecutorRecord,
  container: RecoveredContainer | undefined,
): void {
  const { containerId } = executor;
  if (container?.state === 'running') {
    const state = executor.state === 'queued' ? 'launching' : executor.state;
    const { networks } = container;
    const known = { ...executor, state, pid: container.pid, ...(networks === undefined ? {} : { networks }) };
    putExecutor(ctx, framework, known);
    updateExecutorContainer(ctx, framework, known);
    if (known.kill === undefined) awaitExecutor(ctx, framework, known);
    else setKillTimer(ctx, known);
    return;
  }
  const status = container?.status ?? { kind: 'unknown' };
  const lost = status.kind === 'unknown' ? lossStatus(framework, executor.state !== 'queued') : undefined;
  endCustomExecutor(ctx, framework, executor, status, (container && limitationStatus(container)) ?? lost);
  // `endExecutor` does not remove the container of a queued executor, but the launcher has one.
  if (container !== undefined && executor.state === 'queued')
    afterCommit(ctx, { kind: 'removeContainer', containerId });
}

function lossStatus({ info }: FrameworkRecord, wasLaunched: boolean): StatusFields {
  const aware = isPartitionAware(info);
  if (wasLaunched) {
    return {
      state: aware ? 'TASK_GONE' : 'TASK_LOST',
      reason: 'REASON_EXECUTOR_REREGISTRATION_TIMEOUT',
      message: 'The container is gone and its exit status was not recorded',
    };
  }
  return {
    state: aware ? 'TASK_DROPPED' : 'TASK_LOST',
    reason: 'REASON_AGENT_RESTARTED',
    message: 'The agent was restarted before it could launch the task',
  };
}

/** The tasks of a pod's group end each other, which signals containers: so all that were started are known before one ends. */
function matchPodTasks(
  ctx: Context,
  framework: FrameworkRecord,
  found: ReadonlyMap<ContainerId, RecoveredContainer>,
  rebooted: boolean,
): void {
  const taskIds = [...framework.podTasks.keys()];
  const forEachAlive = (
    callback: (podTask: PodTaskRecord, container: RecoveredContainer | undefined) => void,
  ): void => {
    for (const taskId of taskIds) {
      const podTask = framework.podTasks.get(taskId);
      if (podTask !== undefined && podTask.state !== 'ended') callback(podTask, found.get(podTask.containerId));
    }
  };
  forEachAlive((podTask, container) => adoptContainer(ctx, framework, podTask, container));
  forEachAlive((podTask, container) => settleRun(ctx, framework, podTask, container, rebooted));
}

function matchContainer(
  ctx: Context,
  framework: FrameworkRecord,
  run: TaskRun,
  container: RecoveredContainer | undefined,
  rebooted: boolean,
): void {
  adoptContainer(ctx, framework, run, container);
  settleRun(ctx, framework, taskRunOf(ctx, run.containerId)?.run ?? run, container, rebooted);
}

const neverRan = (run: TaskRun, container: RecoveredContainer): boolean =>
  container.state === 'ended' && container.status.kind === 'unknown' && run.state === 'queued';

/** The run continues with the container that was found. */
function adoptContainer(
  ctx: Context,
  framework: FrameworkRecord,
  run: TaskRun,
  container: RecoveredContainer | undefined,
): void {
  if (container === undefined || neverRan(run, container) || taskOfRun(framework, run) === undefined) return;
  if (run.state === 'queued') {
    // The process ended between the start of the container and the write of its record.
    setRun(framework, { ...run, state: 'launching' });
    const { pid, networks } = container.state === 'running' ? container : { pid: 0, networks: undefined };
    handleContainerEvent(ctx, { kind: 'started', containerId: run.containerId, pid, networks });
  } else if (container.state === 'running') startChecks(ctx, framework, run);
}

/** Ends the run if its container has ended or is missing. */
function settleRun(
  ctx: Context,
  framework: FrameworkRecord,
  run: TaskRun,
  container: RecoveredContainer | undefined,
  rebooted: boolean,
): void {
  const { containerId } = run;
  if (container === undefined || neverRan(run, container)) {
    endMissingRun(ctx, framework, run, rebooted);
  } else if (taskOfRun(framework, run) === undefined) {
    // The framework was being shut down: the task has no record and no status is sent.
    if (container.state === 'running') ctx.effects.push({ kind: 'destroy', containerId });
    else endRun(ctx, { ...framework, state: 'terminating' }, run);
  } else if (container.state === 'running') {
    setKillTimer(ctx, run);
  } else if (container.status.kind === 'unknown' && container.limitation === undefined) {
    endMissingRun(ctx, framework, run, rebooted);
  } else {
    handleExited(ctx, framework, run, container);
  }
}

/** RECOVERY-1: ends a task whose exit status is not known. */
function endMissingRun(ctx: Context, framework: FrameworkRecord, run: TaskRun, rebooted: boolean): void {
  const record = taskOfRun(framework, run);
  if (record !== undefined && !isTerminal(record.task.state)) {
    const lost = lossStatus(framework, run.state !== 'queued');
    const message = rebooted ? 'The host was restarted' : lost.message;
    report(ctx, framework, run, { source: 'SOURCE_AGENT', ...lost, message });
  }
  endRun(ctx, framework, run);
}
