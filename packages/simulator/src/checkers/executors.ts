// Frameworks' own executors at their agents.
import type { AgentId, FrameworkId, TaskId } from '@meseta/base';
import type { ExecutorCallUpdate, StatusUpdate } from '@meseta/wire';
import { isTerminal } from '@meseta/wire/task-states';
import type { AgentNode } from '../nodes/agent.js';
import type { ExecutorProcess } from '../nodes/executor.js';
import type { Cluster } from '../run/cluster.js';
import type { World } from '../world.js';
import type { Checker, CheckerKind, Count } from './checker.js';
import { taskOnDisk } from './task-on-disk.js';

export const executors: CheckerKind = {
  name: 'executors',
  invariants: {
    'a task reaches its executor once': 'No LAUNCH names a task that the process was sent before.',
    "an executor's update is delivered as it was sent":
      'The agent delivers it with its state and uuid, for the executor of the task, in the order of the executor.',
    'an update acknowledged to its executor is on disk':
      'For a checkpointing framework, until the task has ended and its end is acknowledged (EXECUTOR-CALLS-1).',
    "an executor's end ends its tasks":
      'When its agent knows that the container has ended, none of its tasks is alive there.',
    'a message is delivered at most once':
      'A message between a scheduler and an executor arrives unchanged and at most once; it may get lost.',
    'every message has an address': 'An agent sends no message to an empty address.',
    "an executor's updates are acknowledged": 'At the end no executor waits for an acknowledgement.',
    'master and agent agree on executors': 'At the end the master and the agent have the same executors.',
  },
  allowances: {
    drained: 'A draining agent may report TASK_KILLED as TASK_GONE_BY_OPERATOR.',
    lostWithItsExecutor: 'What an executor sends immediately before it ends may not arrive.',
    crowdedOut: 'Of the updates of a task that its executor does not list, an agent remembers the newest hundred.',
    lostExit:
      'ExitedExecutorMessage is sent once; if it is lost, the master charges the executor until the agent re-registers.',
  },
  create: createExecutorsChecker,
};

/** An update that an executor sent, and its position among those of its task in this process. */
interface SentUpdate {
  readonly executor: ExecutorProcess;
  readonly update: ExecutorCallUpdate;
  readonly index: number;
}

function createExecutorsChecker(cluster: Cluster, count: Count): Checker {
  const { world } = cluster;
  const updates = createUpdateTracker(world, count);
  const messages = createMessageTracker(world, count);
  const launched = new Map<ExecutorProcess, Set<string>>();
  return {
    observer: {
      executorCalled(executor, call) {
        if (call.update !== undefined) updates.recordSent(executor, call.update);
        for (const update of call.subscribe?.unacknowledged_updates ?? []) updates.recordSent(executor, update);
        if (call.subscribe !== undefined) count('subscriptions of executors');
      },
      executorReceived(executor, event) {
        if (event.message !== undefined) messages.checkReceivedByExecutor(executor, event.message.data);
        const tasks = event.launch === undefined ? event.launch_group?.task_group.tasks : [event.launch.task];
        for (const { task_id } of tasks ?? []) checkLaunchedOnce(world, launched, executor, task_id.value);
      },
      schedulerCalled: (_scheduler, { message }) =>
        message && messages.recordSent(message.executor_id.value, message.data),
      schedulerReceived({ memory }, { message }) {
        if (message !== undefined) messages.checkReceived(memory.frameworkId ?? '', message.data);
      },
      agentStepped(agent, input, effects) {
        for (const effect of effects) {
          if (effect.kind === 'send') {
            const { name, body } = effect.message;
            if (effect.to === '' || effect.to.startsWith('@'))
              world.fail('every message has an address', `${agent.name} sends ${name} to '${effect.to}'`);
            if (name === 'StatusUpdateMessage') updates.checkForwarded(agent, body.update);
          }
          const acknowledged = effect.kind === 'executorEvent' ? effect.event.acknowledged : undefined;
          const sent = updates.sent.get(acknowledged?.uuid ?? '');
          if (sent !== undefined && updates.countAfter(sent) < REMEMBERED) checkReceivedOnDisk(world, agent, sent);
        }
        if (input.kind === 'containerEvent' && input.event.kind === 'exited') {
          checkTasksEnded(world, agent, input.event.containerId);
        }
      },
    },
    checkQuiescence: () => checkQuiescence(cluster),
  };
}

/** The updates that executors sent, compared with those that their agents forward. */
function createUpdateTracker(world: World, count: Count) {
  const sent = new Map<string, SentUpdate>();
  /** By process and task. */
  const sentCounts = new Map<string, number>();
  /** The index of the last update that the agent forwarded, by process and task. */
  const lastForwarded = new Map<string, number>();
  const forwardedUuids = new Set<string>();
  const keyOf = (executor: ExecutorProcess, taskId: string): string => `${executor.containerId} ${taskId}`;
  return {
    sent,
    /** How many updates of the same task its executor has sent since this one. */
    countAfter: ({ executor, update, index }: SentUpdate): number =>
      (sentCounts.get(keyOf(executor, update.status.task_id.value)) ?? 0) - index - 1,
    recordSent(executor: ExecutorProcess, update: ExecutorCallUpdate): void {
      const { uuid = '', task_id } = update.status;
      if (sent.has(uuid)) return;
      const key = keyOf(executor, task_id.value);
      const index = sentCounts.get(key) ?? 0;
      sentCounts.set(key, index + 1);
      sent.set(uuid, { executor, update, index });
      count('updates of executors');
    },
    checkForwarded(agent: AgentNode, forwarded: StatusUpdate): void {
      const { uuid = '', status } = forwarded;
      const original = sent.get(uuid);
      if (original === undefined || forwardedUuids.has(uuid)) return;
      forwardedUuids.add(uuid);
      const { executor, index } = original;
      const taskId = status.task_id.value;
      const fail = (text: string): never =>
        world.fail("an executor's update is delivered as it was sent", `${agent.name}: ${text}`, [taskId]);
      const { state } = original.update.status;
      const drained = state === 'TASK_KILLED' && status.state === 'TASK_GONE_BY_OPERATOR';
      if (status.state !== state && !drained)
        fail(`${executor.name} sent ${state}, the agent forwards ${status.state}`);
      if (forwarded.framework_id.value !== executor.frameworkId || agent.name !== executor.agentName) {
        fail(`${executor.name} sent ${state}, which is forwarded to framework ${forwarded.framework_id.value}`);
      }
      const key = keyOf(executor, taskId);
      if (index < (lastForwarded.get(key) ?? -1)) {
        fail(`${state} of ${taskId} is forwarded after an update that ${executor.name} sent later`);
      }
      lastForwarded.set(key, index);
    },
  };
}

