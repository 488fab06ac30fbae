// The records that an agent would find on its disk after a crash, against its actions and the master's state.
import type { AgentEffect, CheckpointRecord } from '@meseta/agent/core/io';
import type { AgentId, FrameworkId, TaskId } from '@meseta/base';
import type { MasterState } from '@meseta/master/core/state';
import { contains, equals, formatResources, type Resources, sum, unallocate } from '@meseta/resources';
import type { Resource } from '@meseta/wire';
import { isTerminal } from '@meseta/wire/task-states';
import type { AgentNode } from '../nodes/agent.js';
import type { Cluster } from '../run/cluster.js';
import type { World } from '../world.js';
import type { Checker, CheckerKind, Count } from './checker.js';

export const checkpoints: CheckerKind = {
  name: 'checkpoints',
  invariants: {
    'a task starts only after it is on disk':
      'A task of a checkpointing framework is on disk, with the reservations and volumes that it uses, before its container is launched or its executor receives it.',
    'a sandbox stays while its container runs':
      'No sandbox of a container that runs, or is being destroyed, is removed.',
    'master and disk agree on tasks':
      'At the end the tasks that the master has as running on an agent are those on its disk.',
    'master and disk agree on reservations and volumes':
      'At the end the reservations and volumes that the master has for an agent are those on its disk.',
  },
  allowances: {},
  create: createCheckpointsChecker,
};

function createCheckpointsChecker(cluster: Cluster, count: Count): Checker {
  const { world } = cluster;
  return {
    observer: {
      agentStepped(agent, _input, effects) {
        for (const effect of effects) {
          if (effect.kind === 'removeSandbox') {
            count('sandboxes removed');
            if (agent.containers.all.get(effect.containerId)?.state !== 'running') continue;
            const text = `${agent.name} removes ${effect.path}, whose container runs`;
            world.fail('a sandbox stays while its container runs', text, [effect.containerId]);
          }
          for (const [frameworkId, taskId] of tasksStartedBy(agent, effect)) {
            if (checkTaskOnDisk(world, agent, frameworkId, taskId)) count('launches checked against the disk');
          }
        }
      },
    },
    checkQuiescence() {
      const state = cluster.masters.leader()?.core.state;
      if (state === undefined) return;
      for (const agent of cluster.agents.values()) checkTasks(cluster, agent, state);
      for (const agent of cluster.agents.values()) checkResources(world, agent, state);
    },
  };
}

/** The tasks that an effect starts: in containers of their own, or in that of their executor. */
function tasksStartedBy({ core }: AgentNode, effect: AgentEffect): readonly (readonly [FrameworkId, TaskId])[] {
  if (effect.kind === 'launch') {
    const run = core?.state.runs.get(effect.spec.containerId);
    return run?.taskId === undefined ? [] : [[run.frameworkId, run.taskId]];
  }
  if (effect.kind !== 'executorEvent') return [];
  const run = [...(core?.state.runs.values() ?? [])].find(({ connection }) => connection === effect.connection);
  const { launch, launch_group: group } = effect.event;
  const tasks = launch === undefined ? (group?.task_group.tasks ?? []) : [launch.task];
  return run === undefined ? [] : tasks.map(({ task_id }) => [run.frameworkId, task_id.value as TaskId]);
}

/** Whether the agent keeps the resource on its disk: an operation reserved it or created its volume. */
const isCheckpointed = ({ reservations = [], disk }: Resource): boolean =>
  reservations.some(({ type }) => type === 'DYNAMIC') || disk?.persistence !== undefined;

const resourcesOnDisk = ({ disk }: AgentNode): Resources => {
  const record = disk.get('resources');
  return record?.kind === 'resources' ? record.resources : [];
};

function checkTaskOnDisk(world: World, agent: AgentNode, frameworkId: FrameworkId, taskId: TaskId): boolean {
  if (agent.core?.state.frameworks.get(frameworkId)?.info.checkpoint !== true) return false;
  const fail = (text: string): never =>
    world.fail('a task starts only after it is on disk', `${agent.name}: ${taskId} ${text}`, [taskId]);
  const record = agent.disk.get(`task/${frameworkId}/${taskId}`);
  if (record?.kind !== 'task') return fail('is not on the disk');
  const wanted = unallocate(record.record.info.resources ?? []).filter(isCheckpointed);
  const onDisk = resourcesOnDisk(agent);
  if (
    !contains(
      onDisk,
      wanted.filter((it) => it.shared === undefined),
    )
  ) {
    fail(`uses ${formatResources(wanted)}, the disk has ${formatResources(onDisk)}`);
  }
  return true;
}

type TaskEntry = Extract<CheckpointRecord, { readonly kind: 'task' }>;

/** Tasks on disk that have not ended, by framework and task id. */
function aliveOnDisk({ disk }: AgentNode): ReadonlyMap<string, TaskEntry> {
  const alive = new Map<string, TaskEntry>();
  const ended = new Set<string>();
  for (const { record } of disk.read()) {
    if (record.kind === 'taskProgress') {
      if (isTerminal(record.progress.state)) ended.add(`${record.frameworkId} ${record.taskId}`);
    } else if (record.kind === 'task' && !isTerminal(record.record.task.state)) {
      alive.set(`${record.frameworkId} ${record.record.info.task_id.value}`, record);
    }
  }
  for (const key of ended) alive.delete(key);
  return alive;
}

function checkTasks({ world }: Cluster, agent: AgentNode, state: MasterState): void {
  const id = agent.core?.state.info.id?.value as AgentId;
  const onDisk = aliveOnDisk(agent);
  const fail = (text: string, taskId: string): never =>
    world.fail('master and disk agree on tasks', `${agent.name}: ${taskId} ${text}`, [taskId]);
  for (const framework of state.frameworks.values()) {
    if (framework.info.checkpoint !== true) continue;
    for (const [taskId, task] of framework.tasks) {
      if (task.agent_id.value !== id || isTerminal(task.state)) continue;
      if (!onDisk.has(`${framework.id} ${taskId}`)) fail(`is ${task.state} to the master and not on the disk`, taskId);
    }
  }
  for (const { frameworkId, record } of onDisk.values()) {
    const taskId = record.info.task_id.value as TaskId;
    const known = state.frameworks.get(frameworkId)?.tasks.get(taskId);
    if (known?.agent_id.value !== id) fail('is alive on the disk and unknown to the master', taskId);
  }
}

function checkResources(world: World, agent: AgentNode, state: MasterState): void {
  const known = state.agents.registered.get(agent.core?.state.info.id?.value as AgentId);
  if (known === undefined) return;
  const expected = unallocate(sum([known.totalResources.filter(isCheckpointed)]));
  const onDisk = resourcesOnDisk(agent);
  if (equals(expected, onDisk)) return;
  const text = `${agent.name}: the master has ${formatResources(expected)}, the disk has ${formatResources(onDisk)}`;
  world.fail('master and disk agree on reservations and volumes', text, [known.id]);
}
