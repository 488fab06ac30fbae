// Pieces of the v0 documents of master and agent: a record each, as JSON text. The fields, their order and when they are
// there are those of Mesos' own documents (docs/endpoints; the recordings of a real master and agent). They are here, not
// in wire, because nearly every record shows its resources added up.
import type {
  AgentInfo,
  Attribute,
  CommandInfo,
  ContainerStatus,
  DomainInfo,
  ExecutorInfo,
  Labels,
  NetworkInfo,
  Offer,
  Resource,
  Task,
  TaskInfo,
  TaskStatus,
  VersionInfo,
} from '@meseta/wire';
import {
  CgroupInfoCodec,
  ContainerIDCodec,
  ContainerInfoCodec,
  DiscoveryInfoCodec,
  EnvironmentCodec,
  HealthCheckCodec,
  LabelCodec,
  NetworkInfoIPAddressCodec,
  NetworkInfoPortMappingCodec,
  ResourceAllocationInfoCodec,
} from '@meseta/wire/codecs';
import {
  type JsonFields,
  jsonArray,
  jsonBool,
  jsonDouble,
  jsonNumber,
  jsonObject,
  jsonString,
  present,
} from '@meseta/wire/json';
import { isScalar, scalarOf } from './kinds.js';
import { fromThousandths } from './scalars.js';
import { summarize, summarizeAttributes } from './summary.js';

const plain = (values: Readonly<Record<string, number | string>>): string =>
  jsonObject(
    Object.entries(values).map(([name, value]) => [
      name,
      typeof value === 'number' ? jsonDouble(value) : jsonString(value),
    ]),
  );

/** Totals by name: `{"cpus":4.0,...,"ports":"[31000-31999]"}`. */
export const resourcesJson = (list: readonly Resource[]): string => knownScalarsJson(list) ?? plain(summarize(list));

/** The same for what nearly every task has, the scalars that are always shown: a /state of many tasks consists of these. */
function knownScalarsJson(list: readonly Resource[]): string | undefined {
  const totals = { cpus: 0, disk: 0, gpus: 0, mem: 0 };
  for (const resource of list) {
    const { name, revocable, shared } = resource;
    const isKnown = name === 'cpus' || name === 'mem' || name === 'disk' || name === 'gpus';
    if (!isKnown || !isScalar(resource) || revocable !== undefined || shared !== undefined) return undefined;
    totals[name] += scalarOf(resource);
  }
  const { cpus, disk, gpus, mem } = totals;
  const total = (thousandths: number): string => jsonDouble(fromThousandths(thousandths));
  return `{"cpus":${total(cpus)},"disk":${total(disk)},"gpus":${total(gpus)},"mem":${total(mem)}}`;
}

/** Amounts by name: `{"cpus":0.1,"mem":32.0}`. */
export const quantitiesJson = (values: Readonly<Record<string, number>>): string => plain(values);

export const stringsJson = (values: readonly string[]): string => jsonArray(values, jsonString);

/** Times in seconds since the epoch. */
export const secondsJson = (ms: number): string => jsonDouble(ms / 1000);

export const labelsJson = (labels: Labels): string => jsonArray(labels.labels ?? [], LabelCodec.write);

export function domainJson({ fault_domain: domain }: DomainInfo): string {
  if (domain === undefined) return '{}';
  const name = (place: { readonly name: string }): string => `{"name":${jsonString(place.name)}}`;
  return `{"fault_domain":{"region":${name(domain.region)},"zone":${name(domain.zone)}}}`;
}

/** The fields of a build, for documents that go on with more. */
export const buildFields = (build: VersionInfo): JsonFields => [
  ['version', jsonString(build.version)],
  ['git_sha', present(build.git_sha, jsonString)],
  ['git_branch', present(build.git_branch, jsonString)],
  ['git_tag', present(build.git_tag, jsonString)],
  ['build_date', jsonString(build.build_date ?? '')],
  ['build_time', jsonDouble(build.build_time ?? 0)],
  ['build_user', jsonString(build.build_user ?? '')],
];

/** /version: the same, by name. */
export const versionDocument = (build: VersionInfo): string =>
  jsonObject([...buildFields(build)].sort(([a], [b]) => (a < b ? -1 : 1)));

/** Names with values: `{"rack":"r1","size":10.0}`. */
export const attributesJson = (attributes: readonly Attribute[]): string => plain(summarizeAttributes(attributes));

/** The fields of an agent's info, for documents that go on with more. */
export const agentInfoFields = (info: AgentInfo): JsonFields => [
  ['id', jsonString(info.id?.value ?? '')],
  ['hostname', jsonString(info.hostname)],
  ['port', jsonNumber(info.port ?? 5051)],
  ['attributes', attributesJson(info.attributes ?? [])],
  ['domain', present(info.domain, domainJson)],
];

