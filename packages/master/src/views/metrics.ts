// Every metric by Mesos' name: counters are slots of the core, gauges follow from its state (docs/monitoring.md).
import { createSum, fromThousandths, type Quantities, quantitiesOf, quantity, revocable } from '@meseta/resources';
import type { TaskState } from '@meseta/wire';
import { type Framework, isActive, type MasterState } from '../core/state.js';
import { heldBy, snapshotOf } from './snapshot.js';
import { createTiming, type Timing } from './timing.js';

export interface MasterTimings {
  readonly allocationRun: Timing;
  /** From when a run was due to its start. */
  readonly allocationLatency: Timing;
  readonly registryStore: Timing;
  /** Of the start; undefined before it. */
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
  /** Inputs of the core that it has yet to take. */
  readonly inputsWaiting: number;
  /** Requests that were answered by a document made for another. */
  readonly renderingsShared: number;
  /** Of the process itself, by name. */
  readonly process: ReadonlyMap<string, number>;
  /** Slots counted outside the core, added to its own. */
  readonly counters: ReadonlyMap<string, number>;
  readonly system: {
    readonly cpus: number;
    readonly load: readonly [number, number, number];
    readonly memoryTotalBytes: number;
    readonly memoryFreeBytes: number;
  };
}

/** Counters that are shown before they first move. */
const counterNames: readonly string[] = [
  ...['registrations', 'removals', 'reregistrations', 'shutdowns_canceled', 'shutdowns_completed'].map(
    (n) => `slave_${n}`,
  ),
  ...['shutdowns_scheduled', 'unreachable_canceled', 'unreachable_completed', 'unreachable_scheduled'].map(
    (n) => `slave_${n}`,
  ),
  ...['registered', 'unhealthy', 'unregistered'].map((n) => `slave_removals/reason_${n}`),
  ...['authenticate', 'deactivate_framework', 'decline_offers', 'executor_to_framework', 'exited_executor'].map(
    (n) => `messages_${n}`,
  ),
  ...['framework_to_executor', 'kill_task', 'launch_tasks', 'operation_status_update'].map((n) => `messages_${n}`),
  ...['operation_status_update_acknowledgement', 'reconcile_operations', 'reconcile_tasks'].map((n) => `messages_${n}`),
  ...['register_framework', 'register_slave', 'reregister_framework', 'reregister_slave'].map((n) => `messages_${n}`),
  ...['resource_request', 'revive_offers', 'status_update', 'status_update_acknowledgement'].map(
    (n) => `messages_${n}`,
  ),
  ...['suppress_offers', 'unregister_framework', 'unregister_slave', 'update_slave'].map((n) => `messages_${n}`),
  ...['valid', 'invalid'].flatMap((n) => [
    `${n}_executor_to_framework_messages`,
    `${n}_framework_to_executor_messages`,
    `${n}_operation_status_update_acknowledgements`,
    `${n}_operation_status_updates`,
    `${n}_status_update_acknowledgements`,
    `${n}_status_updates`,
  ]),
  'dropped_messages',
  'recovery_slave_removals',
].map((name) => `master/${name}`);

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

/** A framework's counters that are shown before they first move. */
const frameworkCounters: readonly string[] = [
  'calls',
  ...callTypes.map((type) => `calls/${type}`),
  'events',
  ...eventTypes.map((type) => `events/${type}`),
  'operations',
  ...operationTypes.map((type) => `operations/${type}`),
  ...['accepted', 'declined', 'rescinded', 'sent'].map((what) => `offers/${what}`),
  ...terminalTasks.map((state) => `tasks/terminal/task_${state}`),
];

