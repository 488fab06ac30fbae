// Tasks of agents that return from unreachable.
import type { AgentId, TaskId } from '@meseta/base';
import type { TaskStatus } from '@meseta/wire';
import type { MasterProcess } from '../nodes/master.js';
import type { Cluster } from '../run/cluster.js';
import type { World } from '../world.js';
import type { Checker, CheckerKind, Count } from './checker.js';
import { statusesSent } from './scheduler-messages.js';

export const returns: CheckerKind = {
  name: 'returns',
  invariants: {
    'a framework that received TASK_UNREACHABLE is notified when the task returns':
      'By the master that sent TASK_UNREACHABLE, if the framework is connected then.',
  },
  allowances: {
    pruned: 'If the registry pruned the agent meanwhile, its tasks are new to the master.',
  },
  create: createReturnsChecker,
};

function createReturnsChecker({ world }: Cluster, count: Count): Checker {
  /** The agents of tasks that a master reported as unreachable, by task. */
  const reported = new Map<MasterProcess, Map<TaskId, AgentId>>();
  return {
    observer: {
      masterStarted: (master) => void reported.set(master, new Map()),
      registryWritten(operations) {
        const pruned = new Set(operations.flatMap((it) => (it.kind === 'pruneAgents' ? it.unreachable : [])));
        if (pruned.size === 0) return;
        for (const unreachable of reported.values())
          for (const [taskId, at] of [...unreachable]) if (pruned.has(at)) unreachable.delete(taskId);
      },
      masterStepped(master, _input, effects) {
        const unreachable = reported.get(master) ?? new Map<TaskId, AgentId>();
        const statuses = statusesSent(effects);
        for (const { unreachable_time, agent_id, task_id } of statuses) {
          if (unreachable_time === undefined || agent_id === undefined) continue;
          unreachable.set(task_id.value as TaskId, agent_id.value as AgentId);
        }
        for (const effect of effects) {
          if (effect.kind !== 'send' || effect.message.name !== 'AgentReregisteredMessage') continue;
          const agentId = effect.message.body.agent_id.value;
          for (const [taskId, at] of [...unreachable]) {
            if (at !== agentId) continue;
            unreachable.delete(taskId);
            checkReported(world, master, taskId, statuses);
            count('tasks back from unreachable');
          }
        }
      },
    },
  };
}

function checkReported(world: World, master: MasterProcess, taskId: TaskId, statuses: readonly TaskStatus[]): void {
  const frameworks = [...master.core.state.frameworks.values()];
  const framework = frameworks.find(({ tasks }) => tasks.has(taskId));
  if (framework?.connection === undefined) return;
  if (statuses.some(({ task_id }) => task_id.value === taskId)) return;
  world.fail(
    'a framework that received TASK_UNREACHABLE is notified when the task returns',
    `${master.name}: ${taskId} of ${framework.info.name}`,
    [taskId],
  );
}
