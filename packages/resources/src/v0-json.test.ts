// The records of the v0 documents as text, field by field, in the order of Mesos' documents.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type {
  AgentInfo,
  Attribute,
  ContainerStatus,
  ExecutorInfo,
  NetworkInfo,
  Offer,
  Resource,
  Task,
  TaskInfo,
  TaskStatus,
} from '@meseta/wire';
import {
  CgroupInfoCodec,
  ContainerIDCodec,
  ContainerInfoCodec,
  DiscoveryInfoCodec,
  HealthCheckCodec,
  NetworkInfoIPAddressCodec,
  NetworkInfoPortMappingCodec,
} from '@meseta/wire/codecs';
import { jsonArray, jsonBool, jsonDouble, jsonIfSet, jsonObject, jsonString } from '@meseta/wire/json';
import fc from 'fast-check';
import { merge } from './algebra.js';
import { summarize, summarizeAttributes } from './summary.js';
import { anyList, anyResources, scalarOfName } from './testing.js';
import {
  agentInfoFields,
  attributesJson,
  buildFields,
  domainJson,
  executorJson,
  labelsJson,
  offerJson,
  quantitiesJson,
  resourcesJson,
  secondsJson,
  stringsJson,
  taskInfoJson,
  taskJson,
  versionDocument,
} from './v0-json.js';

const none = '{"cpus":0.0,"disk":0.0,"gpus":0.0,"mem":0.0}';
const toWeb = scalarOfName('cpus', 1, { allocation_info: { role: 'web' } });
const oneCpu = '{"cpus":1.0,"disk":0.0,"gpus":0.0,"mem":0.0}';

test('a summary of resources always has cpus, disk, gpus and mem, and is sorted by name', () => {
  const ports: Resource = { name: 'ports', type: 'RANGES', ranges: { range: [{ begin: 1, end: 2 }] } };
  const shared = scalarOfName('disk', 8, { disk: { persistence: { id: 'v' } }, shared: {} });
  const table: readonly (readonly [list: readonly Resource[], json: string])[] = [
    [[], none],
    [[toWeb], oneCpu],
    [
      ['cpus', 'disk', 'gpus', 'mem'].map((name, i) => scalarOfName(name, i + 1)),
      '{"cpus":1.0,"disk":2.0,"gpus":3.0,"mem":4.0}',
    ],
    [[toWeb, toWeb, scalarOfName('cpus', 0.5)], '{"cpus":2.5,"disk":0.0,"gpus":0.0,"mem":0.0}'],
    [[toWeb, ports], '{"cpus":1.0,"disk":0.0,"gpus":0.0,"mem":0.0,"ports":"[1-2]"}'],
    [[toWeb, scalarOfName('a', 3), scalarOfName('a', 4)], '{"a":7.0,"cpus":1.0,"disk":0.0,"gpus":0.0,"mem":0.0}'],
    [
      [toWeb, scalarOfName('cpus', 2, { revocable: {} })],
      '{"cpus":1.0,"cpus_revocable":2.0,"disk":0.0,"gpus":0.0,"mem":0.0}',
    ],
    [[shared, shared, scalarOfName('disk', 1)], '{"cpus":0.0,"disk":9.0,"gpus":0.0,"mem":0.0}'],
  ];
  for (const [list, json] of table) {
    assert.equal(resourcesJson(list), json);
    assert.equal(resourcesJson(list), json, 'the same again');
  }
});

test('lists that differ in one scalar are written correctly one after the other', () => {
  for (const name of ['cpus', 'disk', 'gpus', 'mem']) {
    for (const amount of [1, 2]) {
      assert.equal(JSON.parse(resourcesJson([scalarOfName(name, amount)]))[name], amount);
      assert.equal(resourcesJson([]), none);
    }
  }
});

test('a summary of attributes is sorted by name; of a repeated name it has the last; a missing text is empty', () => {
  const attributes: readonly Attribute[] = [
    { name: 'size', type: 'SCALAR', scalar: { value: 10 } },
    { name: 'rack', type: 'TEXT', text: { value: 'r1' } },
    { name: 'rack', type: 'TEXT', text: { value: 'r2' } },
    { name: 'none', type: 'SCALAR' },
    { name: 'empty', type: 'TEXT' },
  ];
  assert.equal(attributesJson(attributes), '{"empty":"","none":0.0,"rack":"r2","size":10.0}');
  assert.deepEqual(Object.keys(summarizeAttributes(attributes)), ['empty', 'none', 'rack', 'size']);
});

