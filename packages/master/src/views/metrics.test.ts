import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gauge, type Metrics } from '@meseta/api';
import { createWorld, task, type World } from '../core/testing.js';
import { createMasterTimings, metricsOf } from './metrics.js';

function metricsNow({ master }: World): Metrics {
  const facts = {
    timings: createMasterTimings(),
    uptimeSeconds: 7,
    leading: true,
    operatorStreams: 2,
    hasLog: true,
    inputsWaiting: 3,
    renderingsShared: 4,
    process: new Map([['meseta/resident_bytes', gauge(5)]]),
    counters: new Map([['master/invalid_status_update_acknowledgements', 1]]),
    system: { cpus: 1, load: [0, 0, 0], memoryTotalBytes: 1, memoryFreeBytes: 1 },
  } as const;
  return metricsOf(master.state, facts, true);
}

/** The metrics that differ between two moments, and by how much. */
function moved(world: World, act: () => void): Readonly<Record<string, number>> {
  const before = metricsNow(world);
  act();
  const changes: Record<string, number> = {};
  for (const [name, { value }] of metricsNow(world)) {
    const by = value - (before.get(name)?.value ?? 0);
    if (by !== 0 && !name.startsWith('allocator/'))
      changes[name.replace(/^master\/frameworks\/[^/]+\/[^/]+/, 'fw')] = by;
  }
  return changes;
}

const pick = (changes: Readonly<Record<string, number>>, names: readonly string[]) =>
  Object.fromEntries(names.map((name) => [name, changes[name] ?? 0]));

test('metrics of agents follow registrations, broken connections and re-registrations', () => {
  const world = createWorld();
  const came = moved(world, () => world.agent('cpus:4;mem:4096;disk:1024'));
  const names = ['slave_registrations', 'messages_register_slave', 'slaves_active', 'slaves_connected', 'cpus_total'];
  assert.deepEqual(
    pick(
      came,
      names.map((name) => `master/${name}`),
    ),
    Object.fromEntries(names.map((name) => [`master/${name}`, name === 'cpus_total' ? 4 : 1])),
  );
  const agent = world.agent('cpus:1;mem:64');
  const lost = moved(world, () => agent.breakConnection());
  assert.deepEqual(lost, {
    'master/slaves_active': -1,
    'master/slaves_inactive': 1,
    'master/slaves_connected': -1,
    'master/slaves_disconnected': 1,
  });
  const back = moved(world, () => agent.reregister());
  assert.equal(back['master/slave_reregistrations'], 1);
  assert.equal(back['master/slaves_active'], 1);
});

test('a task is counted from its launch to its end, in the cluster and for its framework', () => {
  const world = createWorld();
  const agent = world.agent('cpus:4;mem:4096;disk:1024');
  const scheduler = world.subscribe({ name: 'fw', roles: ['r'] });
  const offer = scheduler.offer();
  const launched = moved(world, () => scheduler.launch(offer, task('t', offer)));
  assert.equal(launched['master/tasks_staging'], 1);
  assert.equal(launched['master/messages_launch_tasks'], 1);
  assert.equal(launched['master/outstanding_offers'], -1);
  assert.equal(launched['master/cpus_used'], 0.1);
  assert.equal(launched['fw/calls/accept'], 1);
  assert.equal(launched['fw/operations/launch'], 1);
  assert.equal(launched['fw/offers/accepted'], 1);
  assert.equal(launched['fw/tasks/active/task_staging'], 1);

  const running = moved(world, () => agent.update(scheduler, 't', 'TASK_RUNNING'));
  const status = scheduler.status();
  assert.deepEqual(pick(running, ['master/tasks_staging', 'master/tasks_running', 'master/messages_status_update']), {
    'master/tasks_staging': -1,
    'master/tasks_running': 1,
    'master/messages_status_update': 1,
  });
  assert.equal(running['master/valid_status_updates'], 1);
  assert.equal(running['fw/events/update'], 1);

  const acknowledged = moved(world, () => scheduler.acknowledge(status));
  assert.equal(acknowledged['master/valid_status_update_acknowledgements'], 1);
  assert.equal(acknowledged['fw/calls/acknowledge'], 1);

  const ended = moved(world, () => agent.update(scheduler, 't', 'TASK_FAILED'));
  assert.equal(ended['master/tasks_failed'], 1);
  assert.equal(ended['master/tasks_running'], -1);
  assert.equal(ended['master/cpus_used'], -0.1);
  assert.equal(ended['fw/tasks/terminal/task_failed'], 1);
});

test('subscriptions, calls and disconnections of schedulers move the counters and gauges of the cluster and of the framework', () => {
  const world = createWorld();
  const came = moved(world, () => world.subscribe({ name: 'fw', roles: ['r'] }));
  assert.equal(came['master/messages_register_framework'], 1);
  assert.equal(came['master/frameworks_active'], 1);
  assert.equal(came['fw/subscribed'], 1);
  assert.equal(came['fw/events/subscribed'], 1);
  const scheduler = world.subscribe({ name: 'other', roles: ['r'] });
  const framework_id = { value: scheduler.id };
  const suppressed = moved(world, () => scheduler.call({ type: 'SUPPRESS', framework_id }));
  assert.equal(suppressed['master/messages_suppress_offers'], 1);
  assert.equal(suppressed['fw/roles/r/suppressed'], 1);
  const revived = moved(world, () => scheduler.call({ type: 'REVIVE', framework_id }));
  assert.equal(revived['master/messages_revive_offers'], 1);
  assert.equal(revived['fw/roles/r/suppressed'], -1);
  const reconciled = moved(world, () => scheduler.call({ type: 'RECONCILE', framework_id, reconcile: {} }));
  assert.equal(reconciled['master/messages_reconcile_tasks'], 1);
  const gone = moved(world, () => scheduler.disconnect());
  assert.equal(gone['master/frameworks_connected'], -1);
  assert.equal(gone['master/frameworks_disconnected'], 1);
});

test('metrics of the process and counters of the shell are merged with those of the state', () => {
  const metrics = metricsNow(createWorld());
  const shown = [
    ['master/elected', 1],
    ['master/uptime_secs', 7],
    ['master/operator_event_stream_subscribers', 2],
    ['master/event_queue_messages', 3],
    ['master/http_cache_hits', 4],
    ['meseta/resident_bytes', 5],
    ['master/invalid_status_update_acknowledgements', 1],
  ] as const;
  for (const [name, value] of shown) assert.equal(metrics.get(name)?.value, value, name);
  assert.deepEqual([...metrics.keys()], [...metrics.keys()].sort());
});