export function metricsOf(
  state: MasterState,
  facts: ProcessMetrics,
  perFramework: boolean,
): ReadonlyMap<string, number> {
  const metrics = new Map<string, number>();
  for (const name of counterNames) metrics.set(name, 0);
  for (const task of terminalTasks) metrics.set(`master/tasks_${task}`, 0);
  for (const [name, value] of state.counters) metrics.set(name, value);
  for (const [name, value] of facts.counters) metrics.set(name, (metrics.get(name) ?? 0) + value);
  metrics.set('master/elected', facts.leading ? 1 : 0);
  metrics.set('master/uptime_secs', facts.uptimeSeconds);
  metrics.set('master/operator_event_stream_subscribers', facts.operatorStreams);
  // One queue serves what has three in Mesos.
  metrics.set('master/event_queue_messages', facts.inputsWaiting);
  metrics.set('master/event_queue_dispatches', 0);
  metrics.set('master/event_queue_http_requests', 0);
  metrics.set('master/http_cache_hits', facts.renderingsShared);
  addAgents(metrics, state);
  addFrameworks(metrics, state);
  addTasks(metrics, state);
  addOperations(metrics, state);
  addResources(metrics, state);
  addAllocator(metrics, state);
  metrics.set('registrar/queued_operations', state.registrar.commits.next.changes.length);
  if (facts.hasLog) {
    // This process has opened it before it answers anybody, also where another leads; it has one member.
    metrics.set('registrar/log/recovered', 1);
    metrics.set('registrar/log/ensemble_size', 1);
  }
  addTimings(metrics, facts.timings);
  if (perFramework) for (const framework of state.frameworks.values()) addFramework(metrics, framework);
  addSystem(metrics, facts);
  for (const [name, value] of facts.process) metrics.set(name, value);
  return new Map([...metrics].sort(([a], [b]) => (a < b ? -1 : 1)));
}

function addAgents(metrics: Map<string, number>, { agents }: MasterState): void {
  const all = [...agents.registered.values()];
  const connected = all.filter((agent) => agent.connected).length;
  const active = all.filter(isActive).length;
  metrics.set('master/slaves_active', active);
  metrics.set('master/slaves_inactive', all.length - active);
  metrics.set('master/slaves_connected', connected);
  metrics.set('master/slaves_disconnected', all.length - connected);
  metrics.set('master/slaves_unreachable', agents.unreachable.size);
}

function addFrameworks(metrics: Map<string, number>, state: MasterState): void {
  const all = [...state.frameworks.values()];
  const with_ = (...statuses: readonly Framework['status'][]) =>
    all.filter(({ status }) => statuses.includes(status)).length;
  metrics.set('master/frameworks_active', with_('active'));
  metrics.set('master/frameworks_inactive', all.length - with_('active'));
  metrics.set('master/frameworks_connected', with_('active', 'inactive'));
  metrics.set('master/frameworks_disconnected', with_('disconnected', 'recovered'));
  metrics.set('master/outstanding_offers', state.offers.size);
}

function addTasks(metrics: Map<string, number>, state: MasterState): void {
  for (const name of activeTasks) {
    metrics.set(`master/tasks_${name}`, state.taskCounts.get(`TASK_${name.toUpperCase()}` as TaskState) ?? 0);
  }
  let unreachable = 0;
  for (const framework of state.frameworks.values()) unreachable += unreachableTasksOf(framework);
  metrics.set('master/tasks_unreachable', unreachable);
}

/** Those of frameworks without PARTITION_AWARE are lost. */
function unreachableTasksOf({ unreachableTasks }: Framework): number {
  let count = 0;
  for (const { state } of unreachableTasks.values()) if (state === 'TASK_UNREACHABLE') count++;
  return count;
}

function addOperations(metrics: Map<string, number>, state: MasterState): void {
  const add = (name: string, by: number) => metrics.set(name, (metrics.get(name) ?? 0) + by);
  const known = [...state.operations.values()].map(({ operation }) => operation);
  for (const status of operationStates) add(`master/operations/${status}`, 0);
  for (const type of listedOperationTypes) {
    for (const status of [...operationStates, 'total']) add(`master/operations/${type}/${status}`, 0);
  }
  for (const { info, latest_status: latest } of known) {
    const type = (info.type ?? 'UNKNOWN').toLowerCase();
    const status = (latest.state ?? 'OPERATION_UNKNOWN').replace('OPERATION_', '').toLowerCase();
    if (status !== 'pending' && status !== 'recovering' && status !== 'unreachable') continue;
    add(`master/operations/${type}/${status}`, 1);
    add(`master/operations/${status}`, 1);
  }
  // Of those under way and all that there have been.
  for (const at of ['master/operations', ...listedOperationTypes.map((type) => `master/operations/${type}`)]) {
    for (const status of operationStates) add(`${at}/total`, metrics.get(`${at}/${status}`) ?? 0);
  }
}

