// The quiescence checks: the whole cluster at the end of the run, after all faults ended and it had time to recover.
import type { AgentId, ContainerId, FrameworkId, TaskId } from '@meseta/base';
import type { Agent, MasterState } from '@meseta/master/core/state';
import { equals, formatResources, unallocate } from '@meseta/resources';
import { isTerminal } from '@meseta/wire/task-states';
import type { AgentNode } from '../nodes/agent.js';
import { isAlive, type TaskView } from '../nodes/framework-memory.js';
import type { Cluster } from '../run/cluster.js';
import type { Framework } from '../schedulers/scripts.js';
import type { Checker, CheckerKind, Count } from './checker.js';

export const quiescence: CheckerKind = {
  name: 'quiescence',
  invariants: {
    'all agents and schedulers are connected': 'Every agent is registered and every scheduler is subscribed.',
    "every launched task's state is known":
      'Its framework knows that it has ended, that it runs, or that its agent is unreachable or gone.',
    'every running task is known to master and framework': 'Both have it as running.',
    'every update was delivered': 'No agent waits for an acknowledgement by a framework that acknowledges.',
    'master and agent agree on totals': 'They have the same total resources of the agent.',
    'no state of finished work remains':
      'No work is pending, no entry refers to a removed object, and histories are within their limits.',
  },
  allowances: {
    deafExecutor:
      "A task that was reported lost is killed when its agent re-registers; a framework's own executor may ignore the kill.",
    prunedRecently:
      'A task of an unreachable agent is unknown after the registry pruned the agent, which no update reports; its framework is told at its next reconciliation.',
  },
  create: createQuiescenceChecker,
};

function createQuiescenceChecker(cluster: Cluster, count: Count): Checker {
  const { timeline } = cluster.world;
  const prunedAtMs = new Map<string, number>();
  return {
    observer: {
      registryWritten(operations) {
        for (const operation of operations) {
          if (operation.kind !== 'pruneAgents') continue;
          for (const id of operation.unreachable) prunedAtMs.set(id, timeline.nowMs());
        }
      },
    },
    checkQuiescence() {
      const sinceMs = timeline.nowMs() - LONGEST_WITHOUT_RECONCILIATION_MS;
      const prunedRecently = new Set([...prunedAtMs].flatMap(([id, atMs]) => (atMs > sinceMs ? [id] : [])));
      checkCluster(cluster, count, prunedRecently);
    },
  };
}

/** A framework reconciles once a minute the tasks of which it has received no update for a minute. */
const LONGEST_WITHOUT_RECONCILIATION_MS = 125_000;

function checkCluster(cluster: Cluster, count: Count, prunedRecently: ReadonlySet<string>): void {
  const { world, masters } = cluster;
  const leader = masters.leader();
  if (leader === undefined) return world.fail('all agents and schedulers are connected', 'no master leads');
  const { state } = leader.core;
  checkConnections(cluster, state);
  checkTasks(cluster, state, count, prunedRecently);
  checkRunning(cluster, state, count);
  checkAgents(cluster, state);
  checkNoStateRemains(cluster, state);
}

function checkConnections({ world, agents, frameworks }: Cluster, state: MasterState): void {
  for (const { name, core, pid } of agents.values()) {
    const id = state.agents.byPid.get(pid);
    const agent = id === undefined ? undefined : state.agents.registered.get(id);
    if (core === undefined || !core.state.registration.registered || agent?.connected !== true) {
      const text = `${name} is not registered (${core?.state.info.id?.value ?? 'without an id'})`;
      world.fail('all agents and schedulers are connected', text, [core?.state.info.id?.value ?? name]);
    }
  }
  for (const { name, clients, memory } of frameworks.values()) {
    if (clients.some((client) => client.connected)) continue;
    world.fail('all agents and schedulers are connected', `${name} is not subscribed`, [memory.frameworkId ?? name]);
  }
}

const neverAcknowledges = (framework: Framework): boolean => framework.plan.kind === 'silent';

/** The agent node that runs a task now. */
function runnerOf(cluster: Cluster, taskId: string): AgentNode | undefined {
  for (const node of cluster.agents.values()) {
    for (const container of node.containers.all.values()) {
      if (container.state === 'running' && runsTask(node, container.id, taskId)) return node;
    }
  }
  return undefined;
}

