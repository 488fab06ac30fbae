// The master's metrics by Mesos' names (docs/monitoring.md). Counters are kept by the core where events happen; gauges are
// computed from its state.
import { counter, gauge, type Metric, type Metrics } from '@meseta/api';
import { createTiming, type Timing } from '@meseta/base';
import { createSum, fromThousandths, type Quantities, quantitiesOf, quantity, revocable } from '@meseta/resources';
import type { TaskState } from '@meseta/wire';
import { type Framework, isActive, type MasterState } from '../core/state.js';
import { allocatedTo, snapshotOf } from './snapshot.js';

export interface MasterTimings {
  readonly allocationRun: Timing;
  /** From the moment at which a run was due to its start. */
  readonly allocationLatency: Timing;
  readonly registryStore: Timing;
  /** How long the registry took to be read at the start; undefined before that. */
  registryFetchMs: number | undefined;
  registrySizeBytes: number;
}

export const createMasterTimings = (): MasterTimings => ({
  allocationRun: createTiming(),
  allocationLatency: createTiming(),
  registryStore: createTiming(),
  registryFetchMs: undefined,
  registrySizeBytes: 0,
});

export interface ProcessMetrics {
  readonly timings: MasterTimings;
  readonly uptimeSeconds: number;
  readonly leading: boolean;
  readonly operatorStreams: number;
  /** Whether the registry is durable. */
  readonly hasLog: boolean;
  /** Inputs that wait for the core. */
  readonly inputsWaiting: number;
  /** Requests that were answered with a rendering made for an earlier request. */
  readonly renderingsShared: number;
  /** Metrics of the process and of its port. */
  readonly process: Metrics;
  /** Counters kept outside the core; they are added to the core's counters. */
  readonly counters: ReadonlyMap<string, number>;
  readonly system: {
    readonly cpus: number;
    readonly load: readonly [number, number, number];
    readonly memoryTotalBytes: number;
    readonly memoryFreeBytes: number;
  };
}

const withPrefix = (prefix: string, names: readonly string[]): readonly string[] => names.map((name) => prefix + name);

const agentCounters = [
  'registrations',
  'removals',
  'reregistrations',
  'shutdowns_canceled',
  'shutdowns_completed',
  'shutdowns_scheduled',
  'unreachable_canceled',
  'unreachable_completed',
  'unreachable_scheduled',
];
const messageTypes = [
  'authenticate',
  'deactivate_framework',
  'decline_offers',
  'executor_to_framework',
  'exited_executor',
  'framework_to_executor',
  'kill_task',
  'launch_tasks',
  'operation_status_update',
  'operation_status_update_acknowledgement',
  'reconcile_operations',
  'reconcile_tasks',
  'register_framework',
  'register_slave',
  'reregister_framework',
  'reregister_slave',
  'resource_request',
  'revive_offers',
  'status_update',
  'status_update_acknowledgement',
  'suppress_offers',
  'unregister_framework',
  'unregister_slave',
  'update_slave',
];
/** Messages that are counted as valid or invalid. */
const validatedMessages = [
  'executor_to_framework_messages',
  'framework_to_executor_messages',
  'operation_status_update_acknowledgements',
  'operation_status_updates',
  'status_update_acknowledgements',
  'status_updates',
];

/** Counters that are reported as 0 before the first event. */
const counterNames = withPrefix('master/', [
  ...withPrefix('slave_', agentCounters),
  ...withPrefix('slave_removals/reason_', ['registered', 'unhealthy', 'unregistered']),
  ...withPrefix('messages_', messageTypes),
  ...withPrefix('valid_', validatedMessages),
  ...withPrefix('invalid_', validatedMessages),
  'dropped_messages',
  'recovery_slave_removals',
]);

const terminalTasks = ['dropped', 'error', 'failed', 'finished', 'gone', 'gone_by_operator', 'killed', 'lost'];
const activeTasks = ['killing', 'running', 'staging', 'starting', 'unreachable'];

