// The first step of a process: what the agent before it left on disk, matched with the containers that are there.
// Mesos: docs/agent-recovery.md. Where Mesos reports tasks that ended meanwhile as failed, their
// true exit status is told here: the supervisors wrote it down.
//
// RECOVERY-1: a container without an executor of ours is destroyed, an executor without a container has ended.
// RECOVERY-2: after a restart of the host nothing of before runs; the agent keeps its id unless its description changed.
// RECOVERY-3: kills and drains that were decided go on with what is left of their grace periods.
import type { ContainerId, ExecutorId, FrameworkId, OperationUuid, TaskId } from '@meseta/base';
import type { RecoveredContainer } from '@meseta/containers/types';
import { applyCheckpointed, contains } from '@meseta/resources';
import type { AgentInfo, Resource } from '@meseta/wire';
import { relocated, wholeRecords } from './checkpoint-records.js';
import { containerEvent, exited, superviseRun } from './command-executor.js';
import { log, type Step, save, setTimer } from './context.js';
import { awaitExecutor, executorGone } from './custom-executor.js';
import { AGENT_KEY } from './disk-layout.js';
import { putExecutor, restoreRetired, settle } from './executors.js';
import type { AgentConfig, CheckpointEntry, CheckpointRecord, ExecutorRecord } from './io.js';
import { applyDrain, leave } from './kill.js';
import { matchNested, restoreNested } from './nested-containers.js';
import { endPodIfEmpty } from './pods.js';
import { armKill, endRun } from './run-end.js';
import { report } from './run-reports.js';
import { isCommand, noteRun, type TaskRun, taskOfRun, taskRunOf } from './runs.js';
import { keepSandboxesInUse, watchDisk } from './sandboxes.js';
import { type FrameworkRecord, isTerminal, newFramework, partitionAware } from './state.js';
import type { StatusFields } from './status-updates.js';
import { checkRecord } from './validation.js';
import { changeVolumes } from './volumes.js';

export function start(step: Step, onDisk: readonly CheckpointEntry[], containers: readonly RecoveredContainer[]): void {
  const { state } = step;
  state.started = true;
  state.startedWallMs = step.now.wallMs;
  const agent = onDisk.map(({ record }) => record).find((record) => record.kind === 'agent');
  const verdict = agent === undefined ? 'new' : compatibility(state.config, agent.info, agent.bootId);
  if (verdict === 'incompatible') {
    const message =
      `this agent's description has changed in a way that --reconfiguration_policy=${state.config.reconfigurationPolicy} ` +
      `does not allow (hostname, port, domain, attributes or resources); change it back, or remove ` +
      `${state.config.workDir}/meta/slaves/latest to start as a new agent, which ends the tasks of the old one`;
    step.effects.push({ kind: 'exit', status: 1, message });
    return;
  }
  const wrong = onDisk.map(({ record }) => checkRecord(record)).find((problem) => problem !== undefined);
  if (wrong !== undefined) {
    const message = `the checkpoint in work_dir is damaged (${wrong}); move work_dir away to start anew`;
    step.effects.push({ kind: 'exit', status: 1, message });
    return;
  }
  if (verdict === 'known' && agent !== undefined) {
    state.info = { ...state.info, id: agent.info.id };
    const { bootId, workDir } = state.config;
    save(step, AGENT_KEY, { kind: 'agent', info: state.info, bootId, workDir });
  }
  const checkpoint = relocate(step, onDisk, agent?.workDir);
  for (const record of wholeRecords(checkpoint)) {
    if (verdict === 'known' || record.kind === 'sandbox') restore(step, record);
  }
  for (const { key, record } of checkpoint) {
    if (verdict !== 'known' && record.kind !== 'sandbox') save(step, key, undefined);
  }
  for (const framework of state.frameworks.values()) restoreRetired(step, framework);
  if (!restoreResources(step, verdict === 'known' ? checkpoint : [])) return;
  const rebooted = agent !== undefined && agent.bootId !== state.config.bootId;
  matchContainers(step, containers, rebooted);
  keepSandboxesInUse(step);
  log(step, 'info', `recovered ${state.frameworks.size} frameworks, ${state.runs.size} containers`);
  if (state.drain !== undefined) applyDrain(step);
  watchDisk(step);
  if (state.config.recover === 'cleanup') {
    leave(step, 'what an earlier agent left here has been ended (--recover=cleanup)');
  }
}

