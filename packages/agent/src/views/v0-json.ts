// Pieces of the agent's v0 documents: a record each, as JSON text with Mesos' v0 names (docs/endpoints/slave).
import { summarize } from '@meseta/resources';
import type {
  ContainerStatus,
  Labels,
  NetworkInfo,
  Resource,
  ResourceStatistics,
  Task,
  TaskStatus,
} from '@meseta/wire';
import {
  CgroupInfoCodec,
  ContainerIDCodec,
  ContainerInfoCodec,
  DiscoveryInfoCodec,
  HealthCheckCodec,
  LabelCodec,
  NetworkInfoIPAddressCodec,
  NetworkInfoPortMappingCodec,
  ResourceStatisticsCodec,
} from '@meseta/wire/codecs';
import { jsonArray, jsonBool, jsonDouble, jsonString } from '@meseta/wire/json';

/** An object of the fields that are there: `undefined` leaves one out. */
export function jsonObject(fields: readonly (readonly [name: string, json: string | undefined])[]): string {
  const present = fields.filter(([, json]) => json !== undefined);
  return `{${present.map(([name, json]) => `${jsonString(name)}:${json}`).join(',')}}`;
}

/** The value written, or undefined where there is none. */
export const written = <T>(value: T | undefined, write: (value: T) => string): string | undefined =>
  value === undefined ? undefined : write(value);

const nonEmpty = <T>(list: readonly T[] | undefined, write: (item: T) => string): string | undefined =>
  list === undefined || list.length === 0 ? undefined : jsonArray(list, write);

/** Values by name: numbers as doubles. */
export const valuesJson = (values: Readonly<Record<string, number | string>>): string =>
  jsonObject(
    Object.entries(values).map(([name, value]) => [
      name,
      typeof value === 'number' ? jsonDouble(value) : jsonString(value),
    ]),
  );

export const resourcesJson = (list: readonly Resource[]): string => valuesJson(summarize(list));

export const labelsJson = ({ labels }: Labels): string => jsonArray(labels ?? [], LabelCodec.write);

const networkJson = (info: NetworkInfo): string =>
  jsonObject([
    ['groups', nonEmpty(info.groups, jsonString)],
    ['labels', written(info.labels, labelsJson)],
    ['ip_addresses', nonEmpty(info.ip_addresses, NetworkInfoIPAddressCodec.write)],
    ['name', written(info.name, jsonString)],
    ['port_mappings', nonEmpty(info.port_mappings, NetworkInfoPortMappingCodec.write)],
  ]);

const containerStatusJson = (status: ContainerStatus): string =>
  jsonObject([
    ['container_id', written(status.container_id, ContainerIDCodec.write)],
    ['network_infos', nonEmpty(status.network_infos, networkJson)],
    ['cgroup_info', written(status.cgroup_info, CgroupInfoCodec.write)],
  ]);

const statusJson = (status: TaskStatus): string =>
  jsonObject([
    ['state', jsonString(status.state)],
    ['timestamp', jsonDouble(status.timestamp ?? 0)],
    ['labels', written(status.labels, labelsJson)],
    ['container_status', written(status.container_status, containerStatusJson)],
    ['healthy', written(status.healthy, jsonBool)],
  ]);

export const taskJson = (task: Task): string =>
  jsonObject([
    ['id', jsonString(task.task_id.value)],
    ['name', jsonString(task.name)],
    ['framework_id', jsonString(task.framework_id.value)],
    ['executor_id', jsonString(task.executor_id?.value ?? '')],
    ['slave_id', jsonString(task.agent_id.value)],
    ['state', jsonString(task.state)],
    ['resources', resourcesJson(task.resources ?? [])],
    [
      'limits',
      written(task.limits, (limits) => jsonObject(Object.entries(limits).map(([k, v]) => [k, jsonDouble(v.value)]))),
    ],
    ['role', written(task.resources?.[0]?.allocation_info?.role, jsonString)],
    ['statuses', jsonArray(task.statuses ?? [], statusJson)],
    ['user', written(task.user, jsonString)],
    ['labels', written(task.labels, labelsJson)],
    ['discovery', written(task.discovery, DiscoveryInfoCodec.write)],
    ['container', written(task.container, ContainerInfoCodec.write)],
    ['health_check', written(task.health_check, HealthCheckCodec.write)],
  ]);

export const statisticsJson = (statistics: ResourceStatistics): string => ResourceStatisticsCodec.write(statistics);
