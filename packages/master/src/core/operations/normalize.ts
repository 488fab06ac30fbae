// Normalizes an operation: resources are in the post-refinement format and allocated to the offers' role unless they name
// a role, and executors of single tasks have their framework's id.
import { mapOperationResources, toPostRefinement, validateResources } from '@meseta/resources';
import type { ExecutorInfo, HealthCheck, OfferOperation, Resource, TaskInfo } from '@meseta/wire';
import type { Framework } from '../state.js';

export function normalize(framework: Framework, role: string, operation: OfferOperation): OfferOperation {
  const task = (info: TaskInfo): TaskInfo => taskOf(role, info);
  const { launch, launch_group } = operation;
  return {
    ...mapOperationResources(operation, (list) => resourcesOf(role, list)),
    ...(launch && {
      launch: { task_infos: (launch.task_infos ?? []).map((info) => withLaunchDefaults(framework, task(info))) },
    }),
    ...(launch_group && {
      launch_group: {
        executor: executorOf(role, launch_group.executor),
        task_group: { tasks: (launch_group.task_group.tasks ?? []).map(task) },
      },
    }),
  };
}

/** Invalid resources are not changed; validation reports them. */
function resourcesOf(role: string, list: readonly Resource[] | undefined): readonly Resource[] {
  const sent = list ?? [];
  const refined = validateResources(sent).ok ? toPostRefinement(sent) : sent;
  return refined.map((resource) =>
    resource.allocation_info?.role === undefined ? { ...resource, allocation_info: { role } } : resource,
  );
}

function taskOf(role: string, info: TaskInfo): TaskInfo {
  const { executor } = info;
  return {
    ...info,
    resources: resourcesOf(role, info.resources),
    ...(executor && { executor: executorOf(role, executor) }),
  };
}

function executorOf(role: string, executor: ExecutorInfo): ExecutorInfo {
  return {
    ...executor,
    ...(executor.resources && { resources: resourcesOf(role, executor.resources) }),
  };
}

/** A task of a LAUNCH. A LAUNCH_GROUP must name the framework of its executor and the types of its health checks. */
function withLaunchDefaults({ wireId }: Framework, info: TaskInfo): TaskInfo {
  const { executor } = info;
  const typed = withHealthCheckType(info);
  if (executor === undefined || executor.framework_id !== undefined) return typed;
  return { ...typed, executor: { ...executor, framework_id: wireId } };
}

/** A health check without a type gets the type of its only body. */
function withHealthCheckType(info: TaskInfo): TaskInfo {
  const health: HealthCheck | undefined = info.health_check;
  if (health === undefined || health.type !== undefined) return info;
  if (health.command !== undefined && health.http === undefined) {
    return { ...info, health_check: { ...health, type: 'COMMAND' } };
  }
  if (health.http !== undefined && health.command === undefined) {
    return { ...info, health_check: { ...health, type: 'HTTP' } };
  }
  return info;
}