const operationTypes = [
  'create',
  'create_disk',
  'destroy',
  'destroy_disk',
  'grow_volume',
  'launch',
  'launch_group',
  'reserve',
  'shrink_volume',
  'unreserve',
];
const listedOperationTypes = operationTypes.filter((type) => !type.startsWith('launch'));
const operationStates = [
  'dropped',
  'error',
  'failed',
  'finished',
  'gone_by_operator',
  'pending',
  'recovering',
  'unreachable',
];
/** The metric of a state that is not terminal is a gauge; operations in a terminal state are counted. */
const isNotTerminal = (status: string): boolean => ['pending', 'recovering', 'unreachable'].includes(status);

const callTypes = [
  'accept',
  'accept_inverse_offers',
  'acknowledge',
  'acknowledge_operation_status',
  'decline',
  'decline_inverse_offers',
  'kill',
  'message',
  'reconcile',
  'reconcile_operations',
  'request',
  'revive',
  'shutdown',
  'subscribe',
  'suppress',
  'teardown',
  'update_framework',
];
const eventTypes = [
  'error',
  'failure',
  'heartbeat',
  'inverse_offers',
  'message',
  'offers',
  'rescind',
  'rescind_inverse_offer',
  'subscribed',
  'update',
  'update_operation_status',
];

/** Counters of a framework that are reported as 0 before the first event. */
const frameworkCounters: readonly string[] = [
  'calls',
  ...withPrefix('calls/', callTypes),
  'events',
  ...withPrefix('events/', eventTypes),
  'operations',
  ...withPrefix('operations/', operationTypes),
  ...withPrefix('offers/', ['accepted', 'declined', 'rescinded', 'sent']),
  ...withPrefix('tasks/terminal/task_', terminalTasks),
];

type MutableMetrics = Map<string, Metric>;

const currentValue = (metrics: Metrics, name: string): number => metrics.get(name)?.value ?? 0;

export function metricsOf(state: MasterState, facts: ProcessMetrics, perFramework: boolean): Metrics {
  const metrics: MutableMetrics = new Map();
  for (const name of counterNames) metrics.set(name, counter(0));
  for (const task of terminalTasks) metrics.set(`master/tasks_${task}`, counter(0));
  for (const [name, value] of state.counters) metrics.set(name, counter(value));
  for (const [name, value] of facts.counters) metrics.set(name, counter(currentValue(metrics, name) + value));
  metrics.set('master/elected', gauge(facts.leading ? 1 : 0));
  metrics.set('master/uptime_secs', gauge(facts.uptimeSeconds));
  metrics.set('master/operator_event_stream_subscribers', gauge(facts.operatorStreams));
  // Mesos has three queues; this master has one.
  metrics.set('master/event_queue_messages', gauge(facts.inputsWaiting));
  metrics.set('master/event_queue_dispatches', gauge(0));
  metrics.set('master/event_queue_http_requests', gauge(0));
  metrics.set('master/http_cache_hits', counter(facts.renderingsShared));
  addAgents(metrics, state);
  addFrameworks(metrics, state);
  addTasks(metrics, state);
  addOperations(metrics, state);
  addResources(metrics, state);
  addAllocator(metrics, state);
  metrics.set('registrar/queued_operations', gauge(state.registrar.commits.next.changes.length));
  if (facts.hasLog) {
    // The log was opened before the port; it has one member.
    metrics.set('registrar/log/recovered', gauge(1));
    metrics.set('registrar/log/ensemble_size', gauge(1));
  }
  addTimings(metrics, facts.timings);
  if (perFramework) for (const framework of state.frameworks.values()) addFramework(metrics, framework);
  addSystem(metrics, facts);
  for (const [name, metric] of facts.process) metrics.set(name, metric);
  return new Map([...metrics].sort(([a], [b]) => (a < b ? -1 : 1)));
}

function addAgents(metrics: MutableMetrics, { agents }: MasterState): void {
  const all = [...agents.registered.values()];
  const connected = all.filter((agent) => agent.connected).length;
  const active = all.filter(isActive).length;
  metrics.set('master/slaves_active', gauge(active));
  metrics.set('master/slaves_inactive', gauge(all.length - active));
  metrics.set('master/slaves_connected', gauge(connected));
  metrics.set('master/slaves_disconnected', gauge(all.length - connected));
  metrics.set('master/slaves_unreachable', gauge(agents.unreachable.size));
}

