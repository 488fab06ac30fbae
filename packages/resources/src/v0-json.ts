// The records of the v0 documents of master and agent as JSON text. The fields, their order and their presence are those of
// Mesos' documents (its docs/endpoints; recordings of a real master and agent). They are in this package because nearly every
// record has totals of resources.
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
  jsonIfSet,
  jsonNumber,
  jsonObject,
  jsonString,
} from '@meseta/wire/json';
import { fromThousandths, toThousandths } from '@meseta/wire/scalars';
import { withoutSecrets } from '@meseta/wire/secrets';
import { isScalar, thousandthsOf } from './kinds.js';
import { summarize, summarizeAttributes } from './summary.js';

const plain = (values: readonly (readonly [name: string, value: number | string])[]): string =>
  jsonObject(values.map(([name, value]) => [name, typeof value === 'number' ? jsonDouble(value) : jsonString(value)]));

/**
 * Totals by name: `{"cpus":4.0,...,"ports":"[31000-31999]"}`. The scalars that are always shown, of which nearly every
 * list consists, are added up here: a /state is thousands of such lists.
 */
export function resourcesJson(list: readonly Resource[]): string {
  let cpus = 0;
  let disk = 0;
  let gpus = 0;
  let mem = 0;
  let others: Resource[] | undefined;
  for (const resource of list) {
    const { name } = resource;
    const isPlain = isScalar(resource) && resource.revocable === undefined && resource.shared === undefined;
    if (isPlain && name === 'cpus') cpus += thousandthsOf(resource);
    else if (isPlain && name === 'mem') mem += thousandthsOf(resource);
    else if (isPlain && name === 'disk') disk += thousandthsOf(resource);
    else if (isPlain && name === 'gpus') gpus += thousandthsOf(resource);
    else if (others === undefined) others = [resource];
    else others.push(resource);
  }
  if (others === undefined) return scalarsJson(cpus, disk, gpus, mem);
  const known: Readonly<Record<string, number>> = { cpus, disk, gpus, mem };
  const totals = Object.entries(summarize(others)).map(([name, value]): [string, number | string] => {
    const more = known[name];
    return [
      name,
      more === undefined || typeof value === 'string' ? value : fromThousandths(toThousandths(value) + more),
    ];
  });
  return plain(totals);
}

/** The last totals written, because successive tasks mostly have equal ones. */
const lastScalars = { cpus: 0, disk: 0, gpus: 0, mem: 0, json: '{"cpus":0.0,"disk":0.0,"gpus":0.0,"mem":0.0}' };

/** Amounts in thousandths. */
function scalarsJson(cpus: number, disk: number, gpus: number, mem: number): string {
  const last = lastScalars;
  if (cpus === last.cpus && disk === last.disk && gpus === last.gpus && mem === last.mem) return last.json;
  const total = (thousandths: number): string => jsonDouble(fromThousandths(thousandths));
  const json = `{"cpus":${total(cpus)},"disk":${total(disk)},"gpus":${total(gpus)},"mem":${total(mem)}}`;
  Object.assign(last, { cpus, disk, gpus, mem, json });
  return json;
}

/** Amounts by name: `{"cpus":0.1,"mem":32.0}`. */
export const quantitiesJson = (values: Readonly<Record<string, number>>): string => plain(Object.entries(values));

export const stringsJson = (values: readonly string[]): string => jsonArray(values, jsonString);

/** Times in seconds since the epoch. */
export const secondsJson = (ms: number): string => jsonDouble(ms / 1000);

export const labelsJson = (labels: Labels): string => jsonArray(labels.labels ?? [], LabelCodec.write);

export function domainJson({ fault_domain: domain }: DomainInfo): string {
  if (domain === undefined) return '{}';
  const name = (place: { readonly name: string }): string => `{"name":${jsonString(place.name)}}`;
  return `{"fault_domain":{"region":${name(domain.region)},"zone":${name(domain.zone)}}}`;
}

/** The fields of a build, for documents with more fields. */
export const buildFields = (build: VersionInfo): JsonFields => [
  ['version', jsonString(build.version)],
  ['git_sha', jsonIfSet(build.git_sha, jsonString)],
  ['git_branch', jsonIfSet(build.git_branch, jsonString)],
  ['git_tag', jsonIfSet(build.git_tag, jsonString)],
  ['build_date', jsonString(build.build_date ?? '')],
  ['build_time', jsonDouble(build.build_time ?? 0)],
  ['build_user', jsonString(build.build_user ?? '')],
];

/** /version: the same, by name. */
export const versionDocument = (build: VersionInfo): string =>
  jsonObject([...buildFields(build)].sort(([a], [b]) => (a < b ? -1 : 1)));

/** Names with values: `{"rack":"r1","size":10.0}`. */
export const attributesJson = (attributes: readonly Attribute[]): string =>
  plain(Object.entries(summarizeAttributes(attributes)));

/** The fields of an agent's info, for documents with more fields. */
export const agentInfoFields = (info: AgentInfo): JsonFields => [
  ['id', jsonString(info.id?.value ?? '')],
  ['hostname', jsonString(info.hostname)],
  ['port', jsonNumber(info.port ?? 5051)],
  ['attributes', attributesJson(info.attributes ?? [])],
  ['domain', jsonIfSet(info.domain, domainJson)],
];