function addResources(metrics: Map<string, number>, state: MasterState): void {
  // Merged at once: lists of all that a large cluster's tasks hold would be made for every reading.
  const [all, held] = [createSum(), createSum()];
  for (const { totalResources } of state.agents.registered.values()) all.add(totalResources);
  for (const view of snapshotOf(state).frameworks) for (const { resources } of heldBy(view)) held.add(resources);
  const [total, used] = [all.result(), held.result()];
  const show = (suffix: string, totals: Quantities, uses: Quantities): void => {
    for (const name of ['cpus', 'disk', 'gpus', 'mem']) {
      const whole = fromThousandths(quantity(totals, name));
      const busy = fromThousandths(quantity(uses, name));
      metrics.set(`master/${name}${suffix}_total`, whole);
      metrics.set(`master/${name}${suffix}_used`, busy);
      metrics.set(`master/${name}${suffix}_percent`, whole === 0 ? 0 : busy / whole);
    }
  };
  show(
    '',
    quantitiesOf(total.filter((r) => r.revocable === undefined)),
    quantitiesOf(used.filter((r) => r.revocable === undefined)),
  );
  show('_revocable', quantitiesOf(revocable(total)), quantitiesOf(revocable(used)));
}

function addAllocator(metrics: Map<string, number>, { allocator }: MasterState): void {
  const totals = allocator.totals();
  const prefix = 'allocator/mesos';
  metrics.set(`${prefix}/allocation_runs`, totals.runs);
  for (const at of [prefix, 'allocator']) metrics.set(`${at}/event_queue_dispatches`, totals.eventsPending);
  for (const name of new Set(['cpus', 'disk', 'mem', ...totals.total.names])) {
    metrics.set(`${prefix}/resources/${name}/total`, fromThousandths(quantity(totals.total, name)));
    metrics.set(
      `${prefix}/resources/${name}/offered_or_allocated`,
      fromThousandths(quantity(totals.offeredOrAllocatedTotal, name)),
    );
  }
  for (const { role, share, filters, quota, consumedOrOffered } of allocator.roles()) {
    metrics.set(`${prefix}/roles/${role}/shares/dominant`, share);
    metrics.set(`${prefix}/offer_filters/roles/${role}/active`, filters);
    for (const [i, name] of quota.guarantees.names.entries()) {
      const at = `${prefix}/quota/roles/${role}/resources/${name}`;
      metrics.set(`${at}/guarantee`, fromThousandths(quota.guarantees.amounts[i] ?? 0));
      metrics.set(`${at}/offered_or_allocated`, fromThousandths(quantity(consumedOrOffered, name)));
    }
  }
}

function addTimings(metrics: Map<string, number>, timings: MasterTimings): void {
  timings.allocationRun.show(metrics, 'allocator/mesos/allocation_run_ms');
  timings.allocationLatency.show(metrics, 'allocator/mesos/allocation_run_latency_ms');
  timings.registryStore.show(metrics, 'registrar/state_store_ms');
  if (timings.registryFetchMs !== undefined) metrics.set('registrar/state_fetch_ms', timings.registryFetchMs);
  metrics.set('registrar/registry_size_bytes', timings.registrySizeBytes);
}

function addFramework(metrics: Map<string, number>, framework: Framework): void {
  const prefix = `master/frameworks/${encodeURIComponent(framework.info.name)}/${framework.id}`;
  for (const name of frameworkCounters) metrics.set(`${prefix}/${name}`, 0);
  for (const [name, value] of framework.counters) metrics.set(`${prefix}/${name}`, value);
  metrics.set(`${prefix}/subscribed`, framework.connection === undefined ? 0 : 1);
  for (const name of [...activeTasks, 'unknown']) metrics.set(`${prefix}/tasks/active/task_${name}`, 0);
  for (const { state } of framework.tasks.values()) {
    const name = `${prefix}/tasks/active/${state.toLowerCase()}`;
    const count = metrics.get(name);
    if (count !== undefined) metrics.set(name, count + 1);
  }
  metrics.set(`${prefix}/tasks/active/task_unreachable`, unreachableTasksOf(framework));
  for (const role of framework.roles) {
    metrics.set(`${prefix}/roles/${role}/suppressed`, framework.suppressedRoles.has(role) ? 1 : 0);
  }
}

function addSystem(metrics: Map<string, number>, { system }: ProcessMetrics): void {
  metrics.set('system/cpus_total', system.cpus);
  metrics.set('system/load_1min', system.load[0]);
  metrics.set('system/load_5min', system.load[1]);
  metrics.set('system/load_15min', system.load[2]);
  metrics.set('system/mem_total_bytes', system.memoryTotalBytes);
  metrics.set('system/mem_free_bytes', system.memoryFreeBytes);
}
