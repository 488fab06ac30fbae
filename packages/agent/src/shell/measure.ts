// Measures what the running containers use.
import type { ContainerId } from '@meseta/base';
import type { Containerizer } from '@meseta/containers/containerizer';
import type { Usage } from '@meseta/containers/isolators/isolator';
import { quantitiesOf, quantity } from '@meseta/resources';
import type { ContainerID, ContainerStatus, Resource, ResourceStatistics } from '@meseta/wire';
import { resourcesOf } from '../core/allocated.js';
import type { ContainerRecord } from '../core/io.js';
import type { AgentCore } from '../core/machine.js';
import { taskRunsOf } from '../core/runs.js';
import type { AgentState } from '../core/state.js';
import type { Approver } from '../views/approver.js';
import { executorsOf, type ShownExecutor } from '../views/shown-executors.js';
import type { MeasuredContainer, MeasuredPodTask } from '../views/v0.js';

/** Measures the containers of executors that the viewer may see. */
export async function measureContainers(
  from: { readonly core: AgentCore; readonly containerizer: Containerizer },
  approver: Approver,
): Promise<readonly MeasuredContainer[]> {
  const running = [...from.core.state.frameworks.values()].flatMap((framework) =>
    [...executorsOf(framework)].filter(
      ({ executor, completed }) =>
        !completed && executor.state === 'running' && approver.container(executor.info, framework.info),
    ),
  );
  return Promise.all(running.map((shown) => measureExecutor(from.containerizer, shown)));
}

async function measureExecutor(containerizer: Containerizer, shown: ShownExecutor): Promise<MeasuredContainer> {
  const { executor, framework } = shown;
  if (executor.kind !== 'default') {
    const used = await containerizer.usage(executor.containerId);
    return { ...shown, status: statusOf(executor), statistics: statisticsOf(shown, used), podTasks: [] };
  }
  const podTasks = await Promise.all(
    taskRunsOf(framework, executor)
      .filter(({ state }) => state === 'running')
      .map(async (run) => ({ run, used: await containerizer.usage(run.containerId) })),
  );
  const shared = await containerizer.usage(executor.containerId);
  return {
    ...shown,
    status: statusOf(executor),
    // A pod's usage is that of its tasks, and of the cgroup that they share.
    statistics: statisticsOf(
      shown,
      sumOf([shared, ...podTasks.map(({ used }) => used)].filter((used) => used !== undefined)),
    ),
    podTasks: podTasks.map(({ run, used }) => {
      const tasks = shown.tasks.filter(({ info }) => run.kind === 'podTask' && info.task_id.value === run.taskId);
      const { resources: _own, ...info } = executor.info;
      const alone = { ...shown, executor: { ...executor, info }, tasks };
      return { containerId: run.containerId, status: statusOf(run), statistics: statisticsOf(alone, used) };
    }),
  };
}

/** Whether a viewer may see a nested container: it is as visible as its outermost container. */
function maySeeNested(state: AgentState, approver: Approver, id: ContainerID): boolean {
  let root = id;
  while (root.parent !== undefined) root = root.parent;
  const run = state.runs.get(root.value as ContainerId);
  const framework = run && state.frameworks.get(run.frameworkId);
  const executor = run && framework?.executors.get(run.executorId);
  if (framework === undefined || executor === undefined) return approver.standalone(root);
  return approver.container(executor.info, framework.info);
}

/** Measures the nested and standalone containers that the viewer may see. */
export async function measureNested(
  { core, containerizer }: { readonly core: AgentCore; readonly containerizer: Containerizer },
  approver: Approver,
  nested: boolean,
  standalone: boolean,
): Promise<readonly MeasuredPodTask[]> {
  const running = [...core.state.nestedContainers.values()].filter(
    ({ record: { id, state } }) =>
      state === 'running' && (id.parent === undefined ? standalone : nested) && maySeeNested(core.state, approver, id),
  );
  return Promise.all(
    running.map(async ({ record: { id, containerId, pid, networks, resources } }) => {
      const used = await containerizer.usage(containerId);
      const shared = networks === undefined ? {} : { network_infos: networks };
      const status = { ...shared, ...(pid === undefined ? {} : { executor_pid: pid }), container_id: id };
      const statistics = used === undefined ? undefined : limitedBy(resources, used);
      return { containerId: id.value as ContainerId, status, statistics };
    }),
  );
}

function sumOf(parts: readonly Usage[]): Usage {
  const sum: Record<string, number> = {};
  for (const part of parts) {
    for (const [name, value] of Object.entries(part)) {
      if (typeof value === 'number') sum[name] = (sum[name] ?? 0) + value;
    }
  }
  return sum;
}

const statusOf = (container: ContainerRecord & { readonly parent?: ContainerId }): ContainerStatus => ({
  ...(container.networks === undefined ? {} : { network_infos: container.networks }),
  ...(container.pid === undefined ? {} : { executor_pid: container.pid }),
  container_id: {
    value: container.containerId,
    ...(container.parent === undefined ? {} : { parent: { value: container.parent } }),
  },
});

function statisticsOf(shown: ShownExecutor, used: Usage | undefined): ResourceStatistics | undefined {
  if (used === undefined) return undefined;
  return limitedBy(resourcesOf(shown), used);
}

function limitedBy(resources: readonly Resource[], used: Usage): ResourceStatistics {
  const limits = quantitiesOf(resources);
  const memoryBytes = (quantity(limits, 'mem') / 1000) * 2 ** 20;
  return {
    timestamp: Date.now() / 1000,
    mem_limit_bytes: memoryBytes,
    mem_soft_limit_bytes: memoryBytes,
    cpus_soft_limit: quantity(limits, 'cpus') / 1000,
    ...used,
  };
}
