// What the running containers use, measured when somebody asks.

import type { Containers } from '@meseta/containers/types';
import { quantitiesOf, quantity } from '@meseta/resources';
import type { ContainerStatus, ResourceStatistics } from '@meseta/wire';
import type { AgentCore } from '../core/agent.js';
import type { Approver } from '../views/approver.js';
import { executorsOf, resourcesOf, type ShownExecutor } from '../views/holdings.js';
import type { MeasuredContainer } from '../views/v0.js';

/** Those that the viewer may see; all without one. */
export async function measureContainers(
  from: { readonly core: AgentCore; readonly containers: Containers },
  approver?: Approver,
): Promise<readonly MeasuredContainer[]> {
  const running = [...from.core.state.frameworks.values()].flatMap((framework) =>
    [...executorsOf(framework)].filter(
      ({ executor, completed }) =>
        !completed && executor.state === 'running' && approver?.container(executor.info, framework.info) !== false,
    ),
  );
  return Promise.all(
    running.map(async (shown) => ({
      ...shown,
      status: statusOf(shown),
      statistics: await statisticsOf(from.containers, shown),
    })),
  );
}

const statusOf = ({ executor }: ShownExecutor): ContainerStatus => ({
  ...(executor.pid === undefined ? {} : { executor_pid: executor.pid }),
  container_id: { value: executor.containerId },
});

async function statisticsOf(containers: Containers, shown: ShownExecutor): Promise<ResourceStatistics | undefined> {
  const used = await containers.usage(shown.executor.containerId);
  if (used === undefined) return undefined;
  const limits = quantitiesOf(resourcesOf(shown));
  const memoryBytes = (quantity(limits, 'mem') / 1000) * 2 ** 20;
  // The disk is shown only where an isolator watches it.
  const { disk_used_bytes: _used, disk_limit_bytes: _limit, ...rest } = used;
  return {
    timestamp: Date.now() / 1000,
    ...rest,
    mem_limit_bytes: memoryBytes,
    mem_soft_limit_bytes: memoryBytes,
    cpus_soft_limit: quantity(limits, 'cpus') / 1000,
  };
}
