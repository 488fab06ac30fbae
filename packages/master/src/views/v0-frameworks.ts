// A framework in the v0 documents, /frameworks and /tasks.

import {
  executorJson,
  labelsJson,
  offerJson,
  resourcesJson,
  secondsJson,
  stringsJson,
  taskJson,
} from '@meseta/resources/v0-json';
import type { Resource, Task } from '@meseta/wire';
import { SchedulerOfferConstraintsCodec } from '@meseta/wire/codecs';
import { type JsonFields, jsonArray, jsonBool, jsonDouble, jsonObject, jsonString, present } from '@meseta/wire/json';
import { type Pieces, separated } from './pieces.js';
import { createLists, type Document, jsonElements, type Lists, type Remembered } from './runs.js';
import {
  type Approver,
  type FrameworkView,
  offeredTo,
  type Snapshot,
  seenTasks,
  type UsedBy,
  usedByEach,
} from './snapshot.js';

/** What every document shows of a framework. */
export function summaryFields(
  view: FrameworkView,
  used: readonly Resource[],
  offered: readonly Resource[],
): JsonFields {
  const { info, id, connection, status } = view.framework;
  const ended = view.unregisteredAtMs !== undefined;
  return [
    ['id', jsonString(id)],
    ['name', jsonString(info.name)],
    ['pid', connection?.kind === 'pid' ? jsonString(connection.pid) : undefined],
    ['used_resources', resourcesJson(used)],
    ['offered_resources', resourcesJson(offered)],
    ['capabilities', stringsJson([...view.framework.capabilities])],
    ['hostname', jsonString(info.hostname ?? '')],
    ['webui_url', jsonString(info.webui_url ?? '')],
    ['active', jsonBool(!ended && status === 'active')],
    ['connected', jsonBool(!ended && (status === 'active' || status === 'inactive'))],
    ['recovered', jsonBool(!ended && status === 'recovered')],
  ];
}

/** The whole framework, its tasks and offers in pieces of their own. */
function* frameworkPieces(view: FrameworkView, used: readonly Resource[], approver: Approver, lists: Lists): Pieces {
  const { framework } = view;
  const { info, registeredAtMs, reregisteredAtMs } = framework;
  const again = reregisteredAtMs === registeredAtMs ? undefined : reregisteredAtMs;
  const offered = offeredTo(view);
  const head = jsonObject([
    ...summaryFields(view, used, offered),
    ['user', jsonString(info.user)],
    ['failover_timeout', jsonDouble(info.failover_timeout ?? 0)],
    ['checkpoint', jsonBool(info.checkpoint ?? false)],
    ['registered_time', secondsJson(registeredAtMs ?? 0)],
    ['unregistered_time', secondsJson(view.unregisteredAtMs ?? 0)],
    ['principal', present(info.principal, jsonString)],
    ['resources', resourcesJson([...used, ...offered])],
    ['reregistered_time', present(again, secondsJson)],
    framework.capabilities.has('MULTI_ROLE')
      ? ['roles', stringsJson(info.roles ?? [])]
      : ['role', jsonString(info.role ?? '*')],
  ]);
  yield head.slice(0, -1);
  for (const [name, tasks] of [
    ['tasks', view.tasks],
    ['unreachable_tasks', view.unreachableTasks],
    ['completed_tasks', view.completedTasks],
  ] as const) {
    yield `,"${name}":[`;
    yield* jsonElements(lists, name, yield* seenTasks(tasks, view, approver), taskJson);
    yield ']';
  }
  yield ',"offers":[';
  yield* jsonElements(lists, 'offers', view.offers, offerJson);
  const executors = view.executors.filter((executor) => approver.executor(executor.info, framework));
  const tail = jsonObject([
    ['executors', jsonArray(executors, (executor) => executorJson(executor.info, executor.agentId.value))],
    ['labels', present(info.labels, labelsJson)],
    ['offer_constraints', SchedulerOfferConstraintsCodec.write(framework.offerConstraints?.source ?? {})],
  ]);
  yield `],${tail.slice(1)}`;
}

/** `"frameworks":[...],"completed_frameworks":[...]`, as several documents have it. */
export function* frameworkLists(snapshot: Snapshot, approver: Approver, lists: Lists, id?: string): Pieces {
  const wanted = ({ framework }: FrameworkView): boolean =>
    (id === undefined || framework.id === id) && approver.framework(framework);
  const live = snapshot.frameworks.filter(wanted);
  const used = yield* usedByEach(live);
  yield '"frameworks":[';
  yield* frameworkList(live, used, approver, lists);
  yield '],"completed_frameworks":[';
  yield* frameworkList(snapshot.completedFrameworks.filter(wanted), used, approver, lists);
  yield ']';
}

function* frameworkList(views: readonly FrameworkView[], used: UsedBy, approver: Approver, lists: Lists): Pieces {
  for (const [i, view] of views.entries()) {
    if (i > 0) yield ',';
    yield* frameworkPieces(view, used(view), approver, lists);
  }
}

/** /frameworks; `id` limits it to one. */
export function* frameworksDocument(
  snapshot: Snapshot,
  approver: Approver,
  id: string | undefined,
  earlier: Remembered | undefined,
): Document {
  const lists = createLists(earlier?.lists);
  yield '{';
  yield* frameworkLists(snapshot, approver, lists, id);
  yield ',"unregistered_frameworks":[]}';
  return { lists: lists.written, agents: [] };
}

export interface TaskQuery {
  readonly limit: number;
  readonly offset: number;
  /** By the time of the first status; those that have none are the oldest. */
  readonly order: 'asc' | 'des';
  readonly frameworkId: string | undefined;
  readonly taskId: string | undefined;
}

/** Mesos' number of tasks where none is asked for. */
const defaultLimit = 100;

/** Of /tasks' parameters; what isn't a number counts as not given, and a limit below 0 is none, as in Mesos. */
export function taskQueryOf(parameters: URLSearchParams): TaskQuery {
  const number = (name: string, otherwise: number): number => {
    const text = parameters.get(name);
    return text !== null && /^-?\d+$/.test(text) ? Number(text) : otherwise;
  };
  const limit = number('limit', defaultLimit);
  return {
    limit: limit < 0 ? Number.MAX_SAFE_INTEGER : limit,
    offset: Math.max(0, number('offset', 0)),
    order: parameters.get('order') === 'asc' ? 'asc' : 'des',
    frameworkId: parameters.get('framework_id') ?? undefined,
    taskId: parameters.get('task_id') ?? undefined,
  };
}

const begunAt = (task: Task): number => task.statuses?.[0]?.timestamp ?? Number.NEGATIVE_INFINITY;

export function* tasksDocument(snapshot: Snapshot, approver: Approver, query: TaskQuery): Pieces {
  const tasks: Task[] = [];
  for (const view of [...snapshot.frameworks, ...snapshot.completedFrameworks]) {
    const { framework } = view;
    if (query.frameworkId !== undefined && framework.id !== query.frameworkId) continue;
    if (!approver.framework(framework)) continue;
    for (const task of [...view.tasks, ...view.unreachableTasks, ...view.completedTasks]) {
      if (query.taskId !== undefined && task.task_id.value !== query.taskId) continue;
      if (approver.task(task, framework)) tasks.push(task);
    }
    yield '';
  }
  const sign = query.order === 'asc' ? 1 : -1;
  tasks.sort((a, b) => (begunAt(a) === begunAt(b) ? 0 : begunAt(a) < begunAt(b) ? -sign : sign));
  yield '{"tasks":[';
  yield* separated(tasks.slice(query.offset, query.offset + query.limit), taskJson);
  yield ']}';
}
