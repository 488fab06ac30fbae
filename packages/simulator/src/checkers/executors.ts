// Frameworks' own executors at their agents.
import { taskKeys, wholeRecords } from '@meseta/agent/core/checkpoint-records';
import type { AgentId, FrameworkId, TaskId } from '@meseta/base';
import type { ExecutorCallUpdate, StatusUpdate } from '@meseta/wire';
import { isTerminal } from '@meseta/wire/task-states';
import type { AgentNode } from '../nodes/agent.js';
import type { ExecutorProcess } from '../nodes/executor.js';
import type { Cluster } from '../run/cluster.js';
import type { World } from '../world.js';
import type { Checker, CheckerKind, Count, CreateChecker } from './checker.js';

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
    "an executor's updates are acknowledged": 'At rest no executor waits for an acknowledgement.',
    'master and agent agree on executors': 'At rest the master and the agent have the same executors.',
  },
  allowances: {
    drained: 'A draining agent may report TASK_KILLED as TASK_GONE_BY_OPERATOR.',
    lostWithItsExecutor: 'What an executor sends immediately before it ends may not arrive.',
    crowdedOut: 'Of the updates of a task that its executor does not list, an agent remembers the newest hundred.',
    lostExit:
      'ExitedExecutorMessage is sent once; if it is lost, the master charges the executor until the agent re-registers.',
  },
  create: (cluster, count, keeper) => createExecutorsChecker(cluster, count, keeper),
};

/** An update as an executor said it first. */
interface Said {
  readonly executor: ExecutorProcess;
  readonly update: ExecutorCallUpdate;
  /** Among those of its task in this process. */
  readonly number: number;
}

const createExecutorsChecker: CreateChecker = (cluster, count): Checker => {
  const { world } = cluster;
  const words = createWords(world, count);
  const mail = createMail(world, count);
  const given = new Map<ExecutorProcess, Set<string>>();
  return {
    observer: {
      executorCalled(executor, call) {
        if (call.update !== undefined) words.say(executor, call.update);
        for (const update of call.subscribe?.unacknowledged_updates ?? []) words.say(executor, update);
        if (call.subscribe !== undefined) count('subscriptions of executors');
      },
      executorHeard(executor, event) {
        if (event.message !== undefined) mail.executorHeard(executor, event.message.data);
        const tasks = event.launch === undefined ? event.launch_group?.task_group.tasks : [event.launch.task];
        for (const { task_id } of tasks ?? []) giveOnce(world, given, executor, task_id.value);
      },
      schedulerCalled: (_scheduler, { message }) => message && mail.sent(message.executor_id.value, message.data),
      schedulerHeard({ memory }, { message }) {
        if (message !== undefined) mail.heard(memory.frameworkId ?? '', message.data);
      },
      agentStepped(agent, input, effects) {
        for (const effect of effects) {
          if (effect.kind === 'send') {
            const { name, body } = effect.message;
            if (effect.to === '' || effect.to.startsWith('@'))
              world.fail('every message has an address', `${agent.name} sends ${name} to '${effect.to}'`);
            if (name === 'StatusUpdateMessage') words.told(agent, body.update);
          }
          const acknowledged = effect.kind === 'executorEvent' ? effect.event.acknowledged : undefined;
          const said = words.said.get(acknowledged?.uuid ?? '');
          if (said !== undefined && words.since(said) < REMEMBERED) checkKept(world, agent, said);
        }
        if (input.kind === 'containerEvent' && input.event.kind === 'exited') {
          checkEnded(world, agent, input.event.containerId);
        }
      },
    },
    atRest: () => atRest(cluster),
  };
};

