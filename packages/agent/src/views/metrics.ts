// The agent's metrics by Mesos' names (docs/monitoring.md).
import { counter, gauge, type Metric, type Metrics } from '@meseta/api';
import type { Containerizer, FetcherMetrics } from '@meseta/containers';
import { fromThousandths, nonRevocable, quantitiesOf, quantity, revocable } from '@meseta/resources';
import { allocatedOf } from '../core/allocated.js';
import type { AgentState } from '../core/state.js';
import { countTasks } from './shown-executors.js';

/** Figures that the core does not know. */
export interface MetricFacts {
  readonly nowWallMs: number;
  readonly recoverySeconds: number;
  readonly system: Metrics;
  readonly fetcher: FetcherMetrics;
  readonly imagePulls: Containerizer['imagePulls'];
  /** Metrics of the process and of its port. */
  readonly process: Metrics;
}

const ended = ['finished', 'failed', 'killed', 'lost', 'gone'] as const;
const live = ['staging', 'starting', 'running', 'killing'] as const;

const MESOS_PULLS = 'containerizer/mesos/provisioner/docker_store/image_pull_ms';

type NamedMetrics = readonly (readonly [name: string, metric: Metric])[];

function resourceMetrics(state: AgentState): NamedMetrics {
  const inUse = allocatedOf(state);
  const used = quantitiesOf(nonRevocable(inUse));
  const total = quantitiesOf(state.total);
  const revocableTotal = quantitiesOf(state.oversubscribed ?? []);
  const revocableUsed = quantitiesOf(revocable(inUse));
  return ['cpus', 'gpus', 'mem', 'disk'].flatMap((name) => {
    const all = fromThousandths(quantity(total, name));
    const allocated = fromThousandths(quantity(used, name));
    const allRevocable = fromThousandths(quantity(revocableTotal, name));
    const usedRevocable = fromThousandths(quantity(revocableUsed, name));
    return [
      [`slave/${name}_total`, gauge(all)],
      [`slave/${name}_used`, gauge(allocated)],
      [`slave/${name}_percent`, gauge(all === 0 ? 0 : allocated / all)],
      [`slave/${name}_revocable_total`, gauge(allRevocable)],
      [`slave/${name}_revocable_used`, gauge(usedRevocable)],
      [`slave/${name}_revocable_percent`, gauge(allRevocable === 0 ? 0 : usedRevocable / allRevocable)],
    ] as const;
  });
}

function executorMetrics(state: AgentState): NamedMetrics {
  let registering = 0;
  let running = 0;
  let terminating = 0;
  for (const framework of state.frameworks.values()) {
    for (const executor of framework.executors.values()) {
      if (executor.state === 'ended') continue;
      if (executor.kill !== undefined) terminating++;
      else if (executor.state === 'running') running++;
      else registering++;
    }
  }
  return [
    ['slave/executors_registering', gauge(registering)],
    ['slave/executors_running', gauge(running)],
    ['slave/executors_terminating', gauge(terminating)],
    ['slave/executors_terminated', counter(state.counters.executorsTerminated)],
    ['slave/executors_preempted', counter(state.counters.executorsPreempted)],
  ];
}

/** Sorted by name. */
export function agentMetrics(state: AgentState, facts: MetricFacts): Metrics {
  const { counters } = state;
  const counts = countTasks(state);
  const all: NamedMetrics = [
    ...resourceMetrics(state),
    ...executorMetrics(state),
    ...ended.map((name) => [`slave/tasks_${name}`, counter(counters.tasks.get(name) ?? 0)] as const),
    ...live.map((name) => [`slave/tasks_${name}`, gauge(counts.get(`TASK_${name.toUpperCase()}`) ?? 0)] as const),
    ...facts.system,
    ...facts.process,
    ['slave/uptime_secs', gauge((facts.nowWallMs - state.startedWallMs) / 1000)],
    ['slave/registered', gauge(state.registration.registered ? 1 : 0)],
    ['slave/recovery_errors', gauge(counters.recoveryErrors)],
    ['slave/recovery_time_secs', gauge(facts.recoverySeconds)],
    ['slave/frameworks_active', gauge(state.frameworks.size)],
    ['slave/container_launch_errors', counter(counters.containerLaunchErrors)],
    ['slave/executor_directory_max_allowed_age_secs', gauge(state.maxSandboxAgeMs / 1000)],
    ['slave/valid_status_updates', counter(counters.validStatusUpdates)],
    ['slave/invalid_status_updates', counter(counters.invalidStatusUpdates)],
    ['slave/valid_framework_messages', counter(counters.validFrameworkMessages)],
    ['slave/invalid_framework_messages', counter(counters.invalidFrameworkMessages)],
    ['gc/path_removals_failed', counter(counters.sandboxRemovalsFailed)],
    ['gc/path_removals_pending', gauge(state.sandboxes.size)],
    ['gc/path_removals_succeeded', counter(counters.sandboxesRemoved)],
    ['containerizer/fetcher/cache_size_total_bytes', gauge(facts.fetcher.cacheSizeTotalBytes)],
    ['containerizer/fetcher/cache_size_used_bytes', gauge(facts.fetcher.cacheSizeUsedBytes)],
    ['containerizer/fetcher/task_fetches_succeeded', counter(facts.fetcher.taskFetchesSucceeded)],
    ['containerizer/fetcher/task_fetches_failed', counter(facts.fetcher.taskFetchesFailed)],
    ...facts.imagePulls
      .docker()
      .map(([suffix, value]) => [`containerizer/docker/image_pull_ms${suffix}`, gauge(value)] as const),
    ...facts.imagePulls.mesos().map(([suffix, value]) => [`${MESOS_PULLS}${suffix}`, gauge(value)] as const),
    ['containerizer/mesos/container_destroy_errors', counter(0)],
    ['containerizer/mesos/provisioner/bind/remove_rootfs_errors', counter(0)],
    ['containerizer/mesos/provisioner/remove_container_errors', counter(0)],
    ['resource_provider_manager/events/disconnect', counter(0)],
    ['resource_provider_manager/events/subscribe', counter(0)],
    ['resource_provider_manager/subscribed', gauge(0)],
  ];
  return new Map([...all].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)));
}
