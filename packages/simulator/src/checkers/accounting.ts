// The master's resource accounting and indexes, checked after its steps.
import type { AgentId } from '@meseta/base';
import type { MasterEffect, MasterInput } from '@meseta/master/core/io';
import type { Agent, MasterState } from '@meseta/master/core/state';
import { machineKeyOf } from '@meseta/master/registry/state';
import {
  contains,
  equals,
  formatResources,
  nonShared,
  type Resources,
  subtract,
  sum,
  unallocate,
} from '@meseta/resources';
import { isTerminal } from '@meseta/wire/task-states';
import type { MasterProcess } from '../nodes/master.js';
import type { Cluster } from '../run/cluster.js';
import type { World } from '../world.js';
import type { Checker, CheckerKind, Count } from './checker.js';

export const accounting: CheckerKind = {
  name: 'accounting',
  invariants: {
    'no resource is offered or used twice':
      'The resources of tasks, executors, offers and operations of an agent are within its total (MASTER-STATE-4).',
    'allocator and master agree on free resources':
      'The master and its allocator compute the same free resources of every agent.',
    "the master's indexes agree with each other": 'MASTER-STATE-1 to MASTER-STATE-3.',
  },
  allowances: {
    queriedTask:
      "A task that was launched with resources of an UNRESERVE, and lost with it on the way, counts against resources that are reserved again: from the agent's re-registration, when the master asks for the task, until the agent answers that it is lost.",
  },
  create: createAccountingChecker,
};

/** The accounting is checked after every so many steps of masters. */
const STEPS_PER_CHECK = 24;

function createAccountingChecker({ world, masters }: Cluster, count: Count): Checker {
  let steps = 0;
  const queriedTasks = new Map<MasterProcess, QueriedTasks>();
  return {
    observer: {
      masterStepped(master, input, effects) {
        const tasks = queriedTasks.get(master) ?? new Map();
        queriedTasks.set(master, tasks);
        recordQueriedTasks(tasks, input, effects);
        if (steps++ % STEPS_PER_CHECK !== 0 || !master.core.state.recovered) return;
        checkAccounting(world, master, tasks);
        count('resource accounting checked');
      },
    },
    checkQuiescence() {
      const leader = masters.leader();
      if (leader !== undefined) checkAccounting(world, leader, new Map());
    },
  };
}

/** By agent: the tasks that its last re-registration did not list, until the agent sends an update of each. */
type QueriedTasks = Map<AgentId, Set<string>>;

const keyOf = (frameworkId: string, taskId: string): string => `${frameworkId} ${taskId}`;

function recordQueriedTasks(tasks: QueriedTasks, input: MasterInput, effects: readonly MasterEffect[]): void {
  if (input.kind === 'message' && input.message.name === 'StatusUpdateMessage') {
    const { framework_id, agent_id, status } = input.message.body.update;
    tasks.get(agent_id?.value as AgentId)?.delete(keyOf(framework_id.value, status.task_id.value));
  }
  for (const effect of effects) {
    if (effect.kind !== 'send' || effect.message.name !== 'AgentReregisteredMessage') continue;
    const { agent_id, reconciliations = [] } = effect.message.body;
    const keys = reconciliations.flatMap(({ framework_id, statuses = [] }) =>
      statuses.map(({ task_id }) => keyOf(framework_id.value, task_id.value)),
    );
    tasks.set(agent_id.value as AgentId, new Set(keys));
  }
}

/** The resources of an agent that are offered or used. `isExcluded`: tasks that do not count. */
function allocatedOn(
  state: MasterState,
  agent: Agent,
  isExcluded: (frameworkId: string, taskId: string) => boolean = () => false,
): Resources {
  const lists: Resources[] = [];
  for (const [frameworkId, taskIds] of agent.tasks) {
    const tasks = state.frameworks.get(frameworkId)?.tasks;
    for (const taskId of taskIds) {
      const task = tasks?.get(taskId);
      if (task !== undefined && !isTerminal(task.state) && !isExcluded(frameworkId, taskId))
        lists.push(task.resources ?? []);
    }
  }
  for (const executors of agent.executors.values()) {
    for (const executor of executors.values()) lists.push(executor.resources ?? []);
  }
  for (const offerId of agent.offers) lists.push(state.offers.get(offerId)?.resources ?? []);
  for (const uuid of agent.operations) {
    const operation = state.operations.get(uuid);
    if (operation !== undefined && !operation.speculative) lists.push(operation.consumed);
  }
  // Any number of tasks can use a shared resource at once; it stays free.
  return nonShared(unallocate(sum(lists)));
}