/** What executors said, and what agents told of it. */
function createWords(world: World, count: Count) {
  const said = new Map<string, Said>();
  const numbers = new Map<string, number>();
  /** The number of the last update that was told, by task and process. */
  const toldUpTo = new Map<string, number>();
  const toldUuids = new Set<string>();
  const keyOf = (executor: ExecutorProcess, taskId: string): string => `${executor.containerId} ${taskId}`;
  return {
    said,
    /** How many updates of the same task its executor has said since. */
    since: ({ executor, update, number }: Said): number =>
      (numbers.get(keyOf(executor, update.status.task_id.value)) ?? 0) - number - 1,
    say(executor: ExecutorProcess, update: ExecutorCallUpdate): void {
      const { uuid = '', task_id } = update.status;
      if (said.has(uuid)) return;
      const key = keyOf(executor, task_id.value);
      const number = numbers.get(key) ?? 0;
      numbers.set(key, number + 1);
      said.set(uuid, { executor, update, number });
      count('updates of executors');
    },
    told(agent: AgentNode, update: StatusUpdate): void {
      const { uuid = '', status } = update;
      const words = said.get(uuid);
      if (words === undefined || toldUuids.has(uuid)) return;
      toldUuids.add(uuid);
      const { executor, number } = words;
      const taskId = status.task_id.value;
      const fail = (text: string): never =>
        world.fail("an executor's update is delivered as it was sent", `${agent.name}: ${text}`, [taskId]);
      const { state } = words.update.status;
      const drained = state === 'TASK_KILLED' && status.state === 'TASK_GONE_BY_OPERATOR';
      if (status.state !== state && !drained) fail(`${executor.name} said ${state}, told is ${status.state}`);
      if (update.framework_id.value !== executor.frameworkId || agent.name !== executor.agentName) {
        fail(`${executor.name} said it of a task of framework ${update.framework_id.value}`);
      }
      const key = keyOf(executor, taskId);
      if (number < (toldUpTo.get(key) ?? -1)) {
        fail(`${state} of ${taskId} is told after what ${executor.name} said later`);
      }
      toldUpTo.set(key, number);
    },
  };
}

/** Messages between schedulers and executors. */
function createMail(world: World, count: Count) {
  const onTheirWay = new Set<string>();
  const times = new Map<string, number>();
  const heard = (who: string, data: string): void => {
    const key = `${who} ${data}`;
    times.set(key, (times.get(key) ?? 0) + 1);
    count('messages heard');
    if (times.get(key) === 1) return;
    world.fail('a message is delivered at most once', `${who} heard ${atob(data)} again`);
  };
  return {
    heard,
    sent: (executorId: string, data: string): void => void onTheirWay.add(`${executorId} ${data}`),
    executorHeard(executor: ExecutorProcess, data: string): void {
      if (!onTheirWay.has(`${executor.executorId} ${data}`)) {
        const text = `${executor.name} heard ${atob(data)}, which nobody sent it`;
        world.fail('a message is delivered at most once', text);
      }
      heard(executor.name, data);
    },
  };
}

function giveOnce(
  world: World,
  given: Map<ExecutorProcess, Set<string>>,
  executor: ExecutorProcess,
  taskId: string,
): void {
  const before = given.get(executor) ?? new Set();
  given.set(executor, before);
  if (before.has(taskId)) world.fail('a task reaches its executor once', `${executor.name}: ${taskId}`, [taskId]);
  before.add(taskId);
}

/** Updates of a task; see crowdedOut. */
const REMEMBERED = 100;

function checkKept(world: World, agent: AgentNode, said: Said): void {
  const { executor, update } = said;
  const framework = agent.core?.state.frameworks.get(executor.frameworkId as FrameworkId);
  if (framework?.info.checkpoint !== true || framework.state === 'terminating') return;
  const { task_id, uuid = '' } = update.status;
  const keys = taskKeys(framework.id, task_id.value as TaskId);
  const entries = keys.flatMap((key) => {
    const record = agent.disk.get(key);
    return record === undefined ? [] : [{ key, record }];
  });
  const [record] = wholeRecords(entries);
  // Over and acknowledged: nothing is left to keep.
  if (record?.kind !== 'task' || isTerminal(record.record.task.state)) return;
  if (record.record.received?.includes(uuid) === true) return;
  const text = `${agent.name} acknowledged ${update.status.state} of ${task_id.value}, which is not on its disk`;
  world.fail('an update acknowledged to its executor is on disk', text, [task_id.value]);
}

function checkEnded(world: World, agent: AgentNode, containerId: string): void {
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

function atRest({ world, agents, masters }: Cluster): void {
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
        if ((here?.get(id)?.state ?? 'ended') === 'ended') fail(`the master believes in ${id} of ${frameworkId}`);
      }
    }
    for (const framework of core.state.frameworks.values()) {
      for (const [id, executor] of framework.executors) {
        if (executor.kind === 'command' || executor.state === 'ended') continue;
        if (agent.executors.get(framework.id)?.has(id) === true) continue;
        fail(`the master does not know ${id} of ${framework.id}`);
      }
    }
  }
}