/** Whether the executor of the task hangs: it neither starts nor ends tasks any more. */
const hasHungExecutor = ({ agents }: Cluster, { memory }: Framework, { agentId, executorId }: TaskView): boolean =>
  [...agents.values()].some(
    ({ core, executors }) =>
      core?.state.info.id?.value === agentId &&
      [...executors.values()].some(
        (it) => it.hung && it.executorId === executorId && it.frameworkId === memory.frameworkId,
      ),
  );

const runsTask = (node: AgentNode, containerId: ContainerId, taskId: string): boolean =>
  tasksIn(node, containerId)?.includes(taskId) === true;

/** The tasks that run in a container; undefined: its agent does not know it. */
function tasksIn(node: AgentNode, containerId: ContainerId): readonly string[] | undefined {
  const run = node.core?.state.runs.get(containerId);
  const executor = node.executors.get(containerId);
  if (run === undefined || executor === undefined) return run && [run.taskId ?? run.executorId];
  return [...executor.tasks].filter(([, { state }]) => !isTerminal(state)).map(([id]) => id);
}

function checkTasks(cluster: Cluster, state: MasterState, count: Count, prunedRecently: ReadonlySet<string>): void {
  for (const framework of cluster.frameworks.values()) {
    if (neverAcknowledges(framework)) continue;
    for (const task of framework.memory.tasks.values()) {
      count('task states checked');
      if (!isAlive(task)) continue;
      if (task.status?.state === 'TASK_UNREACHABLE' && prunedRecently.has(task.agentId)) {
        count('tasks of recently pruned agents');
      } else checkAlive(cluster, state, framework, task);
    }
  }
}

function checkAlive(cluster: Cluster, state: MasterState, framework: Framework, task: TaskView): void {
  const known = state.frameworks.get(framework.memory.frameworkId as FrameworkId);
  const lastState = task.status?.state;
  const agentId = task.agentId as AgentId;
  const isLost = state.agents.unreachable.has(agentId) || state.agents.gone.has(agentId);
  if (lastState === 'TASK_UNREACHABLE' && isLost) return;
  const record = known?.tasks.get(task.id as TaskId);
  const runs = runnerOf(cluster, task.id) !== undefined || hasHungExecutor(cluster, framework, task);
  if (record !== undefined && !isTerminal(record.state) && runs) return;
  const text =
    `${framework.name}: task ${task.id} on ${task.agentId} was last reported as ${lastState ?? 'launched'}; ` +
    `the master has ${record?.state ?? 'nothing'}, ${runs ? 'it runs' : 'it does not run'}`;
  cluster.world.fail("every launched task's state is known", text, [task.id]);
}

function checkRunning(cluster: Cluster, state: MasterState, count: Count): void {
  for (const node of cluster.agents.values()) {
    for (const container of node.containers.all.values()) {
      if (container.state !== 'running') continue;
      const run = node.core?.state.runs.get(container.id);
      const tasks = tasksIn(node, container.id);
      if (run === undefined || tasks === undefined) {
        const text = `${container.id} on ${node.name}, which its agent does not know`;
        return cluster.world.fail('every running task is known to master and framework', text, [container.id]);
      }
      for (const taskId of tasks) {
        if (node.executors.get(container.id)?.ignoresKillOf(taskId) === true) continue;
        count('running tasks checked');
        checkKnown(cluster, state, node, run.frameworkId, taskId);
      }
    }
  }
}

function checkKnown(
  cluster: Cluster,
  state: MasterState,
  node: AgentNode,
  frameworkId: FrameworkId,
  taskId: string,
): void {
  const fail = (text: string): never =>
    cluster.world.fail('every running task is known to master and framework', `${taskId} on ${node.name}: ${text}`, [
      taskId,
    ]);
  const known = state.frameworks.get(frameworkId)?.tasks.get(taskId as TaskId);
  if (known === undefined) fail('the master does not know it');
  if (isTerminal(known?.state)) fail(`the master has it as ${known?.state}`);
  const framework = [...cluster.frameworks.values()].find((it) => it.memory.frameworkId === frameworkId);
  const view = framework?.memory.tasks.get(taskId);
  if (view === undefined) fail('its framework does not know it');
  else if (!isAlive(view)) fail(`its framework has it as ${view.status?.state}`);
}

