// Converts tasks and executors to the format that an agent understands.
import { toPreRefinement } from '@meseta/resources';
import type { ExecutorInfo, Resource, ResourceVersionUUID, TaskInfo } from '@meseta/wire';
import type { Agent } from '../state.js';

/** Agents without RESERVATION_REFINEMENT get the pre-refinement format, which can express all their resources. */
function resourcesForAgent(agent: Agent, resources: readonly Resource[]): readonly Resource[] {
  if (agent.capabilities.has('RESERVATION_REFINEMENT')) return resources;
  const old = toPreRefinement(resources);
  return old.ok ? old.value : resources;
}

export function executorForAgent(agent: Agent, executor: ExecutorInfo): ExecutorInfo {
  if (executor.resources === undefined) return executor;
  return { ...executor, resources: resourcesForAgent(agent, executor.resources) };
}

export function taskForAgent(agent: Agent, task: TaskInfo): TaskInfo {
  if (agent.capabilities.has('RESERVATION_REFINEMENT')) return task;
  return {
    ...task,
    resources: resourcesForAgent(agent, task.resources ?? []),
    ...(task.executor && { executor: executorForAgent(agent, task.executor) }),
  };
}

/** The resource versions of the agent and its providers on which the launch is based. */
export function resourceVersionsOf(agent: Agent): { readonly resource_version_uuids?: readonly ResourceVersionUUID[] } {
  const versions: ResourceVersionUUID[] = [];
  if (agent.resourceVersion !== undefined) versions.push({ uuid: { value: agent.resourceVersion } });
  for (const [id, provider] of agent.resourceProviders) {
    versions.push({ resource_provider_id: { value: id }, uuid: { value: provider.resourceVersion } });
  }
  return versions.length === 0 ? {} : { resource_version_uuids: versions };
}
