// The keys of the agent's records in its checkpoint and the paths of its files in work_dir.
import type { AgentId, ContainerId, ExecutorId, FrameworkId, OperationUuid, TaskId } from '@meseta/base';

export const AGENT_KEY = 'agent';
export const RESOURCES_KEY = 'resources';
export const DRAIN_KEY = 'drain';
export const frameworkKey = (id: FrameworkId): string => `framework/${id}`;
export const executorKey = (framework: FrameworkId, id: ExecutorId): string => `executor/${framework}/${id}`;
export const executorProgressKey = (framework: FrameworkId, id: ExecutorId): string =>
  `executor-progress/${framework}/${id}`;
export const podTaskKey = (framework: FrameworkId, id: TaskId): string => `pod-task/${framework}/${id}`;
export const taskKey = (framework: FrameworkId, id: TaskId): string => `task/${framework}/${id}`;
export const taskProgressKey = (framework: FrameworkId, id: TaskId): string => `task-progress/${framework}/${id}`;
export const waitingStatusKey = (framework: FrameworkId, id: TaskId, number: number): string =>
  `waiting-status/${framework}/${id}/${number}`;
/** `path`: the ids from the outermost container on. */
export const nestedContainerKey = (path: string): string => `nested-container/${path}`;
export const operationKey = (uuid: OperationUuid): string => `operation/${uuid}`;
export const sandboxKey = (id: ContainerId): string => `sandbox/${id}`;

/** Mesos' layout, by which tools find sandboxes. */
export const sandboxPath = (
  workDir: string,
  agent: AgentId,
  framework: FrameworkId,
  executor: ExecutorId,
  container: ContainerId,
): string => `${workDir}/slaves/${agent}/frameworks/${framework}/executors/${executor}/runs/${container}`;

/** The sandbox of a nested container is below that of its parent. */
export const nestedSandboxPath = (podSandbox: string, container: ContainerId): string =>
  `${podSandbox}/containers/${container}`;
