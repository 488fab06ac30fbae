// Calls of executors and about containers, and tasks of a custom executor, for the tests of the agent's core.
import type { AgentCall, ExecutorCall, ExecutorInfo, FrameworkInfo, TaskInfo } from '@meseta/wire';
import type { AgentEffect, ConnectionId } from '../io.js';
import { frameworkOf, taskOf, type World } from '../testing.js';

/** A call of `customExecutor`. */
export const executorCall = (
  world: World,
  connection: string,
  content: Partial<ExecutorCall>,
): readonly AgentEffect[] => {
  const ids = { executor_id: { value: 'e' }, framework_id: { value: 'f-1' } };
  const call = { ...ids, ...content } as ExecutorCall;
  return world.input({ kind: 'executorCall', connection: connection as ConnectionId, call });
};

export const containerCall = (world: World, call: AgentCall, connection = 'c'): readonly AgentEffect[] =>
  world.input({ kind: 'containerCall', connection: connection as ConnectionId, call });

/** The replies to `containerCall`. */
export const callRepliesOf = (effects: readonly AgentEffect[]) =>
  effects.flatMap((effect) => (effect.kind === 'callReply' ? [effect] : []));

export const customExecutor: ExecutorInfo = {
  executor_id: { value: 'e' },
  framework_id: { value: 'f-1' },
  command: { value: './executor' },
  type: 'CUSTOM',
};

/** A task of `customExecutor`, unless the changes name another executor. */
export function customTaskOf(id: string, changes: Partial<TaskInfo> = {}): TaskInfo {
  const { command: _, ...task } = taskOf(id, changes);
  return { executor: customExecutor, ...task };
}

export const runCustomTask = (
  world: World,
  task: TaskInfo,
  launch_executor: boolean,
  framework: FrameworkInfo = frameworkOf(),
): readonly AgentEffect[] => world.message({ name: 'RunTaskMessage', body: { framework, task, launch_executor } });