test('times, labels, domains, quantities and strings are written as in Mesos’ documents', () => {
  const table: readonly (readonly [written: string, expected: string])[] = [
    [quantitiesJson({ cpus: 0.1, mem: 32 }), '{"cpus":0.1,"mem":32.0}'],
    [quantitiesJson({}), '{}'],
    [stringsJson(['a', '"']), '["a","\\""]'],
    [secondsJson(1500), '1.5'],
    [labelsJson({}), '[]'],
    [labelsJson({ labels: [{ key: 'k', value: 'v' }, { key: 'l' }] }), '[{"key":"k","value":"v"},{"key":"l"}]'],
    [domainJson({}), '{}'],
    [
      domainJson({ fault_domain: { region: { name: 'r' }, zone: { name: 'z' } } }),
      '{"fault_domain":{"region":{"name":"r"},"zone":{"name":"z"}}}',
    ],
  ];
  for (const [written, expected] of table) assert.equal(written, expected);
});

test('the fields of a build are in Mesos’ order in documents and sorted at /version', () => {
  const build = {
    version: '1',
    git_sha: 's',
    git_branch: 'b',
    git_tag: 't',
    build_date: 'd',
    build_time: 5,
    build_user: 'u',
  };
  const text =
    '{"version":"1","git_sha":"s","git_branch":"b","git_tag":"t","build_date":"d","build_time":5.0,"build_user":"u"}';
  assert.equal(jsonObject(buildFields(build)), text);
  assert.equal(
    versionDocument(build),
    '{"build_date":"d","build_time":5.0,"build_user":"u","git_branch":"b","git_sha":"s","git_tag":"t","version":"1"}',
  );
  assert.equal(versionDocument({ version: '1' }), '{"build_date":"","build_time":0.0,"build_user":"","version":"1"}');
});

test('an agent without a port has the port 5051', () => {
  const info: AgentInfo = { hostname: 'h' };
  assert.equal(jsonObject(agentInfoFields(info)), '{"id":"","hostname":"h","port":5051,"attributes":{}}');
  const full: AgentInfo = {
    id: { value: 'a' },
    hostname: 'h',
    port: 1,
    attributes: [{ name: 'n', type: 'TEXT', text: { value: 't' } }],
    domain: {},
  };
  assert.equal(
    jsonObject(agentInfoFields(full)),
    '{"id":"a","hostname":"h","port":1,"attributes":{"n":"t"},"domain":{}}',
  );
});

const ids = { task_id: { value: 't' }, framework_id: { value: 'f' }, agent_id: { value: 'a' } };

test('a task is written with its required fields only, and with all fields', () => {
  const bare: Task = { ...ids, name: 'n', state: 'TASK_RUNNING' };
  const head = '{"id":"t","name":"n","framework_id":"f","executor_id":';
  assert.equal(taskJson(bare), `${head}"","slave_id":"a","state":"TASK_RUNNING","resources":${none},"statuses":[]}`);
  const full: Task = {
    ...bare,
    executor_id: { value: 'e' },
    resources: [toWeb],
    limits: { mem: { value: 2 } },
    statuses: [
      { task_id: ids.task_id, state: 'TASK_STARTING' },
      {
        task_id: ids.task_id,
        state: 'TASK_RUNNING',
        timestamp: 2,
        labels: { labels: [{ key: 'k' }] },
        container_status: {
          container_id: { value: 'c' },
          network_infos: [
            {},
            {
              groups: ['g'],
              labels: { labels: [{ key: 'k' }] },
              ip_addresses: [{ ip_address: '1.2.3.4' }],
              name: 'net',
              port_mappings: [{ host_port: 1, container_port: 2 }],
            },
          ],
          cgroup_info: { net_cls: { classid: 7 } },
        },
        healthy: false,
      },
      { task_id: ids.task_id, state: 'TASK_RUNNING', container_status: { network_infos: [] } },
    ],
    user: 'u',
    labels: { labels: [{ key: 'k' }] },
    discovery: { visibility: 'CLUSTER' },
    container: { type: 'MESOS' },
    health_check: { type: 'HTTP', consecutive_failures: 1 },
  };
  const network =
    '{"groups":["g"],"labels":[{"key":"k"}],"ip_addresses":[{"protocol":"IPv4","ip_address":"1.2.3.4"}],"name":"net",' +
    '"port_mappings":[{"host_port":1,"container_port":2}]}';
  const health = HealthCheckCodec.write({ type: 'HTTP', consecutive_failures: 1 });
  const statuses = [
    '{"state":"TASK_STARTING","timestamp":0.0}',
    `{"state":"TASK_RUNNING","timestamp":2.0,"labels":[{"key":"k"}],"container_status":{"container_id":{"value":"c"},` +
      `"network_infos":[{},${network}],"cgroup_info":{"net_cls":{"classid":7}}},"healthy":false}`,
    '{"state":"TASK_RUNNING","timestamp":0.0,"container_status":{}}',
  ];
  assert.equal(
    taskJson(full),
    `${head}"e","slave_id":"a","state":"TASK_RUNNING","resources":${oneCpu},"limits":{"mem":2.0},"role":"web",` +
      `"statuses":[${statuses}],"user":"u","labels":[{"key":"k"}],"discovery":{"visibility":"CLUSTER"},` +
      `"container":{"type":"MESOS"},"health_check":${health}}`,
  );
});

