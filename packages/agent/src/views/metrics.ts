// The agent's metrics by name (Mesos: docs/monitoring.md; facts: metrics.csv).
import type { FetcherMetrics } from '@meseta/containers';
import { quantitiesOf, quantity, revocable } from '@meseta/resources';
import type { AgentState } from '../core/state.js';
import { allocatedOf, countTasks } from './holdings.js';

/** What the process measures beside the core. */
export interface MetricFacts {
  readonly nowWallMs: number;
  readonly recoverySeconds: number;
  readonly system: Readonly<Record<string, number>>;
  readonly fetcher: FetcherMetrics;
  /** Of the process itself, by name. */
  readonly process: ReadonlyMap<string, number>;
}

const ended = ['finished', 'failed', 'killed', 'lost', 'gone'] as const;
const live = ['staging', 'starting', 'running', 'killing'] as const;

function resourceMetrics(state: AgentState): readonly (readonly [string, number])[] {
  const used = quantitiesOf(allocatedOf(state));
  const total = quantitiesOf(state.total);
  const revocableTotal = quantitiesOf(revocable(state.total));
  return ['cpus', 'gpus', 'mem', 'disk'].flatMap((name) => {
    const of = (amount: number): number => amount / 1000;
    const all = of(quantity(total, name));
    const taken = of(quantity(used, name));
    return [
      [`slave/${name}_total`, all],
      [`slave/${name}_used`, taken],
      [`slave/${name}_percent`, all === 0 ? 0 : taken / all],
      [`slave/${name}_revocable_total`, of(quantity(revocableTotal, name))],
      [`slave/${name}_revocable_used`, 0],
      [`slave/${name}_revocable_percent`, 0],
    ] as const;
  });
}

function executorMetrics(state: AgentState): readonly (readonly [string, number])[] {
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
    ['slave/executors_registering', registering],
    ['slave/executors_running', running],
    ['slave/executors_terminating', terminating],
    ['slave/executors_terminated', state.counters.executorsTerminated],
    ['slave/executors_preempted', 0],
  ];
}

/** By name, sorted. */
export function agentMetrics(state: AgentState, facts: MetricFacts): ReadonlyMap<string, number> {
  const { counters } = state;
  const counts = countTasks(state);
  const all: readonly (readonly [string, number])[] = [
    ...resourceMetrics(state),
    ...executorMetrics(state),
    ...ended.map((name) => [`slave/tasks_${name}`, counters.tasks.get(name) ?? 0] as const),
    ...live.map((name) => [`slave/tasks_${name}`, counts.get(`TASK_${name.toUpperCase()}`) ?? 0] as const),
    ...Object.entries(facts.system),
    ...facts.process,
    ['slave/uptime_secs', (facts.nowWallMs - state.startedWallMs) / 1000],
    ['slave/registered', state.registration.registered ? 1 : 0],
    ['slave/recovery_errors', counters.recoveryErrors],
    ['slave/recovery_time_secs', facts.recoverySeconds],
    ['slave/frameworks_active', state.frameworks.size],
    ['slave/container_launch_errors', counters.containerLaunchErrors],
    ['slave/executor_directory_max_allowed_age_secs', state.maxSandboxAgeMs / 1000],
    ['slave/valid_status_updates', counters.validStatusUpdates],
    ['slave/invalid_status_updates', counters.invalidStatusUpdates],
    ['slave/valid_framework_messages', counters.validFrameworkMessages],
    ['slave/invalid_framework_messages', counters.invalidFrameworkMessages],
    ['gc/path_removals_failed', counters.sandboxRemovalsFailed],
    ['gc/path_removals_pending', state.sandboxes.size],
    ['gc/path_removals_succeeded', counters.sandboxesRemoved],
    ['containerizer/fetcher/cache_size_total_bytes', facts.fetcher.cacheSizeTotalBytes],
    ['containerizer/fetcher/cache_size_used_bytes', facts.fetcher.cacheSizeUsedBytes],
    ['containerizer/fetcher/task_fetches_succeeded', facts.fetcher.taskFetchesSucceeded],
    ['containerizer/fetcher/task_fetches_failed', facts.fetcher.taskFetchesFailed],
    ['containerizer/mesos/container_destroy_errors', 0],
    ['containerizer/mesos/provisioner/bind/remove_rootfs_errors', 0],
    ['containerizer/mesos/provisioner/remove_container_errors', 0],
    ['resource_provider_manager/events/disconnect', 0],
    ['resource_provider_manager/events/subscribe', 0],
    ['resource_provider_manager/subscribed', 0],
  ];
  return new Map([...all].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)));
}