/** `,"name":...` where there is a value: for records of which a document has many, written without a list of fields. */
const more = <T>(name: string, value: T | undefined, write: (value: T) => string): string =>
  value === undefined ? '' : `,"${name}":${write(value)}`;

const nonEmpty = <T>(list: readonly T[] | undefined, write: (item: T) => string): string | undefined =>
  list === undefined || list.length === 0 ? undefined : jsonArray(list, write);

/** Appends a field, if it has a value, to the text of an unclosed object; `` is an object without fields. */
const withField = (open: string, name: string, json: string | undefined): string =>
  json === undefined ? open : `${open}${open === '' ? '{' : ','}"${name}":${json}`;

const closed = (open: string): string => (open === '' ? '{}' : `${open}}`);

function networkJson(info: NetworkInfo): string {
  let text = withField('', 'groups', nonEmpty(info.groups, jsonString));
  text = withField(text, 'labels', jsonIfSet(info.labels, labelsJson));
  text = withField(text, 'ip_addresses', nonEmpty(info.ip_addresses, NetworkInfoIPAddressCodec.write));
  text = withField(text, 'name', jsonIfSet(info.name, jsonString));
  return closed(withField(text, 'port_mappings', nonEmpty(info.port_mappings, NetworkInfoPortMappingCodec.write)));
}

function containerStatusJson(status: ContainerStatus): string {
  let text = withField('', 'container_id', jsonIfSet(status.container_id, ContainerIDCodec.write));
  text = withField(text, 'network_infos', nonEmpty(status.network_infos, networkJson));
  return closed(withField(text, 'cgroup_info', jsonIfSet(status.cgroup_info, CgroupInfoCodec.write)));
}

const statusJson = ({ state, timestamp = 0, labels, container_status, healthy }: TaskStatus): string =>
  `{"state":"${state}","timestamp":${jsonDouble(timestamp)}${more('labels', labels, labelsJson)}` +
  `${more('container_status', container_status, containerStatusJson)}${more('healthy', healthy, jsonBool)}}`;

const limitsJson = (limits: NonNullable<Task['limits']>): string =>
  jsonObject(Object.entries(limits).map(([name, { value }]) => [name, jsonDouble(value)]));

/** Values that successive tasks have in common are escaped once. */
const frameworkIdJson = cachingLast(jsonString);
const agentIdJson = cachingLast(jsonString);
const roleJson = cachingLast(jsonString);

/** Returns `write` with a cache of its last value. */
function cachingLast(write: (text: string) => string): (text: string) => string {
  let last = '';
  let written = write(last);
  return (text) => {
    if (text !== last) {
      written = write(text);
      last = text;
    }
    return written;
  };
}

export function taskJson(task: Task): string {
  const { resources = [], limits = {}, statuses = [] } = task;
  return (
    `{"id":${jsonString(task.task_id.value)},"name":${jsonString(task.name)}` +
    `,"framework_id":${frameworkIdJson(task.framework_id.value)}` +
    `,"executor_id":${jsonString(task.executor_id?.value ?? '')}` +
    `,"slave_id":${agentIdJson(task.agent_id.value)},"state":"${task.state}"` +
    `,"resources":${resourcesJson(resources)}${hasAny(limits) ? `,"limits":${limitsJson(limits)}` : ''}` +
    `${more('role', resources[0]?.allocation_info?.role, roleJson)},"statuses":${jsonArray(statuses, statusJson)}` +
    more('user', task.user, jsonString) +
    more('labels', task.labels, labelsJson) +
    more('discovery', task.discovery, DiscoveryInfoCodec.write) +
    more('container', task.container, ContainerInfoCodec.write) +
    `${more('health_check', task.health_check, HealthCheckCodec.write)}}`
  );
}

const hasAny = (map: object): boolean => Object.keys(map).length > 0;

/** A queued task, which was not sent to its executor yet, as agents show it. */
export const taskInfoJson = (task: TaskInfo): string =>
  jsonObject([
    ['id', jsonString(task.task_id.value)],
    ['name', jsonString(task.name)],
    ['slave_id', jsonString(task.agent_id.value)],
    ['resources', resourcesJson(task.resources ?? [])],
    ['role', jsonIfSet(task.resources?.[0]?.allocation_info?.role, jsonString)],
    ['command', jsonIfSet(task.command, commandJson)],
    ['executor_id', jsonIfSet(task.executor?.executor_id.value, jsonString)],
    ['discovery', jsonIfSet(task.discovery, DiscoveryInfoCodec.write)],
  ]);

const commandJson = (command: CommandInfo): string =>
  jsonObject([
    ['shell', jsonIfSet(command.shell, jsonBool)],
    ['value', jsonIfSet(command.value, jsonString)],
    ['argv', stringsJson(command.arguments ?? [])],
    ['environment', jsonIfSet(withoutSecrets(command.environment), EnvironmentCodec.write)],
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
    ['role', jsonIfSet(info.resources?.[0]?.allocation_info?.role, jsonString)],
    ['labels', jsonIfSet(info.labels, labelsJson)],
    ['type', jsonIfSet(info.type, jsonString)],
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