function addFrameworks(metrics: MutableMetrics, state: MasterState): void {
  const all = [...state.frameworks.values()];
  const countWith = (...statuses: readonly Framework['status'][]): number =>
    all.filter(({ status }) => statuses.includes(status)).length;
  metrics.set('master/frameworks_active', gauge(countWith('active')));
  metrics.set('master/frameworks_inactive', gauge(all.length - countWith('active')));
  metrics.set('master/frameworks_connected', gauge(countWith('active', 'inactive')));
  metrics.set('master/frameworks_disconnected', gauge(countWith('disconnected', 'recovered')));
  metrics.set('master/outstanding_offers', gauge(state.offers.size));
}

function addTasks(metrics: MutableMetrics, state: MasterState): void {
  for (const name of activeTasks) {
    metrics.set(`master/tasks_${name}`, gauge(state.taskCounts.get(`TASK_${name.toUpperCase()}` as TaskState) ?? 0));
  }
  let unreachable = 0;
  for (const framework of state.frameworks.values()) unreachable += unreachableTasksOf(framework);
  metrics.set('master/tasks_unreachable', gauge(unreachable));
}

/** Tasks on unreachable agents; a framework without PARTITION_AWARE has them as TASK_LOST. */
function unreachableTasksOf({ unreachableTasks }: Framework): number {
  let count = 0;
  for (const { state } of unreachableTasks.values()) if (state === 'TASK_UNREACHABLE') count++;
  return count;
}

function addOperations(metrics: MutableMetrics, state: MasterState): void {
  const known = [...state.operations.values()].map(({ operation }) => operation);
  const prefixes = ['master/operations', ...listedOperationTypes.map((type) => `master/operations/${type}`)];
  for (const prefix of prefixes) {
    for (const status of operationStates) {
      const name = `${prefix}/${status}`;
      metrics.set(name, isNotTerminal(status) ? gauge(0) : counter(currentValue(metrics, name)));
    }
  }
  for (const { info, latest_status: latest } of known) {
    const type = (info.type ?? 'UNKNOWN').toLowerCase();
    const status = (latest.state ?? 'OPERATION_UNKNOWN').replace('OPERATION_', '').toLowerCase();
    if (!isNotTerminal(status)) continue;
    for (const name of [`master/operations/${type}/${status}`, `master/operations/${status}`]) {
      metrics.set(name, gauge(currentValue(metrics, name) + 1));
    }
  }
  for (const prefix of prefixes) {
    const total = operationStates.reduce((sum, status) => sum + currentValue(metrics, `${prefix}/${status}`), 0);
    metrics.set(`${prefix}/total`, gauge(total));
  }
}

function addResources(metrics: MutableMetrics, state: MasterState): void {
  // Summed directly: a list of the resources of all tasks would be built for every request.
  const [all, allocated] = [createSum(), createSum()];
  for (const { totalResources } of state.agents.registered.values()) all.add(totalResources);
  for (const view of snapshotOf(state).frameworks)
    for (const { resources } of allocatedTo(view)) allocated.add(resources);
  const [total, used] = [all.result(), allocated.result()];
  const addAll = (suffix: string, totals: Quantities, uses: Quantities): void => {
    for (const name of ['cpus', 'disk', 'gpus', 'mem']) {
      const whole = fromThousandths(quantity(totals, name));
      const busy = fromThousandths(quantity(uses, name));
      metrics.set(`master/${name}${suffix}_total`, gauge(whole));
      metrics.set(`master/${name}${suffix}_used`, gauge(busy));
      metrics.set(`master/${name}${suffix}_percent`, gauge(whole === 0 ? 0 : busy / whole));
    }
  };
  addAll(
    '',
    quantitiesOf(total.filter((r) => r.revocable === undefined)),
    quantitiesOf(used.filter((r) => r.revocable === undefined)),
  );
  addAll('_revocable', quantitiesOf(revocable(total)), quantitiesOf(revocable(used)));
}