const networkJson = (info: NetworkInfo): string =>
  jsonObject([
    ['groups', nonEmpty(info.groups, jsonString)],
    ['labels', present(info.labels, labelsJson)],
    ['ip_addresses', nonEmpty(info.ip_addresses, NetworkInfoIPAddressCodec.write)],
    ['name', present(info.name, jsonString)],
    ['port_mappings', nonEmpty(info.port_mappings, NetworkInfoPortMappingCodec.write)],
  ]);

const nonEmpty = <T>(list: readonly T[] | undefined, write: (item: T) => string): string | undefined =>
  list === undefined || list.length === 0 ? undefined : jsonArray(list, write);

const containerStatusJson = (status: ContainerStatus): string =>
  jsonObject([
    ['container_id', present(status.container_id, ContainerIDCodec.write)],
    ['network_infos', nonEmpty(status.network_infos, networkJson)],
    ['cgroup_info', present(status.cgroup_info, CgroupInfoCodec.write)],
  ]);

const statusJson = (status: TaskStatus): string =>
  jsonObject([
    ['state', jsonString(status.state)],
    ['timestamp', jsonDouble(status.timestamp ?? 0)],
    ['labels', present(status.labels, labelsJson)],
    ['container_status', present(status.container_status, containerStatusJson)],
    ['healthy', present(status.healthy, jsonBool)],
  ]);

const limitsJson = (limits: Task['limits']): string | undefined => {
  const entries = Object.entries(limits ?? {});
  return entries.length === 0 ? undefined : jsonObject(entries.map(([name, { value }]) => [name, jsonDouble(value)]));
};

export const taskJson = (task: Task): string =>
  jsonObject([
    ['id', jsonString(task.task_id.value)],
    ['name', jsonString(task.name)],
    ['framework_id', jsonString(task.framework_id.value)],
    ['executor_id', jsonString(task.executor_id?.value ?? '')],
    ['slave_id', jsonString(task.agent_id.value)],
    ['state', jsonString(task.state)],
    ['resources', resourcesJson(task.resources ?? [])],
    ['limits', limitsJson(task.limits)],
    ['role', present(task.resources?.[0]?.allocation_info?.role, jsonString)],
    ['statuses', jsonArray(task.statuses ?? [], statusJson)],
    ['user', present(task.user, jsonString)],
    ['labels', present(task.labels, labelsJson)],
    ['discovery', present(task.discovery, DiscoveryInfoCodec.write)],
    ['container', present(task.container, ContainerInfoCodec.write)],
    ['health_check', present(task.health_check, HealthCheckCodec.write)],
  ]);

/** A task that its executor has yet to get, as agents show it. */
export const taskInfoJson = (task: TaskInfo): string =>
  jsonObject([
    ['id', jsonString(task.task_id.value)],
    ['name', jsonString(task.name)],
    ['slave_id', jsonString(task.agent_id.value)],
    ['resources', resourcesJson(task.resources ?? [])],
    ['role', present(task.resources?.[0]?.allocation_info?.role, jsonString)],
    ['command', present(task.command, commandJson)],
    ['executor_id', present(task.executor?.executor_id.value, jsonString)],
    ['discovery', present(task.discovery, DiscoveryInfoCodec.write)],
  ]);

const commandJson = (command: CommandInfo): string =>
  jsonObject([
    ['shell', present(command.shell, jsonBool)],
    ['value', present(command.value, jsonString)],
    ['argv', stringsJson(command.arguments ?? [])],
    ['environment', present(command.environment, EnvironmentCodec.write)],
    [
      'uris',
      jsonArray(
        command.uris ?? [],
        ({ value, executable = false }) => `{"value":${jsonString(value)},"executable":${jsonBool(executable)}}`,
      ),
    ],
  ]);

export const executorJson = (info: ExecutorInfo, agentId: string): string =>
  jsonObject([
    ['executor_id', jsonString(info.executor_id.value)],
    ['name', jsonString(info.name ?? '')],
    ['framework_id', jsonString(info.framework_id?.value ?? '')],
    ['command', commandJson(info.command ?? {})],
    ['resources', resourcesJson(info.resources ?? [])],
    ['role', present(info.resources?.[0]?.allocation_info?.role, jsonString)],
    ['labels', present(info.labels, labelsJson)],
    ['type', present(info.type, jsonString)],
    ['slave_id', jsonString(agentId)],
  ]);

export const offerJson = (offer: Offer): string =>
  jsonObject([
    ['id', jsonString(offer.id.value)],
    ['framework_id', jsonString(offer.framework_id.value)],
    ['allocation_info', ResourceAllocationInfoCodec.write(offer.allocation_info ?? {})],
    ['slave_id', jsonString(offer.agent_id.value)],
    ['resources', resourcesJson(offer.resources ?? [])],
  ]);