test('a queued task is written from its TaskInfo', () => {
  const bare: TaskInfo = { name: 'n', task_id: ids.task_id, agent_id: ids.agent_id };
  const head = '{"id":"t","name":"n","slave_id":"a"';
  assert.equal(taskInfoJson(bare), `${head},"resources":${none}}`);
  const full: TaskInfo = {
    ...bare,
    resources: [toWeb],
    command: {
      shell: true,
      value: 'true',
      arguments: ['x', 'y'],
      environment: { variables: [] },
      uris: [{ value: 'u' }, { value: 'v', executable: true }],
    },
    executor: { executor_id: { value: 'e' } },
    discovery: { visibility: 'CLUSTER' },
  };
  const command =
    '{"shell":true,"value":"true","argv":["x","y"],"environment":{"variables":[]},' +
    '"uris":[{"value":"u","executable":false},{"value":"v","executable":true}]}';
  assert.equal(
    taskInfoJson(full),
    `${head},"resources":${oneCpu},"role":"web","command":${command},"executor_id":"e","discovery":{"visibility":"CLUSTER"}}`,
  );
});

test('an executor and an offer are written as in Mesos’ documents', () => {
  const bare: ExecutorInfo = { executor_id: { value: 'e' } };
  assert.equal(
    executorJson(bare, 'a'),
    `{"executor_id":"e","name":"","framework_id":"","command":{"argv":[],"uris":[]},"resources":${none},"slave_id":"a"}`,
  );
  const full: ExecutorInfo = {
    ...bare,
    name: 'n',
    framework_id: { value: 'f' },
    command: { value: 'true' },
    resources: [toWeb],
    labels: { labels: [{ key: 'k' }] },
    type: 'CUSTOM',
  };
  assert.equal(
    executorJson(full, 'a'),
    `{"executor_id":"e","name":"n","framework_id":"f","command":{"value":"true","argv":[],"uris":[]},` +
      `"resources":${oneCpu},"role":"web","labels":[{"key":"k"}],"type":"CUSTOM","slave_id":"a"}`,
  );
  const offer: Offer = { id: { value: 'o' }, framework_id: ids.framework_id, agent_id: ids.agent_id, hostname: 'h' };
  const offered = (allocation: string, resources: string) =>
    `{"id":"o","framework_id":"f","allocation_info":${allocation},"slave_id":"a","resources":${resources}}`;
  assert.equal(offerJson(offer), offered('{}', none));
  assert.equal(
    offerJson({ ...offer, allocation_info: { role: 'web' }, resources: [toWeb] }),
    offered('{"role":"web"}', oneCpu),
  );
});

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
    ['role', jsonIfSet(task.resources?.[0]?.allocation_info?.role, jsonString)],
    ['statuses', jsonArray(task.statuses ?? [], plainStatus)],
    ['user', jsonIfSet(task.user, jsonString)],
    ['labels', jsonIfSet(task.labels, labelsJson)],
    ['discovery', jsonIfSet(task.discovery, DiscoveryInfoCodec.write)],
    ['container', jsonIfSet(task.container, ContainerInfoCodec.write)],
    ['health_check', jsonIfSet(task.health_check, HealthCheckCodec.write)],
  ]);
};

const plainStatus = (status: TaskStatus): string =>
  jsonObject([
    ['state', jsonString(status.state)],
    ['timestamp', jsonDouble(status.timestamp ?? 0)],
    ['labels', jsonIfSet(status.labels, labelsJson)],
    ['container_status', jsonIfSet(status.container_status, plainContainer)],
    ['healthy', jsonIfSet(status.healthy, jsonBool)],
  ]);

const plainContainer = (status: ContainerStatus): string =>
  jsonObject([
    ['container_id', jsonIfSet(status.container_id, ContainerIDCodec.write)],
    ['network_infos', nonEmpty(status.network_infos, plainNetwork)],
    ['cgroup_info', jsonIfSet(status.cgroup_info, CgroupInfoCodec.write)],
  ]);

const plainNetwork = (info: NetworkInfo): string =>
  jsonObject([
    ['groups', nonEmpty(info.groups, jsonString)],
    ['labels', jsonIfSet(info.labels, labelsJson)],
    ['ip_addresses', nonEmpty(info.ip_addresses, NetworkInfoIPAddressCodec.write)],
    ['name', jsonIfSet(info.name, jsonString)],
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
