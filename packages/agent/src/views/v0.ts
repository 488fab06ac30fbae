// The agent's v0 documents: /state, /containers, /monitor/statistics (Mesos: docs/endpoints/slave).
import type { ContainerId } from '@meseta/base';
import { reservationsByRole, toEndpointFormat, unallocate, unreserved } from '@meseta/resources';
import {
  attributesJson,
  buildFields,
  domainJson,
  labelsJson,
  resourcesJson,
  secondsJson,
  taskInfoJson,
  taskJson,
} from '@meseta/resources/v0-json';
import type { ContainerStatus, Resource, ResourceStatistics, VersionInfo } from '@meseta/wire';
import { ContainerStatusCodec, DrainConfigCodec, ResourceCodec, ResourceStatisticsCodec } from '@meseta/wire/codecs';
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
import { allocatedOf, resourcesOf } from '../core/allocated.js';
import { CAPABILITIES } from '../core/registration.js';
import type { AgentState, FrameworkRecord } from '../core/state.js';
import type { Approver } from './approver.js';
import { listPieces, type Pieces, withLists } from './pieces.js';
import { executorsOf, type Phase, phaseOf, type ShownExecutor } from './shown-executors.js';

/** What the shell knows of the process beside the core's state. */
export interface ProcessFacts {
  readonly version: VersionInfo;
  readonly flags: ReadonlyMap<string, string>;
  readonly masterHostname: string | undefined;
}

function* executorPieces(shown: ShownExecutor, approver: Approver): Pieces {
  const { executor, framework } = shown;
  const tasks = shown.tasks.filter(({ task }) => approver.task(task, framework.info));
  const { info } = executor;
  const inPhase = (...phases: readonly Phase[]) => tasks.filter((record) => phases.includes(phaseOf(shown, record)));
  const ended = [...inPhase('completed'), ...inPhase('terminated')];
  const head = jsonObject([
    ['id', jsonString(info.executor_id.value)],
    ['name', jsonString(info.name ?? '')],
    ['source', jsonString(info.source ?? '')],
    ['container', jsonString(executor.containerId)],
    ['directory', jsonString(executor.sandbox)],
    ['resources', resourcesJson(resourcesOf(shown))],
    ['role', jsonIfSet(info.resources?.[0]?.allocation_info?.role, jsonString)],
    ['labels', jsonIfSet(info.labels, labelsJson)],
    ['type', jsonIfSet(info.type, jsonString)],
  ]);
  yield* withLists(head, [
    ['tasks', listPieces(inPhase('launched'), ({ task }) => [taskJson(task)])],
    ['queued_tasks', listPieces(inPhase('queued'), ({ info }) => [taskInfoJson(info)])],
    ['completed_tasks', listPieces(ended, ({ task }) => [taskJson(task)])],
  ]);
}

function* frameworkPieces(framework: FrameworkRecord, approver: Approver): Pieces {
  const { info } = framework;
  const executors = [...executorsOf(framework)].filter(({ executor }) => approver.executor(executor.info, info));
  const multiRole = info.capabilities?.some(({ type }) => type === 'MULTI_ROLE') === true;
  const list = (completed: boolean): Pieces =>
    listPieces(
      executors.filter((it) => it.completed === completed),
      (shown) => executorPieces(shown, approver),
    );
  const head = jsonObject([
    ['id', jsonString(framework.id)],
    ['name', jsonString(info.name)],
    ['user', jsonString(info.user)],
    ['failover_timeout', jsonDouble(info.failover_timeout ?? 0)],
    ['checkpoint', jsonBool(info.checkpoint ?? false)],
    ['hostname', jsonString(info.hostname ?? '')],
    ['principal', jsonIfSet(info.principal, jsonString)],
    ['roles', multiRole ? jsonArray(info.roles ?? [], jsonString) : undefined],
    ['role', multiRole ? undefined : jsonString(info.role ?? '*')],
  ]);
  yield* withLists(head, [
    ['executors', list(false)],
    ['completed_executors', list(true)],
  ]);
}

