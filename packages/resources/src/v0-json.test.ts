import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ContainerStatus, NetworkInfo, Resource, Task, TaskStatus } from '@meseta/wire';
import {
  CgroupInfoCodec,
  ContainerIDCodec,
  ContainerInfoCodec,
  DiscoveryInfoCodec,
  HealthCheckCodec,
  NetworkInfoIPAddressCodec,
  NetworkInfoPortMappingCodec,
} from '@meseta/wire/codecs';
import { jsonArray, jsonBool, jsonDouble, jsonObject, jsonString, present } from '@meseta/wire/json';
import fc from 'fast-check';
import { merge } from './algebra.js';
import { summarize } from './summary.js';
import { anyList, anyResources, scalarOfName } from './testing.js';
import { labelsJson, resourcesJson, taskJson } from './v0-json.js';

test('resources are written as their summary', () => {
  const scalars = fc
    .array(
      fc.record({ name: fc.constantFrom('cpus', 'mem', 'disk', 'gpus'), amount: fc.integer({ min: 1, max: 1e7 }) }),
    )
    .map((list) => list.map(({ name, amount }) => scalarOfName(name, amount / 1000)));
  fc.assert(
    fc.property(fc.oneof(scalars, anyList), (list) => {
      const totals = summarize(list);
      const written = JSON.parse(resourcesJson(list)) as Record<string, unknown>;
      assert.deepEqual(Object.entries(written), Object.entries(totals));
    }),
  );
});

test('a merged list is written as the list, except for the order of items in sets', () => {
  const admitted = fc.array(anyResources, { maxLength: 4 }).map((lists) => lists.flat());
  const sorted = (json: string): string =>
    json.replaceAll(/\{([^{}"]*)\}/g, (_, items: string) => `{${items.split(', ').sort().join(', ')}}`);
  fc.assert(
    fc.property(admitted, (list) => assert.equal(sorted(resourcesJson(merge(list))), sorted(resourcesJson(list)))),
    { numRuns: 3000 },
  );
});

const totals = (list: readonly Resource[]): string =>
  jsonObject(
    Object.entries(summarize(list)).map(([name, value]) => [
      name,
      typeof value === 'number' ? jsonDouble(value) : jsonString(value),
    ]),
  );

const nonEmpty = <T>(list: readonly T[] | undefined, write: (item: T) => string): string | undefined =>
  list === undefined || list.length === 0 ? undefined : jsonArray(list, write);

/** A task field by field, in the order of Mesos' own document: slow, and nothing is remembered. */
const plainTask = (task: Task): string => {
  const limits = Object.entries(task.limits ?? {}).map(([name, { value }]) => [name, jsonDouble(value)] as const);
  return jsonObject([
    ['id', jsonString(task.task_id.value)],
    ['name', jsonString(task.name)],
    ['framework_id', jsonString(task.framework_id.value)],
    ['executor_id', jsonString(task.executor_id?.value ?? '')],
    ['slave_id', jsonString(task.agent_id.value)],
    ['state', jsonString(task.state)],
    ['resources', totals(task.resources ?? [])],
    ['limits', limits.length === 0 ? undefined : jsonObject(limits)],
    ['role', present(task.resources?.[0]?.allocation_info?.role, jsonString)],
    ['statuses', jsonArray(task.statuses ?? [], plainStatus)],
    ['user', present(task.user, jsonString)],
    ['labels', present(task.labels, labelsJson)],
    ['discovery', present(task.discovery, DiscoveryInfoCodec.write)],
    ['container', present(task.container, ContainerInfoCodec.write)],
    ['health_check', present(task.health_check, HealthCheckCodec.write)],
  ]);
};

const plainStatus = (status: TaskStatus): string =>
  jsonObject([
    ['state', jsonString(status.state)],
    ['timestamp', jsonDouble(status.timestamp ?? 0)],
    ['labels', present(status.labels, labelsJson)],
    ['container_status', present(status.container_status, plainContainer)],
    ['healthy', present(status.healthy, jsonBool)],
  ]);

const plainContainer = (status: ContainerStatus): string =>
  jsonObject([
    ['container_id', present(status.container_id, ContainerIDCodec.write)],
    ['network_infos', nonEmpty(status.network_infos, plainNetwork)],
    ['cgroup_info', present(status.cgroup_info, CgroupInfoCodec.write)],
  ]);

const plainNetwork = (info: NetworkInfo): string =>
  jsonObject([
    ['groups', nonEmpty(info.groups, jsonString)],
    ['labels', present(info.labels, labelsJson)],
    ['ip_addresses', nonEmpty(info.ip_addresses, NetworkInfoIPAddressCodec.write)],
    ['name', present(info.name, jsonString)],
    ['port_mappings', nonEmpty(info.port_mappings, NetworkInfoPortMappingCodec.write)],
  ]);

const text = fc.oneof(fc.constantFrom('', 'a', 'web', 'a "quoted" one', 'ä\u2028\n\\', '\ud800'), fc.string());
const id = text.map((value) => ({ value }));
/** Records with any of the fields. */
const some = <T>(fields: { [K in keyof T]: fc.Arbitrary<T[K]> }) => fc.record<T, never>(fields, { requiredKeys: [] });
const labels = fc.record({ labels: fc.array(fc.record({ key: text, value: text }), { maxLength: 2 }) });
const network: fc.Arbitrary<NetworkInfo> = some({
  groups: fc.array(text, { maxLength: 2 }),
  labels,
  ip_addresses: fc.array(fc.record({ ip_address: text }), { maxLength: 2 }),
  name: text,
  port_mappings: fc.constant([{ host_port: 1, container_port: 2 }]),
});
const container: fc.Arbitrary<ContainerStatus> = some({
  container_id: id,
  network_infos: fc.array(network, { maxLength: 2 }),
  cgroup_info: fc.constant({ net_cls: { classid: 7 } }),
});
const state = fc.constantFrom('TASK_RUNNING' as const, 'TASK_FINISHED' as const, 'TASK_LOST' as const);
const status: fc.Arbitrary<TaskStatus> = fc
  .tuple(id, state, some({ timestamp: fc.double(), labels, container_status: container, healthy: fc.boolean() }))
  .map(([task_id, of, more]) => ({ task_id, state: of, ...more }));
const anyTask: fc.Arbitrary<Task> = fc
  .tuple(
    fc.record({ name: text, task_id: id, framework_id: id, agent_id: id, state }),
    some({
      executor_id: id,
      resources: anyList,
      statuses: fc.array(status, { maxLength: 3 }),
      limits: fc.dictionary(
        text,
        fc.double().map((value) => ({ value })),
        { maxKeys: 2 },
      ),
      user: text,
      labels,
      discovery: fc.constant({ visibility: 'CLUSTER' as const, name: 'n' }),
      container: fc.constant({ type: 'MESOS' as const }),
      health_check: fc.constant({ type: 'COMMAND' as const, command: { value: 'true' } }),
    }),
  )
  .map(([required, more]) => ({ ...required, ...more }));

test('tasks written one after the other are written as each alone', () => {
  fc.assert(
    fc.property(fc.array(anyTask, { minLength: 1, maxLength: 5 }), (tasks) => {
      for (const task of [...tasks, ...tasks]) assert.equal(taskJson(task), plainTask(task));
    }),
  );
});
