// The responses to an agent's v1 read calls (Mesos: docs/operator-http-api.md), as messages of the schema.
import type { FrameworkId } from '@meseta/base';
import type {
  AgentInfo,
  AgentResponseGetAgent,
  AgentResponseGetExecutors,
  AgentResponseGetFrameworks,
  AgentResponseGetOperations,
  AgentResponseGetState,
  AgentResponseGetTasks,
  FrameworkInfo,
  Task,
} from '@meseta/wire';
import { withoutSecrets } from '@meseta/wire/secrets';
import type { AgentState } from '../core/state.js';
import type { Approver } from './approver.js';
import { executorsOf, frameworksOf, type Phase, phaseOf } from './shown-executors.js';

export function getFrameworks(state: AgentState, approver: Approver): AgentResponseGetFrameworks {
  const all = [...frameworksOf(state)].filter(({ framework }) => approver.framework(framework.info));
  const infos = (completed: boolean) =>
    all.filter((it) => it.completed === completed).map(({ framework }) => ({ framework_info: framework.info }));
  return { frameworks: infos(false), completed_frameworks: infos(true) };
}

export function getExecutors(state: AgentState, approver: Approver): AgentResponseGetExecutors {
  const all = [...frameworksOf(state)]
    .filter(({ framework }) => approver.framework(framework.info))
    .flatMap(({ framework }) =>
      [...executorsOf(framework)].filter(({ executor }) => approver.executor(executor.info, framework.info)),
    );
  const infos = (completed: boolean) =>
    all
      .filter((it) => it.completed === completed)
      .map(({ executor }) => ({ executor_info: withoutSecrets(executor.info) }));
  return { executors: infos(false), completed_executors: infos(true) };
}

export function getTasks(state: AgentState, approver: Approver): AgentResponseGetTasks {
  const tasks: Record<Phase, Task[]> = { queued: [], launched: [], terminated: [], completed: [] };
  for (const { framework } of frameworksOf(state)) {
    if (!approver.framework(framework.info)) continue;
    for (const shown of executorsOf(framework)) {
      if (!approver.executor(shown.executor.info, framework.info)) continue;
      const seen = shown.tasks.filter(({ task }) => approver.task(task, framework.info));
      for (const record of seen) tasks[phaseOf(shown, record)].push(record.task);
    }
  }
  return {
    pending_tasks: [],
    queued_tasks: tasks.queued,
    launched_tasks: tasks.launched,
    terminated_tasks: tasks.terminated,
    completed_tasks: tasks.completed,
  };
}

export const getState = (state: AgentState, approver: Approver): AgentResponseGetState => ({
  get_tasks: getTasks(state, approver),
  get_executors: getExecutors(state, approver),
  get_frameworks: getFrameworks(state, approver),
});

export function getAgent({ info, total, drain }: AgentState): AgentResponseGetAgent {
  // The v1 message has all fields but `checkpoint`.
  const { checkpoint: _checkpoint, ...shown } = info;
  const agentInfo: AgentInfo = { ...shown, resources: total };
  if (drain === undefined) return { agent_info: agentInfo };
  const nanoseconds = BigInt(Math.floor(drain.sinceWallMs)) * 1_000_000n;
  return { agent_info: agentInfo, drain_config: drain.config, estimated_drain_start_time: { nanoseconds } };
}

/** A framework of which the agent knows the id only: shown to those who may see every framework. */
const UNKNOWN_FRAMEWORK: FrameworkInfo = { user: '', name: '' };

/** The operations of operators, and of the frameworks that the approver shows. */
export function getOperations(
  state: Pick<AgentState, 'frameworks' | 'operations'>,
  approver: Pick<Approver, 'framework'>,
): AgentResponseGetOperations {
  const operations = [...state.operations.values()]
    .map(({ operation }) => operation)
    .filter(({ framework_id }) => {
      if (framework_id === undefined) return true;
      const framework = state.frameworks.get(framework_id.value as FrameworkId);
      return approver.framework(framework?.info ?? UNKNOWN_FRAMEWORK);
    });
  return operations.length === 0 ? {} : { operations };
}