const frameworksPieces = (frameworks: readonly FrameworkRecord[], approver: Approver): Pieces =>
  listPieces(
    frameworks.filter(({ info }) => approver.framework(info)),
    (framework) => frameworkPieces(framework, approver),
  );

const fullJson = (list: readonly Resource[]): string => jsonArray(toEndpointFormat(list), ResourceCodec.write);

const byRole = (list: readonly Resource[], approver: Approver, write: (list: readonly Resource[]) => string): string =>
  jsonObject(
    [...reservationsByRole(list)]
      .filter(([role]) => approver.role(role))
      .map(([role, resources]) => [role, write(resources)]),
  );

function resourceFields(state: AgentState, approver: Approver): JsonFields {
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

/** The document of /state. It is written in pieces, as the tasks of frameworks may exceed the longest string. */
export function* statePieces(state: AgentState, facts: ProcessFacts, approver: Approver): Pieces {
  const { info, drain } = state;
  const { version } = facts;
  const shown = (name: string) => (approver.flags ? jsonIfSet(facts.flags.get(name), jsonString) : undefined);
  const head = jsonObject([
    ...buildFields(version),
    ['start_time', secondsJson(state.startedWallMs)],
    ['id', jsonString(info.id?.value ?? '')],
    ['pid', jsonString(state.options.pid)],
    ['hostname', jsonString(info.hostname)],
    ['capabilities', jsonArray(CAPABILITIES, ({ type }) => jsonString(type ?? ''))],
    ['domain', jsonIfSet(info.domain, domainJson)],
    ['drain_config', drain && DrainConfigCodec.write(drain.config)],
    ['estimated_drain_start_time_seconds', drain && jsonNumber(Math.trunc(drain.sinceWallMs / 1000))],
    ...resourceFields(state, approver),
    ['resource_providers', '[]'],
    ['attributes', attributesJson(info.attributes ?? [])],
    ['master_hostname', jsonIfSet(facts.masterHostname, jsonString)],
    ['log_dir', shown('log_dir')],
    ['external_log_file', shown('external_log_file')],
    ['flags', approver.flags ? flagsJson(facts.flags) : undefined],
  ]);
  yield* withLists(head, [
    ['frameworks', frameworksPieces([...state.frameworks.values()], approver)],
    ['completed_frameworks', frameworksPieces(state.completedFrameworks, approver)],
  ]);
}

export const flagsJson = (flags: ReadonlyMap<string, string>): string =>
  jsonObject([...flags].map(([name, value]) => [name, jsonString(value)]));

/** An executor's container with its measured usage. */
export interface MeasuredContainer extends ShownExecutor {
  readonly statistics: ResourceStatistics | undefined;
  readonly status: ContainerStatus;
  /** The containers of a pod's tasks. */
  readonly podTasks: readonly MeasuredPodTask[];
}

export interface MeasuredPodTask {
  readonly containerId: ContainerId;
  readonly statistics: ResourceStatistics | undefined;
  readonly status: ContainerStatus;
}

const measuredFields = ({ executor, statistics }: MeasuredContainer) =>
  [
    ['framework_id', jsonString(executor.frameworkId)],
    ['executor_id', jsonString(executor.info.executor_id.value)],
    ['executor_name', jsonString(executor.info.name ?? '')],
    ['source', jsonString(executor.info.source ?? '')],
    ['statistics', jsonIfSet(statistics, ResourceStatisticsCodec.write)],
  ] as const;

export const containersJson = (containers: readonly MeasuredContainer[]): string =>
  jsonArray(containers, (container) =>
    jsonObject([
      ...measuredFields(container),
      ['container_id', jsonString(container.executor.containerId)],
      ['status', ContainerStatusCodec.write(container.status)],
    ]),
  );

/** Containers that could not be measured are left out. */
export const statisticsListJson = (containers: readonly MeasuredContainer[]): string =>
  jsonArray(
    containers.filter(({ statistics }) => statistics !== undefined),
    (container) => jsonObject(measuredFields(container)),
  );