/** The records of an agent whose work_dir was moved, with their sandboxes where they lie now. */
function relocate(
  step: Step,
  checkpoint: readonly CheckpointEntry[],
  from: string | undefined,
): readonly CheckpointEntry[] {
  const to = step.state.config.workDir;
  if (from === undefined || from === to) return checkpoint;
  log(step, 'info', `work_dir was moved from ${from} to ${to}`);
  return checkpoint.map((entry) => {
    const record = relocated(entry.record, from, to);
    if (record !== entry.record) save(step, entry.key, record);
    return { key: entry.key, record };
  });
}

/** Whether a process with this configuration may go on as the agent that wrote `before`. */
export function compatibility(
  config: AgentConfig,
  before: AgentInfo,
  bootId: string,
): 'known' | 'new' | 'incompatible' {
  const now = config.info;
  const same = (a: unknown, b: unknown): boolean => JSON.stringify(a ?? null) === JSON.stringify(b ?? null);
  const had = before.resources ?? [];
  const has = now.resources ?? [];
  const additive = config.reconfigurationPolicy === 'additive';
  const attributes = before.attributes ?? [];
  const permitted =
    before.hostname === now.hostname &&
    before.port === now.port &&
    same(before.domain, now.domain) &&
    (additive
      ? attributes.every((it) => now.attributes?.some((other) => same(it, other))) && contains(has, had)
      : same(before.attributes, now.attributes) && contains(has, had) && contains(had, has));
  if (permitted) return 'known';
  return bootId === config.bootId ? 'incompatible' : 'new';
}

function restore(step: Step, record: CheckpointRecord): void {
  const { state } = step;
  switch (record.kind) {
    case 'framework':
      frameworkWith(step, record.info.id?.value as FrameworkId, { info: record.info, pid: record.pid });
      return;
    case 'executor': {
      const { executor } = record;
      const executorId = executor.info.executor_id.value as ExecutorId;
      frameworkWith(step, executor.frameworkId, {}).executors.set(executorId, executor);
      const run = { frameworkId: executor.frameworkId, executorId, health: undefined, check: undefined };
      if (executor.state !== 'ended') state.runs.set(executor.containerId, run);
      return;
    }
    case 'guest':
      restoreNested(step, record.guest);
      return;
    case 'member': {
      const { member: podTask } = record;
      const { frameworkId, executorId, taskId } = podTask;
      frameworkWith(step, frameworkId, {}).podTasks.set(taskId, podTask);
      const run = { frameworkId, executorId, taskId, health: undefined, check: undefined };
      if (podTask.state !== 'ended') state.runs.set(podTask.containerId, run);
      return;
    }
    case 'task': {
      const { frameworkId, record: task, updates = [] } = record;
      const taskId = task.info.task_id.value as TaskId;
      const framework = frameworkWith(step, frameworkId, {});
      framework.tasks.set(taskId, task);
      if (updates.length === 0) return;
      framework.streams.set(taskId, { frameworkId, taskId, updates, durable: updates.length, retryMs: 10_000 });
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
      state.sandboxes.set(containerId, { containerId, path, endedWallMs, removing: false });
      return;
    }
    case 'agent':
    case 'resources':
    case 'executorProgress':
    case 'taskProgress':
      return;
  }
}

/** The entries come in any order: a framework is made by the first that names it. */
function frameworkWith(step: Step, id: FrameworkId, known: Partial<FrameworkRecord>): FrameworkRecord {
  const framework: FrameworkRecord = {
    ...newFramework(id, { user: '', name: '', checkpoint: true }, undefined),
    ...step.state.frameworks.get(id),
    ...known,
    id,
  };
  step.state.frameworks.set(id, framework);
  return framework;
}

function restoreResources(step: Step, checkpoint: readonly CheckpointEntry[]): boolean {
  const { state } = step;
  const kept: readonly Resource[] = checkpoint.flatMap(({ record }) =>
    record.kind === 'resources' ? record.resources : [],
  );
  if (kept.length === 0) return true;
  const total = applyCheckpointed(state.total, kept);
  if (!total.ok) {
    const message = `the reservations and volumes on this agent do not fit into --resources: ${total.error}`;
    step.effects.push({ kind: 'exit', status: 1, message });
    return false;
  }
  state.total = total.value;
  changeVolumes(step, [], state.total);
  return true;
}

