import assert from 'node:assert/strict';
import { test } from 'node:test';
import { counter, gauge, type MetricKind } from './metrics.js';
import { prometheusText, sampleOf } from './prometheus.js';

const samples: readonly (readonly [kind: MetricKind, metric: string, line: string])[] = [
  ['gauge', 'master/tasks_running', 'mesos_master_tasks_running 3'],
  ['counter', 'master/slave_registrations', 'mesos_master_slave_registrations_total 3'],
  ['gauge', 'master/cpus_total', 'mesos_master_cpus_total 3'],
  ['gauge', 'registrar/state_store_ms/p99', 'mesos_registrar_state_store_ms_quantile{quantile="0.99"} 3'],
  ['gauge', 'registrar/state_store_ms/max', 'mesos_registrar_state_store_ms_max 3'],
  ['gauge', 'allocator/mesos/roles/a/b/shares/dominant', 'mesos_allocator_role_dominant_share{role="a/b"} 3'],
  ['gauge', 'allocator/mesos/resources/cpus/total', 'mesos_allocator_resources_total{resource="cpus"} 3'],
  [
    'gauge',
    'allocator/mesos/quota/roles/a/resources/mem/guarantee',
    'mesos_allocator_role_quota_guarantee{role="a",resource="mem"} 3',
  ],
  [
    'counter',
    'master/frameworks/my%20%22fw%22/id-0000/calls/accept',
    'mesos_master_framework_calls_by_type_total{framework="my \\"fw\\"",framework_id="id-0000",type="accept"} 3',
  ],
  [
    'gauge',
    'master/frameworks/f/id/tasks/active/task_running',
    'mesos_master_framework_tasks_active{framework="f",framework_id="id",state="running"} 3',
  ],
  ['gauge', 'master/operations/reserve/pending', 'mesos_master_operations_by_type{type="reserve",state="pending"} 3'],
  [
    'counter',
    'master/operations/reserve/finished',
    'mesos_master_operations_ended_by_type_total{type="reserve",state="finished"} 3',
  ],
  [
    'counter',
    'master/task_lost/source_master/reason_slave_removed',
    'mesos_master_tasks_ended_total{state="lost",source="master",reason="slave_removed"} 3',
  ],
  ['gauge', 'meseta/heap_used_bytes', 'meseta_heap_used_bytes 3'],
  ['gauge', 'allocator/mesos/resources/a$&b/c/total', 'mesos_allocator_resources_a__b_c_total 3'],
];

for (const [kind, metric, line] of samples) {
  test(`the ${kind} ${metric} is written as ${line}`, () => {
    const { name } = sampleOf(metric, kind);
    assert.equal(prometheusText(new Map([[metric, { kind, value: 3 }]])), `# TYPE ${name} ${kind}\n${line}\n`);
  });
}

test('a metric has one type, and its samples stand together', () => {
  const metrics = [
    ...['pending', 'finished', 'total'].flatMap((state) => {
      const metric = state === 'finished' ? counter(1) : gauge(1);
      return [`master/operations/${state}`, `master/operations/reserve/${state}`].map(
        (name) => [name, metric] as const,
      );
    }),
    ['master/tasks_running', gauge(1)],
    ['allocator/event_queue_dispatches', gauge(1)],
    ['allocator/mesos/event_queue_dispatches', gauge(1)],
  ] as const;
  const text = prometheusText(new Map(metrics));
  const samples = text.match(/^[^#]\S*/gm) ?? [];
  assert.equal(new Set(samples).size, samples.length);
  const types = text.match(/^# TYPE \S+/gm) ?? [];
  assert.equal(new Set(types).size, types.length);
});