function checkAgents(cluster: Cluster, state: MasterState): void {
  const { world, agents, frameworks } = cluster;
  const notAcknowledging = new Set(
    [...frameworks.values()].filter(neverAcknowledges).map(({ memory }) => memory.frameworkId),
  );
  for (const { name, core } of agents.values()) {
    if (core === undefined) continue;
    for (const framework of core.state.frameworks.values()) {
      if (notAcknowledging.has(framework.id)) continue;
      for (const stream of framework.streams.values()) {
        const text = `${name} still sends ${stream.updates.map((it) => it.status.state).join(', ')} of ${stream.taskId}`;
        world.fail('every update was delivered', text, [stream.taskId]);
      }
    }
    const agent = state.agents.registered.get(core.state.info.id?.value as AgentId);
    if (agent === undefined || equals(unallocate(agent.totalResources), unallocate(core.state.total))) continue;
    const text = `${name} has ${formatResources(core.state.total)}, the master has ${formatResources(agent.totalResources)}`;
    world.fail('master and agent agree on totals', text, [agent.id]);
  }
}

function staleKills({ killedTasks, tasks }: Agent): number {
  let count = 0;
  for (const [frameworkId, ids] of killedTasks) for (const id of ids) if (!tasks.get(frameworkId)?.has(id)) count++;
  return count;
}

function checkNoStateRemains({ world, plan, agents }: Cluster, state: MasterState): void {
  const { registered } = state.agents;
  const addresses = new Set([...agents.values()].map(({ machine }) => machine.address));
  const sizes: readonly (readonly [what: string, size: number, most: number])[] = [
    ['jobs', state.jobs.length, 0],
    ['pending registrations', state.agents.registering.size + state.agents.reregistering.size, 0],
    ['transitions of agents', state.agents.transitions.size, 0],
    ['agents waiting to be removed', state.removals.waiting.size, 0],
    ['registered agents', registered.size, addresses.size],
    ['agents by pid', state.agents.byPid.size, registered.size],
    ['unanswered pings', state.agents.unansweredPings.size, registered.size],
    ['linked addresses', state.links.size, registered.size + state.frameworkByPid.size],
    ['streams', state.frameworkByStream.size, state.frameworks.size],
    ['completed frameworks', state.completedFrameworks.size, state.options.maxCompletedFrameworks],
    ['kills of tasks that no longer exist', [...registered.values()].reduce((sum, it) => sum + staleKills(it), 0), 0],
  ];
  for (const [what, size, most] of sizes) {
    if (size > most) world.fail('no state of finished work remains', `${size} ${what}, at most ${most}`);
  }
  for (const { id, ...framework } of state.frameworks.values()) {
    const { tasks, operations } = framework;
    const kept: readonly (readonly [what: string, size: number, most: number])[] = [
      ['completed tasks', framework.completedTasks.size, plan.maxCompletedTasks],
      ['acknowledged updates', framework.acknowledged.size, tasks.size],
      ["operations' ids", framework.operationUuids.size, operations.size],
    ];
    for (const [what, size, most] of kept) {
      if (size > most)
        world.fail('no state of finished work remains', `${size} ${what} of ${id}, at most ${most}`, [id]);
    }
  }
  for (const { name, core, disk } of agents.values()) {
    for (const { key, record } of disk.read()) {
      if (record.kind !== 'task') continue;
      const framework = core?.state.frameworks.get(record.frameworkId);
      const taskId = record.record.task.task_id.value;
      if (framework?.tasks.has(taskId as TaskId) === true) continue;
      // EXECUTORS-4 of the agent: an ended task is kept as long as its executor runs.
      const retired = framework?.retired.get(record.record.executorId);
      if (retired?.some(({ info }) => info.task_id.value === taskId) === true) continue;
      world.fail('no state of finished work remains', `${key} on ${name}'s disk, which has no such task`, [taskId]);
    }
  }
}