function matchContainers(step: Step, containers: readonly RecoveredContainer[], rebooted: boolean): void {
  const found = new Map<ContainerId, RecoveredContainer>(containers.map((it) => [it.containerId, it]));
  const nestedContainers = new Set([...step.state.nestedContainers.values()].map(({ record }) => record.containerId));
  for (const container of containers) {
    if (step.state.runs.has(container.containerId) || nestedContainers.has(container.containerId)) continue;
    const kind = container.state === 'running' ? 'destroy' : 'removeContainer';
    if (container.state === 'running') step.state.strays.add(container.containerId);
    step.effects.push({ kind, containerId: container.containerId });
  }
  for (const framework of [...step.state.frameworks.values()]) {
    for (const podTask of [...framework.podTasks.values()]) {
      if (podTask.state !== 'ended') matchContainer(step, framework, podTask, found.get(podTask.containerId), rebooted);
    }
    for (const [executorId, executor] of [...framework.executors]) {
      const container = found.get(executor.containerId);
      if (executor.state === 'ended') settle(step, framework.id, executorId);
      else if (isCommand(executor)) matchContainer(step, framework, executor, container, rebooted);
      else if (executor.kind === 'custom') matchCustom(step, framework, executor, container);
      else endPodIfEmpty(step, framework.id, executorId);
    }
    settle(step, framework.id, undefined);
  }
  matchNested(step, found);
  if (step.state.awaited.size === 0) return;
  setTimer(step, { kind: 'executorsBack' }, step.state.config.executorReregistrationTimeoutMs);
}

/** A framework's own executor that runs is waited for (REGISTRATION-5). */
function matchCustom(
  step: Step,
  framework: FrameworkRecord,
  executor: ExecutorRecord,
  container: RecoveredContainer | undefined,
): void {
  const { containerId } = executor;
  if (container?.state === 'running') {
    const state = executor.state === 'queued' ? 'launching' : executor.state;
    const known = { ...executor, state, pid: container.pid };
    putExecutor(step, framework, known);
    if (known.kill === undefined) awaitExecutor(step, framework, known);
    else armKill(step, known);
    return;
  }
  const status = container?.status ?? { kind: 'unknown' };
  if (status.kind !== 'unknown') executorGone(step, framework, executor, status);
  else executorGone(step, framework, executor, status, lostAtRestart(framework, executor.state !== 'queued'));
  // Until now the launcher knew it.
  if (container !== undefined && executor.state === 'queued') step.after.push({ kind: 'removeContainer', containerId });
}

function lostAtRestart({ info }: FrameworkRecord, begun: boolean): StatusFields {
  const aware = partitionAware(info);
  if (begun) {
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

function matchContainer(
  step: Step,
  framework: FrameworkRecord,
  run: TaskRun,
  container: RecoveredContainer | undefined,
  rebooted: boolean,
): void {
  const { containerId } = run;
  const neverRan = container?.state === 'ended' && container.status.kind === 'unknown' && run.state === 'queued';
  if (container === undefined || neverRan) {
    containerMissing(step, framework, run, rebooted);
    return;
  }
  if (taskOfRun(framework, run) === undefined) {
    // The framework was being shut down: nobody waits for this task any more.
    if (container.state === 'running') step.effects.push({ kind: 'destroy', containerId });
    else endRun(step, { ...framework, state: 'terminating' }, run);
    return;
  }
  if (run.state === 'queued') {
    // It was started, but nobody lived to say so.
    noteRun(framework, { ...run, state: 'launching' });
    const pid = container.state === 'running' ? container.pid : 0;
    containerEvent(step, { kind: 'started', containerId, pid });
  } else if (container.state === 'running') superviseRun(step, framework, run);
  const now = taskRunOf(step, containerId)?.run ?? run;
  if (container.state === 'running') armKill(step, now);
  else if (container.status.kind === 'unknown') containerMissing(step, framework, now, rebooted);
  else exited(step, framework, now, container.status);
}

/** RECOVERY-1: nothing is left that could say how the task ended. */
function containerMissing(step: Step, framework: FrameworkRecord, run: TaskRun, rebooted: boolean): void {
  const record = taskOfRun(framework, run);
  if (record !== undefined && !isTerminal(record.task.state)) {
    const lost = lostAtRestart(framework, run.state !== 'queued');
    const message = rebooted ? 'The host was restarted' : lost.message;
    report(step, framework, run, { source: 'SOURCE_AGENT', ...lost, message });
  }
  endRun(step, framework, run);
}