const subjectsOf = (agent: Agent): readonly string[] => [
  agent.id,
  ...agent.offers,
  ...[...agent.tasks.values()].flatMap((ids) => [...ids]),
];

function checkAccounting(world: World, { core, name }: MasterProcess, queriedTasks: QueriedTasks): void {
  const { state } = core;
  for (const agent of state.agents.registered.values()) {
    const allocated = allocatedOn(state, agent);
    const queried = queriedTasks.get(agent.id);
    const isQueried = (frameworkId: string, taskId: string): boolean =>
      queried?.has(keyOf(frameworkId, taskId)) === true;
    const counted = queried === undefined || queried.size === 0 ? allocated : allocatedOn(state, agent, isQueried);
    if (!contains(agent.totalResources, counted)) {
      const text = `${name}: agent ${agent.id} has ${formatResources(agent.totalResources)}, of which ${formatResources(allocated)} is allocated`;
      world.fail('no resource is offered or used twice', text, subjectsOf(agent));
    }
    const free = subtract(agent.totalResources, allocated);
    const available = unallocate(state.allocator.available(agent.id).resources);
    if (!equals(free, available)) {
      const text = `${name}: agent ${agent.id} has ${formatResources(free)} free, the allocator has ${formatResources(available)}`;
      world.fail('allocator and master agree on free resources', text, subjectsOf(agent));
    }
  }
  const problem = findIndexProblem(state);
  if (problem !== undefined) world.fail("the master's indexes agree with each other", `${name}: ${problem}`);
}

function findIndexProblem(state: MasterState): string | undefined {
  const counted = new Map<string, number>();
  for (const framework of state.frameworks.values()) {
    for (const [taskId, task] of framework.tasks) {
      counted.set(task.state, (counted.get(task.state) ?? 0) + 1);
      const agent = state.agents.registered.get(task.agent_id.value as AgentId);
      if (agent === undefined) return `task ${taskId} is on agent ${task.agent_id.value}, which is not registered`;
      if (agent.tasks.get(framework.id)?.has(taskId) !== true)
        return `agent ${agent.id} does not list its task ${taskId}`;
    }
    for (const offerId of framework.offers) {
      const offer = state.offers.get(offerId);
      if (offer?.frameworkId !== framework.id)
        return `framework ${framework.id} has offer ${offerId}, which does not exist`;
      if (framework.status !== 'active')
        return `framework ${framework.id} is ${framework.status} and has offer ${offerId}`;
    }
  }
  for (const agent of state.agents.registered.values()) {
    for (const [frameworkId, taskIds] of agent.tasks) {
      for (const id of taskIds) {
        if (state.frameworks.get(frameworkId)?.tasks.has(id) !== true)
          return `agent ${agent.id} has task ${id}, which its framework does not have`;
      }
    }
    for (const offerId of agent.offers) {
      if (!state.offers.has(offerId)) return `agent ${agent.id} has offer ${offerId}, which does not exist`;
    }
    const { agents } = state;
    const machine = state.registrar.durable.machines.get(machineKeyOf(agent));
    if (machine?.mode === 'DOWN' && !agents.transitions.has(agent.id))
      return `agent ${agent.id} is registered and its machine is down for maintenance`;
    const places = [agents.recovered, agents.unreachable, agents.gone].filter((it) => it.has(agent.id));
    if (places.length > 0) return `agent ${agent.id} is registered and also recovered, unreachable or gone`;
  }
  for (const [id, offer] of state.offers) {
    if (state.frameworks.get(offer.frameworkId)?.offers.has(id) !== true) return `offer ${id} belongs to no framework`;
    if (state.agents.registered.get(offer.agentId)?.offers.has(id) !== true) return `offer ${id} belongs to no agent`;
  }
  for (const [taskState, number] of state.taskCounts) {
    if (number !== (counted.get(taskState) ?? 0))
      return `${number} tasks are counted as ${taskState}, ${counted.get(taskState) ?? 0} are`;
  }
  return undefined;
}
