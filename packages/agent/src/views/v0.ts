// The agent's v0 documents: /state, /containers, /monitor/statistics (Mesos: docs/endpoints/slave).
import { reservationsByRole, summarizeAttributes, toEndpointFormat, unallocate, unreserved } from '@meseta/resources';
import type { ContainerStatus, Resource, ResourceStatistics, VersionInfo } from '@meseta/wire';
import { ContainerStatusCodec, DrainConfigCodec, ResourceCodec } from '@meseta/wire/codecs';
import { jsonArray, jsonBool, jsonDouble, jsonString } from '@meseta/wire/json';
import { CAPABILITIES } from '../core/registration.js';
import type { AgentState, FrameworkRecord } from '../core/state.js';
import type { Approver } from './approver.js';
import { allocatedOf, executorsOf, phaseOf, resourcesOf, type ShownExecutor } from './holdings.js';
import { jsonObject, labelsJson, resourcesJson, statisticsJson, taskJson, valuesJson, written } from './v0-json.js';

/** What the process knows and the core doesn't. */
export interface ProcessFacts {
  readonly version: VersionInfo;
  readonly flags: ReadonlyMap<string, string>;
  readonly masterHostname: string | undefined;
}

function executorJson(shown: ShownExecutor, approver: Approver): string {
  const { executor, framework } = shown;
  const tasks = shown.tasks.filter(({ task }) => approver.task(task, framework.info));
  const { info } = executor;
  const inPhase = (...phases: readonly string[]): string =>
    jsonArray(
      tasks.filter((record) => phases.includes(phaseOf(shown, record))),
      ({ task }) => taskJson(task),
    );
  return jsonObject([
    ['id', jsonString(info.executor_id.value)],
    ['name', jsonString(info.name ?? '')],
    ['source', jsonString(info.source ?? '')],
    ['container', jsonString(executor.containerId)],
    ['directory', jsonString(executor.sandbox)],
    ['resources', resourcesJson(resourcesOf(shown))],
    ['role', written(info.resources?.[0]?.allocation_info?.role, jsonString)],
    ['labels', written(info.labels, labelsJson)],
    ['type', written(info.type, jsonString)],
    ['tasks', inPhase('launched')],
    ['queued_tasks', inPhase('queued')],
    ['completed_tasks', inPhase('terminated', 'completed')],
  ]);
}

function frameworkJson(framework: FrameworkRecord, approver: Approver): string {
  const { info } = framework;
  const executors = [...executorsOf(framework)].filter(({ executor }) => approver.executor(executor.info, info));
  const multiRole = info.capabilities?.some(({ type }) => type === 'MULTI_ROLE') === true;
  const list = (completed: boolean): string =>
    jsonArray(
      executors.filter((it) => it.completed === completed),
      (shown) => executorJson(shown, approver),
    );
  return jsonObject([
    ['id', jsonString(framework.id)],
    ['name', jsonString(info.name)],
    ['user', jsonString(info.user)],
    ['failover_timeout', jsonDouble(info.failover_timeout ?? 0)],
    ['checkpoint', jsonBool(info.checkpoint ?? false)],
    ['role', multiRole ? undefined : jsonString(info.role ?? '*')],
    ['roles', multiRole ? jsonArray(info.roles ?? [], jsonString) : undefined],
    ['hostname', jsonString(info.hostname ?? '')],
    ['principal', written(info.principal, jsonString)],
    ['webui_url', written(info.webui_url, jsonString)],
    ['executors', list(false)],
    ['completed_executors', list(true)],
  ]);
}

const frameworksJson = (frameworks: readonly FrameworkRecord[], approver: Approver): string =>
  jsonArray(
    frameworks.filter(({ info }) => approver.framework(info)),
    (framework) => frameworkJson(framework, approver),
  );

const fullJson = (list: readonly Resource[]): string => jsonArray(toEndpointFormat(list), ResourceCodec.write);

const byRole = (list: readonly Resource[], approver: Approver, write: (list: readonly Resource[]) => string): string =>
  jsonObject(
    [...reservationsByRole(list)]
      .filter(([role]) => approver.role(role))
      .map(([role, resources]) => [role, write(resources)]),
  );

function resourceFields(state: AgentState, approver: Approver): readonly (readonly [string, string | undefined])[] {
  const { total } = state;
  const allocated = unallocate(allocatedOf(state));
  return [
    ['resources', resourcesJson(total)],
    ['reserved_resources', byRole(total, approver, resourcesJson)],
    ['unreserved_resources', resourcesJson(unreserved(total))],
    ['reserved_resources_full', byRole(total, approver, fullJson)],
    ['unreserved_resources_full', fullJson(unreserved(total))],
    ['reserved_resources_allocated', byRole(allocated, approver, resourcesJson)],
    ['unreserved_resources_allocated', resourcesJson(unreserved(allocated))],
  ];
}

export function stateJson(state: AgentState, facts: ProcessFacts, approver: Approver): string {
  const { info, drain } = state;
  const { version } = facts;
  return jsonObject([
    ['version', jsonString(version.version)],
    ['build_date', jsonString(version.build_date ?? '')],
    ['build_time', jsonDouble(version.build_time ?? 0)],
    ['build_user', jsonString(version.build_user ?? '')],
    ['start_time', jsonDouble(state.startedWallMs / 1000)],
    ['id', jsonString(info.id?.value ?? '')],
    ['pid', jsonString(state.config.pid)],
    ['hostname', jsonString(info.hostname)],
    ['capabilities', jsonArray(CAPABILITIES, ({ type }) => jsonString(type ?? ''))],
    ...resourceFields(state, approver),
    ['attributes', valuesJson(summarizeAttributes(info.attributes ?? []))],
    ['master_hostname', written(facts.masterHostname, jsonString)],
    ['drain_config', drain && DrainConfigCodec.write(drain.config)],
    ['estimated_drain_start_time_seconds', drain && jsonDouble(drain.sinceWallMs / 1000)],
    ['flags', approver.flags ? flagsJson(facts.flags) : undefined],
    ['frameworks', frameworksJson([...state.frameworks.values()], approver)],
    ['completed_frameworks', frameworksJson(state.completedFrameworks, approver)],
    ['resource_providers', '[]'],
  ]);
}

export const flagsJson = (flags: ReadonlyMap<string, string>): string =>
  jsonObject([...flags].map(([name, value]) => [name, jsonString(value)]));

/** A container with what it uses, as it was measured. */
export interface MeasuredContainer extends ShownExecutor {
  readonly statistics: ResourceStatistics | undefined;
  readonly status: ContainerStatus;
}

const measuredFields = ({ executor, statistics }: MeasuredContainer) =>
  [
    ['framework_id', jsonString(executor.frameworkId)],
    ['executor_id', jsonString(executor.info.executor_id.value)],
    ['executor_name', jsonString(executor.info.name ?? '')],
    ['source', jsonString(executor.info.source ?? '')],
    ['statistics', written(statistics, statisticsJson)],
  ] as const;

export const containersJson = (containers: readonly MeasuredContainer[]): string =>
  jsonArray(containers, (container) =>
    jsonObject([
      ...measuredFields(container),
      ['container_id', jsonString(container.executor.containerId)],
      ['status', ContainerStatusCodec.write(container.status)],
    ]),
  );

export const statisticsListJson = (containers: readonly MeasuredContainer[]): string =>
  jsonArray(containers, (container) => jsonObject(measuredFields(container)));
