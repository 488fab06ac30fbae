// Pods: tasks that were launched together.

import type { AgentState, FrameworkRecord } from '@meseta/agent/core/state';
import type { FrameworkId, TaskId } from '@meseta/base';
import { isTerminal } from '@meseta/wire/task-states';
import type { Cluster } from '../run/cluster.js';
import type { World } from '../world.js';
import type { Checker, CheckerKind, Count } from './checker.js';
import { schedulerCallIn } from './scheduler-messages.js';

export const pods: CheckerKind = {
  name: 'pods',
  invariants: {
    'a pod starts as a whole or not at all':
      'The master sends all tasks of a LAUNCH_GROUP or reports that all failed; the agent launches all or none.',
    'a failure ends the pod':
      'When a task of the pod has ended otherwise than by finishing, the agent ends the others.',
  },
  allowances: {},
  create: createPodsChecker,
};

/** The pods are checked after every so many steps of agents. */
const STEPS_PER_CHECK = 4;

function createPodsChecker({ world }: Cluster, count: Count): Checker {
  let steps = 0;
  return {
    observer: {
      agentStepped(agent, input) {
        const state = agent.core?.state;
        if (state === undefined) return;
        if (input.kind === 'message' && input.message.name === 'RunTaskGroupMessage') {
          const ids = (input.message.body.task_group.tasks ?? []).map(({ task_id }) => task_id.value);
          const frameworkId = input.message.body.framework.id?.value;
          checkLaunchedTogether(world, agent.name, state.frameworks.get(frameworkId as FrameworkId), ids);
          count('pods launched');
        }
        if (steps++ % STEPS_PER_CHECK === 0) checkFailuresEndPods(world, agent.name, state);
      },
      masterStepped({ name }, input, effects) {
        for (const { launch_group: group } of schedulerCallIn(input)?.accept?.operations ?? []) {
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
}

function checkLaunchedTogether(
  world: World,
  name: string,
  framework: FrameworkRecord | undefined,
  ids: readonly string[],
): void {
  const launched = ids.filter((id) => framework?.podTasks.has(id as TaskId) === true);
  if (launched.length === 0 || launched.length === ids.length) return;
  world.fail('a pod starts as a whole or not at all', `${name} launches ${launched.length} of ${ids.length}`, ids);
}

function checkFailuresEndPods(world: World, name: string, state: AgentState): void {
  for (const framework of state.frameworks.values()) {
    for (const podTask of framework.podTasks.values()) {
      if (podTask.state === 'ended' || podTask.kill !== undefined) continue;
      for (const id of podTask.group) {
        const other = framework.podTasks.get(id);
        const taskState = framework.tasks.get(id)?.task.state;
        if (other?.state !== 'ended' || !isTerminal(taskState) || taskState === 'TASK_FINISHED') continue;
        const text = `${name}: ${id} is ${taskState}, ${podTask.taskId} of its pod is not being ended`;
        world.fail('a failure ends the pod', text, [id, podTask.taskId]);
      }
    }
  }
}
