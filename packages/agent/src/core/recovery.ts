// The first step of a process: what the agent before it left on disk, matched with the containers that are there.
// Mesos: docs/agent-recovery.md; behaviours.md 11. Where Mesos reports tasks that ended meanwhile as failed, their
// true exit status is told here: the supervisors wrote it down.
//
// V1: a container without an executor of ours is destroyed, an executor without a container has ended.
// V2: after a restart of the host nothing of before runs; the agent keeps its id unless its description changed.
// V3: kills and drains that were decided go on with what is left of their grace periods.
import type { ContainerId, ExecutorId, FrameworkId, OperationUuid, TaskId } from '@meseta/base';
import type { ExitStatus, RecoveredContainer } from '@meseta/containers/types';
import { applyCheckpointed, contains } from '@meseta/resources';
import type { AgentInfo, Resource } from '@meseta/wire';
import { containerEvent, exited, report, superviseRun, taskOfExecutor } from './command-executor.js';
import { endExecutor, settle } from './executors.js';
import type { AgentConfig, CheckpointEntry, CheckpointRecord, ExecutorRecord } from './io.js';
import { AGENT_KEY } from './keys.js';
import { applyDrain, armKill, leave } from './kill.js';
import { partitionAware } from './launch.js';
import { watchDisk } from './sandboxes.js';
import { type FrameworkRecord, isTerminal } from './state.js';
import { log, type Step, save } from './step.js';
import { changeVolumes } from './volumes.js';

export function start(
  step: Step,
  checkpoint: readonly CheckpointEntry[],
  containers: readonly RecoveredContainer[],
): void {
  const { state } = step;
  state.started = true;
  state.startedWallMs = step.now.wallMs;
  const agent = checkpoint.map(({ record }) => record).find((record) => record.kind === 'agent');
  const verdict = agent === undefined ? 'new' : compatibility(state.config, agent.info, agent.bootId);
  if (verdict === 'incompatible') {
    const message =
      `this agent's description has changed in a way that --reconfiguration_policy=${state.config.reconfigurationPolicy} ` +
      'does not allow (hostname, port, domain, attributes or resources); change it back, or move work_dir away to start anew';
    step.effects.push({ kind: 'exit', status: 1, message });
    return;
  }
  if (verdict === 'known' && agent !== undefined) {
    state.info = { ...state.info, id: agent.info.id };
    save(step, AGENT_KEY, { kind: 'agent', info: state.info, bootId: state.config.bootId });
  }
  for (const { key, record } of checkpoint) {
    if (verdict === 'known' || record.kind === 'sandbox') restore(step, record);
    else save(step, key, undefined);
  }
  if (!restoreResources(step, verdict === 'known' ? checkpoint : [])) return;
  const rebooted = agent !== undefined && agent.bootId !== state.config.bootId;
  matchContainers(step, containers, rebooted);
  noteEndedSandboxes(step);
  if (state.drain !== undefined) applyDrain(step);
  watchDisk(step);
  if (state.config.recover === 'cleanup') {
    leave(step, 'what an earlier agent left here has been ended (--recover=cleanup)');
  }
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
    case 'task': {
      const { frameworkId, record: task, updates } = record;
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
      state.sandboxes.set(containerId, {
        containerId,
        path,
        endedWallMs: endedWallMs ?? step.now.wallMs,
        removing: false,
      });
      return;
    }
    case 'agent':
    case 'resources':
      return;
  }
}

/** The entries come in any order: a framework is made by the first that names it. */
function frameworkWith(step: Step, id: FrameworkId, known: Partial<FrameworkRecord>): FrameworkRecord {
  const framework: FrameworkRecord = {
    info: { user: '', name: '', id: { value: id }, checkpoint: true },
    pid: undefined,
    state: 'running',
    executors: new Map(),
    tasks: new Map(),
    streams: new Map(),
    completed: [],
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
  for (const container of containers) {
    if (step.state.runs.has(container.containerId)) continue;
    const kind = container.state === 'running' ? 'destroy' : 'removeContainer';
    step.effects.push({ kind, containerId: container.containerId });
  }
  for (const framework of [...step.state.frameworks.values()]) {
    for (const [executorId, executor] of [...framework.executors]) {
      if (executor.state === 'ended') settle(step, framework.id, executorId);
      else matchContainer(step, framework, executor, found.get(executor.containerId), rebooted);
    }
    settle(step, framework.id, undefined);
  }
}

function matchContainer(
  step: Step,
  framework: FrameworkRecord,
  executor: ExecutorRecord,
  container: RecoveredContainer | undefined,
  rebooted: boolean,
): void {
  const { containerId } = executor;
  const executorId = executor.info.executor_id.value as ExecutorId;
  const neverRan = container?.state === 'ended' && container.status.kind === 'unknown' && executor.state === 'queued';
  if (container === undefined || neverRan) {
    containerMissing(step, framework, executor, rebooted);
    return;
  }
  if (taskOfExecutor(framework, executor) === undefined) {
    // The framework was being shut down: nobody waits for this task any more.
    if (container.state === 'running') step.effects.push({ kind: 'destroy', containerId });
    else endExecutor(step, { ...framework, state: 'terminating' }, executor);
    return;
  }
  if (executor.state === 'queued') {
    // It was started, but nobody lived to say so.
    framework.executors.set(executorId, { ...executor, state: 'launching' });
    const pid = container.state === 'running' ? container.pid : 0;
    containerEvent(step, { kind: 'started', containerId, pid });
  } else if (container.state === 'running') superviseRun(step, framework, executor);
  const now = framework.executors.get(executorId) ?? executor;
  if (container.state === 'ended') ended(step, framework, now, container.status, rebooted);
  else armKill(step, now);
}

function ended(
  step: Step,
  framework: FrameworkRecord,
  executor: ExecutorRecord,
  status: ExitStatus,
  rebooted: boolean,
): void {
  if (status.kind === 'unknown') containerMissing(step, framework, executor, rebooted);
  else exited(step, framework, executor, status);
}

/** V1: nothing is left that could say how the task ended. */
function containerMissing(step: Step, framework: FrameworkRecord, executor: ExecutorRecord, rebooted: boolean): void {
  const aware = partitionAware(framework.info);
  const record = taskOfExecutor(framework, executor);
  if (record !== undefined && !isTerminal(record.task.state)) {
    const begun = executor.state !== 'queued';
    report(step, framework, executor, {
      state: begun ? (aware ? 'TASK_GONE' : 'TASK_LOST') : aware ? 'TASK_DROPPED' : 'TASK_LOST',
      source: 'SOURCE_AGENT',
      reason: begun ? 'REASON_EXECUTOR_REREGISTRATION_TIMEOUT' : 'REASON_AGENT_RESTARTED',
      message: rebooted
        ? 'The host was restarted'
        : begun
          ? 'The container is gone and its exit status was not recorded'
          : 'The agent was restarted before it could launch the task',
    });
  }
  endExecutor(step, framework, executor);
}

/** A sandbox whose container isn't there any more ages from now on. */
function noteEndedSandboxes(step: Step): void {
  for (const containerId of step.state.runs.keys()) step.state.sandboxes.delete(containerId);
  log(step, 'info', `recovered ${step.state.frameworks.size} frameworks, ${step.state.runs.size} containers`);
}
