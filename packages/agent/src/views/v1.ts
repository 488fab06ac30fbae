// The answers to an agent's v1 read calls (Mesos: docs/operator-http-api.md), as records of the schema.
import type {
  AgentInfo,
  AgentResponseGetAgent,
  AgentResponseGetExecutors,
  AgentResponseGetFrameworks,
  AgentResponseGetOperations,
  AgentResponseGetState,
  AgentResponseGetTasks,
  Task,
} from '@meseta/wire';
import type { AgentState } from '../core/state.js';
import { executorsOf, frameworksOf, type Phase, phaseOf } from './holdings.js';

export function getFrameworks(state: AgentState): AgentResponseGetFrameworks {
  const all = [...frameworksOf(state)];
  const infos = (completed: boolean) =>
    all.filter((it) => it.completed === completed).map(({ framework }) => ({ framework_info: framework.info }));
  return { frameworks: infos(false), completed_frameworks: infos(true) };
}

export function getExecutors(state: AgentState): AgentResponseGetExecutors {
  const all = [...frameworksOf(state)].flatMap(({ framework }) => [...executorsOf(framework)]);
  const infos = (completed: boolean) =>
    all.filter((it) => it.completed === completed).map(({ executor }) => ({ executor_info: executor.info }));
  return { executors: infos(false), completed_executors: infos(true) };
}

export function getTasks(state: AgentState): AgentResponseGetTasks {
  const tasks: Record<Phase, Task[]> = { queued: [], launched: [], terminated: [], completed: [] };
  for (const { framework } of frameworksOf(state)) {
    for (const shown of executorsOf(framework)) {
      for (const record of shown.tasks) tasks[phaseOf(shown, record)].push(record.task);
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

export const getState = (state: AgentState): AgentResponseGetState => ({
  get_tasks: getTasks(state),
  get_executors: getExecutors(state),
  get_frameworks: getFrameworks(state),
});

export function getAgent({ info, total, drain }: AgentState): AgentResponseGetAgent {
  // The v1 message has no `checkpoint`; the others are all of it.
  const { checkpoint: _checkpoint, ...shown } = info;
  const agentInfo: AgentInfo = { ...shown, resources: total };
  if (drain === undefined) return { agent_info: agentInfo };
  const nanoseconds = BigInt(Math.floor(drain.sinceWallMs)) * 1_000_000n;
  return { agent_info: agentInfo, drain_config: drain.config, estimated_drain_start_time: { nanoseconds } };
}

export function getOperations(state: AgentState): AgentResponseGetOperations {
  const operations = [...state.operations.values()].map(({ operation }) => operation);
  return operations.length === 0 ? {} : { operations };
}