/** Messages between schedulers and executors. */
function createMessageTracker(world: World, count: Count) {
  const sentToExecutors = new Set<string>();
  const received = new Set<string>();
  const checkReceived = (receiver: string, data: string): void => {
    const key = `${receiver} ${data}`;
    count('executor messages received');
    if (received.has(key)) {
      world.fail('a message is delivered at most once', `${receiver} received ${atob(data)} again`);
    }
    received.add(key);
  };
  return {
    checkReceived,
    recordSent: (executorId: string, data: string): void => void sentToExecutors.add(`${executorId} ${data}`),
    checkReceivedByExecutor(executor: ExecutorProcess, data: string): void {
      if (!sentToExecutors.has(`${executor.executorId} ${data}`)) {
        const text = `${executor.name} received ${atob(data)}, which no scheduler sent`;
        world.fail('a message is delivered at most once', text);
      }
      checkReceived(executor.name, data);
    },
  };
}

function checkLaunchedOnce(
  world: World,
  launched: Map<ExecutorProcess, Set<string>>,
  executor: ExecutorProcess,
  taskId: string,
): void {
  const taskIds = launched.get(executor) ?? new Set();
  launched.set(executor, taskIds);
  if (taskIds.has(taskId)) world.fail('a task reaches its executor once', `${executor.name}: ${taskId}`, [taskId]);
  taskIds.add(taskId);
}

/** The updates of a task that an agent remembers; see `crowdedOut`. */
const REMEMBERED = 100;

function checkReceivedOnDisk(world: World, agent: AgentNode, { executor, update }: SentUpdate): void {
  const framework = agent.core?.state.frameworks.get(executor.frameworkId as FrameworkId);
  if (framework?.info.checkpoint !== true || framework.state === 'terminating') return;
  const { task_id, uuid = '' } = update.status;
  const record = taskOnDisk(agent.disk, framework.id, task_id.value as TaskId);
  // The end of the task was acknowledged: the agent no longer keeps its updates.
  if (record === undefined || isTerminal(record.task.state)) return;
  if (record.received?.includes(uuid) === true) return;
  const text = `${agent.name} acknowledged ${update.status.state} of ${task_id.value}, which is not on its disk`;
  world.fail('an update acknowledged to its executor is on disk', text, [task_id.value]);
}

function checkTasksEnded(world: World, agent: AgentNode, containerId: string): void {
  for (const framework of agent.core?.state.frameworks.values() ?? []) {
    for (const executor of framework.executors.values()) {
      if (executor.containerId !== containerId || executor.kind !== 'custom') continue;
      for (const { info, executorId, task } of framework.tasks.values()) {
        if (executorId !== executor.info.executor_id.value || isTerminal(task.state)) continue;
        const text = `${agent.name}: ${info.task_id.value} of ${executorId}, which has ended, is ${task.state}`;
        world.fail("an executor's end ends its tasks", text, [info.task_id.value]);
      }
    }
  }
}

function checkQuiescence({ world, agents, masters }: Cluster): void {
  const state = masters.leader()?.core.state;
  for (const { core, executors, name } of agents.values()) {
    for (const executor of executors.values()) {
      if (executor.hung || !executor.subscribed || executor.unacknowledged.size === 0) continue;
      const waiting = [...executor.unacknowledged.values()].map(({ status }) => status.task_id.value);
      world.fail("an executor's updates are acknowledged", `${executor.name} waits for ${waiting.join(', ')}`, waiting);
    }
    const agent = state?.agents.registered.get(core?.state.info.id?.value as AgentId);
    if (core === undefined || agent === undefined) continue;
    const fail = (text: string): never =>
      world.fail('master and agent agree on executors', `${name}: ${text}`, [agent.id]);
    for (const [frameworkId, executorIds] of agent.executors) {
      const here = core.state.frameworks.get(frameworkId)?.executors;
      for (const id of executorIds.keys()) {
        if ((here?.get(id)?.state ?? 'ended') === 'ended')
          fail(`the agent does not have ${id} of ${frameworkId}, which the master has`);
      }
    }
    for (const framework of core.state.frameworks.values()) {
      for (const [id, executor] of framework.executors) {
        if (executor.kind === 'command' || executor.state === 'ended') continue;
        if (agent.executors.get(framework.id)?.has(id) === true) continue;
        fail(`the master does not have ${id} of ${framework.id}, which the agent has`);
      }
    }
  }
}