function addAllocator(metrics: MutableMetrics, { allocator }: MasterState): void {
  const totals = allocator.totals();
  const prefix = 'allocator/mesos';
  metrics.set(`${prefix}/allocation_runs`, counter(totals.runs));
  for (const at of [prefix, 'allocator']) metrics.set(`${at}/event_queue_dispatches`, gauge(totals.eventsPending));
  for (const name of new Set(['cpus', 'disk', 'mem', ...totals.total.names])) {
    metrics.set(`${prefix}/resources/${name}/total`, gauge(fromThousandths(quantity(totals.total, name))));
    metrics.set(
      `${prefix}/resources/${name}/offered_or_allocated`,
      gauge(fromThousandths(quantity(totals.offeredOrAllocatedTotal, name))),
    );
  }
  for (const { role, share, filters, quota, consumedOrOffered } of allocator.roles()) {
    metrics.set(`${prefix}/roles/${role}/shares/dominant`, gauge(share));
    metrics.set(`${prefix}/offer_filters/roles/${role}/active`, gauge(filters));
    for (const [i, name] of quota.guarantees.names.entries()) {
      const at = `${prefix}/quota/roles/${role}/resources/${name}`;
      metrics.set(`${at}/guarantee`, gauge(fromThousandths(quota.guarantees.amounts[i] ?? 0)));
      metrics.set(`${at}/offered_or_allocated`, gauge(fromThousandths(quantity(consumedOrOffered, name))));
    }
  }
}

function addTimings(metrics: MutableMetrics, timings: MasterTimings): void {
  const add = (name: string, timing: Timing): void => {
    for (const [suffix, value] of timing.values()) metrics.set(name + suffix, gauge(value));
  };
  add('allocator/mesos/allocation_run_ms', timings.allocationRun);
  add('allocator/mesos/allocation_run_latency_ms', timings.allocationLatency);
  add('registrar/state_store_ms', timings.registryStore);
  if (timings.registryFetchMs !== undefined) metrics.set('registrar/state_fetch_ms', gauge(timings.registryFetchMs));
  metrics.set('registrar/registry_size_bytes', gauge(timings.registrySizeBytes));
}

function addFramework(metrics: MutableMetrics, framework: Framework): void {
  const prefix = `master/frameworks/${encodeURIComponent(framework.info.name)}/${framework.id}`;
  for (const name of frameworkCounters) metrics.set(`${prefix}/${name}`, counter(0));
  for (const [name, value] of framework.counters) metrics.set(`${prefix}/${name}`, counter(value));
  metrics.set(`${prefix}/subscribed`, gauge(framework.connection === undefined ? 0 : 1));
  for (const name of [...activeTasks, 'unknown']) metrics.set(`${prefix}/tasks/active/task_${name}`, gauge(0));
  for (const { state } of framework.tasks.values()) {
    const name = `${prefix}/tasks/active/${state.toLowerCase()}`;
    const count = metrics.get(name);
    if (count !== undefined) metrics.set(name, gauge(count.value + 1));
  }
  metrics.set(`${prefix}/tasks/active/task_unreachable`, gauge(unreachableTasksOf(framework)));
  for (const role of framework.roles) {
    metrics.set(`${prefix}/roles/${role}/suppressed`, gauge(framework.suppressedRoles.has(role) ? 1 : 0));
  }
}

function addSystem(metrics: MutableMetrics, { system }: ProcessMetrics): void {
  metrics.set('system/cpus_total', gauge(system.cpus));
  metrics.set('system/load_1min', gauge(system.load[0]));
  metrics.set('system/load_5min', gauge(system.load[1]));
  metrics.set('system/load_15min', gauge(system.load[2]));
  metrics.set('system/mem_total_bytes', gauge(system.memoryTotalBytes));
  metrics.set('system/mem_free_bytes', gauge(system.memoryFreeBytes));
}
