// Pods: tasks that were launched together.

import type { AgentState, FrameworkRecord } from '@meseta/agent/core/state';
import type { FrameworkId, TaskId } from '@meseta/base';
import { isTerminal } from '@meseta/wire/task-states';
import type { World } from '../world.js';
import type { CheckerKind, CreateChecker } from './checker.js';
import { schedulerCallOf } from './told.js';

export const pods: CheckerKind = {
  name: 'pods',
  invariants: {
    'a pod starts as a whole or not at all':
      'The master sends all tasks of a LAUNCH_GROUP or reports that all failed; the agent takes all or none.',
    'a failure ends the pod':
      'When a task of the pod has ended otherwise than by finishing, the agent ends the others.',
  },
  allowances: {},
  create: (cluster, count, keeper) => createPodsChecker(cluster, count, keeper),
};

/** An agent's pods are looked through each so many steps. */
const STEPS_BETWEEN = 4;

const createPodsChecker: CreateChecker = ({ world }, count) => {
  let steps = 0;
  return {
    observer: {
      agentStepped(agent, input) {
        const state = agent.core?.state;
        if (state === undefined) return;
        if (input.kind === 'message' && input.message.name === 'RunTaskGroupMessage') {
          const ids = (input.message.body.task_group.tasks ?? []).map(({ task_id }) => task_id.value);
          const frameworkId = input.message.body.framework.id?.value;
          checkTaken(world, agent.name, state.frameworks.get(frameworkId as FrameworkId), ids);
          count('pods launched');
        }
        if (steps++ % STEPS_BETWEEN === 0) checkGroups(world, agent.name, state);
      },
      masterStepped({ name }, input, effects) {
        for (const { launch_group: group } of schedulerCallOf(input)?.accept?.operations ?? []) {
          const ids = (group?.task_group.tasks ?? []).map(({ task_id }) => task_id.value);
          const sent = effects.flatMap((it) =>
            it.kind === 'send' && it.message.name === 'RunTaskGroupMessage'
              ? (it.message.body.task_group.tasks ?? []).map(({ task_id }) => task_id.value)
              : [],
          );
          const some = ids.filter((id) => sent.includes(id));
          if (some.length === 0 || some.length === ids.length) continue;
          world.fail('a pod starts as a whole or not at all', `${name} sends ${some.length} of ${ids.length}`, ids);
        }
      },
    },
  };
};

function checkTaken(world: World, name: string, framework: FrameworkRecord | undefined, ids: readonly string[]): void {
  const taken = ids.filter((id) => framework?.podTasks.has(id as TaskId) === true);
  if (taken.length === 0 || taken.length === ids.length) return;
  world.fail('a pod starts as a whole or not at all', `${name} takes ${taken.length} of ${ids.length}`, ids);
}

function checkGroups(world: World, name: string, state: AgentState): void {
  for (const framework of state.frameworks.values()) {
    for (const member of framework.podTasks.values()) {
      if (member.state === 'ended' || member.kill !== undefined) continue;
      for (const id of member.group) {
        const other = framework.podTasks.get(id);
        const how = framework.tasks.get(id)?.task.state;
        if (other?.state !== 'ended' || !isTerminal(how) || how === 'TASK_FINISHED') continue;
        const text = `${name}: ${id} is ${how}, ${member.taskId} of its group is not being ended`;
        world.fail('a failure ends the pod', text, [id, member.taskId]);
      }
    }
  }
}
