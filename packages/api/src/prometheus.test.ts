import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { metricKind, prometheusText, sampleOf } from './prometheus.js';

const facts = '../shared/facts/metrics.csv';

test("metrics have the types of Mesos' documents", { skip: !existsSync(facts) && 'no facts here' }, () => {
  const rows = readFileSync(facts, 'utf8')
    .trim()
    .split(/\r?\n/)
    .slice(1)
    .map((line) => line.split(','))
    .filter(([, section]) => !/Resource Providers|CSI|Supported/.test(section ?? ''))
    .filter(([, , name]) => !name?.includes('<OPERATION_'));
  assert.ok(rows.length > 200);
  for (const [, , name = '', type = ''] of rows) {
    const concrete = name.replace(/<[A-Z_a-z]+>/g, 'x').replace(/tasks\/(\w+)\/x/, 'tasks/$1/task_x');
    assert.equal(metricKind(concrete), type.toLowerCase(), concrete);
  }
});

const samples: readonly (readonly [metric: string, line: string])[] = [
  ['master/tasks_running', 'mesos_master_tasks_running 3'],
  ['master/slave_registrations', 'mesos_master_slave_registrations_total 3'],
  ['master/cpus_total', 'mesos_master_cpus_total 3'],
  ['registrar/state_store_ms/p99', 'mesos_registrar_state_store_ms_quantile{quantile="0.99"} 3'],
  ['registrar/state_store_ms/max', 'mesos_registrar_state_store_ms_max 3'],
  ['allocator/mesos/roles/a/b/shares/dominant', 'mesos_allocator_role_dominant_share{role="a/b"} 3'],
  ['allocator/mesos/resources/cpus/total', 'mesos_allocator_resources_total{resource="cpus"} 3'],
  [
    'allocator/mesos/quota/roles/a/resources/mem/guarantee',
    'mesos_allocator_role_quota_guarantee{role="a",resource="mem"} 3',
  ],
  [
    'master/frameworks/my%20%22fw%22/id-0000/calls/accept',
    'mesos_master_framework_calls_by_type_total{framework="my \\"fw\\"",framework_id="id-0000",type="accept"} 3',
  ],
  [
    'master/frameworks/f/id/tasks/active/task_running',
    'mesos_master_framework_tasks_active{framework="f",framework_id="id",state="running"} 3',
  ],
  ['master/operations/reserve/pending', 'mesos_master_operations_by_type{type="reserve",state="pending"} 3'],
  [
    'master/operations/reserve/finished',
    'mesos_master_operations_ended_by_type_total{type="reserve",state="finished"} 3',
  ],
  [
    'master/task_lost/source_master/reason_slave_removed',
    'mesos_master_tasks_ended_total{state="lost",source="master",reason="slave_removed"} 3',
  ],
  ['meseta/heap_used_bytes', 'meseta_heap_used_bytes 3'],
];

for (const [metric, line] of samples) {
  test(`${metric} as ${line}`, () => {
    const { name, kind } = sampleOf(metric);
    assert.equal(prometheusText(new Map([[metric, 3]])), `# TYPE ${name} ${kind}\n${line}\n`);
  });
}

test('a metric has one type, and its samples stand together', () => {
  const names = ['pending', 'finished', 'total'].flatMap((state) => [
    `master/operations/${state}`,
    `master/operations/reserve/${state}`,
    'master/tasks_running',
  ]);
  const aliases = ['allocator/event_queue_dispatches', 'allocator/mesos/event_queue_dispatches'];
  const text = prometheusText(new Map([...names, ...aliases].map((name) => [name, 1])));
  const samples = text.match(/^[^#]\S*/gm) ?? [];
  assert.equal(new Set(samples).size, samples.length);
  const types = text.match(/^# TYPE \S+/gm) ?? [];
  assert.equal(new Set(types).size, types.length);
});
