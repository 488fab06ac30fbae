// `whoever was told that a task is unreachable is told when it is back`: by the master that said so, if the framework
// is connected then.
import type { AgentId, TaskId } from '@meseta/base';
import type { MasterEffect } from '@meseta/master/core/io';
import type { MasterProcess } from '../nodes/master.js';
import type { World } from '../world.js';
import type { CreateChecker } from './checker.js';

export const createReturnsChecker: CreateChecker = ({ world }, count) => {
  /** The agents of tasks that a master told unreachable, by task. */
  const told = new Map<MasterProcess, Map<TaskId, AgentId>>();
  return {
    observer: {
      masterStarted: (master) => void told.set(master, new Map()),
      masterStepped(master, _input, effects) {
        const lost = told.get(master) ?? new Map<TaskId, AgentId>();
        for (const effect of effects) {
          const status = effect.kind === 'event' ? effect.event.update?.status : undefined;
          if (status?.unreachable_time !== undefined && status.agent_id !== undefined) {
            lost.set(status.task_id.value as TaskId, status.agent_id.value as AgentId);
          }
          if (effect.kind !== 'send' || effect.message.name !== 'AgentReregisteredMessage') continue;
          const agentId = effect.message.body.agent_id.value;
          for (const [taskId, at] of [...lost]) {
            if (at !== agentId) continue;
            lost.delete(taskId);
            checkTold(world, master, taskId, effects);
            count('tasks back from unreachable');
          }
        }
      },
    },
  };
};

function checkTold(world: World, master: MasterProcess, taskId: TaskId, effects: readonly MasterEffect[]): void {
  const frameworks = [...master.core.state.frameworks.values()];
  const framework = frameworks.find(({ tasks }) => tasks.has(taskId));
  if (framework?.connection === undefined) return;
  const told = effects.some((it) => it.kind === 'event' && it.event.update?.status.task_id.value === taskId);
  if (told) return;
  world.fail(
    'whoever was told that a task is unreachable is told when it is back',
    `${master.name}: ${taskId} of ${framework.info.name}`,
    [taskId],
  );
}
