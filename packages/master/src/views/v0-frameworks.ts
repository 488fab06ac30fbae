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
import type { Task } from '@meseta/wire';
import { SchedulerOfferConstraintsCodec } from '@meseta/wire/codecs';
import { type JsonFields, jsonBool, jsonDouble, jsonIfSet, jsonObject, jsonString } from '@meseta/wire/json';
import type { Approver } from './approver.js';
import { type Pieces, separated } from './pieces.js';
import { createLists, type Document, jsonElements, type Lists, type Remembered } from './runs.js';
import { createSlicedSort } from './sliced-sort.js';
import { type FrameworkView, type Share, type ShareOf, type Snapshot, seen, seenTasks, sharesOf } from './snapshot.js';

/** The fields that every document shows of a framework. */
export function summaryFields(view: FrameworkView, { used, offered }: Share): JsonFields {
  const { info, id, driverPid, status } = view.framework;
  const ended = view.unregisteredAtMs !== undefined;
  return [
    ['id', jsonString(id)],
    ['name', jsonString(info.name)],
    ['pid', jsonIfSet(driverPid, jsonString)],
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

/** The whole framework; its tasks and offers are separate pieces. */
function* frameworkPieces(view: FrameworkView, share: Share, approver: Approver, lists: Lists): Pieces {
  const { framework } = view;
  const { info, registeredAtMs, reregisteredAtMs } = framework;
  const head = jsonObject([
    ...summaryFields(view, share),
    ['user', jsonString(info.user)],
    ['failover_timeout', jsonDouble(info.failover_timeout ?? 0)],
    ['checkpoint', jsonBool(info.checkpoint ?? false)],
    ['registered_time', secondsJson(registeredAtMs ?? 0)],
    ['unregistered_time', secondsJson(view.unregisteredAtMs ?? 0)],
    ['principal', jsonIfSet(info.principal, jsonString)],
    ['resources', resourcesJson([...share.used, ...share.offered])],
    ['reregistered_time', jsonIfSet(reregisteredAtMs, secondsJson)],
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
  yield '],"executors":[';
  const executors = yield* seen(view.executors, (executor) => approver.executor(executor.info, framework));
  yield* jsonElements(lists, 'executors', executors, ({ info, agentId }) => executorJson(info, agentId.value));
  const tail = jsonObject([
    ['labels', jsonIfSet(info.labels, labelsJson)],
    ['offer_constraints', SchedulerOfferConstraintsCodec.write(framework.offerConstraints?.source ?? {})],
  ]);
  yield `],${tail.slice(1)}`;
}

/** `"frameworks":[...],"completed_frameworks":[...]`. */
export function* frameworkLists(snapshot: Snapshot, approver: Approver, lists: Lists, id?: string): Pieces {
  const wanted = ({ framework }: FrameworkView): boolean =>
    (id === undefined || framework.id === id) && approver.framework(framework);
  const live = snapshot.frameworks.filter(wanted);
  const shareOf = yield* sharesOf(live);
  yield '"frameworks":[';
  yield* frameworkList(live, shareOf, approver, lists);
  yield '],"completed_frameworks":[';
  yield* frameworkList(snapshot.completedFrameworks.filter(wanted), shareOf, approver, lists);
  yield ']';
}

function* frameworkList(views: readonly FrameworkView[], shareOf: ShareOf, approver: Approver, lists: Lists): Pieces {
  for (const [i, view] of views.entries()) {
    if (i > 0) yield ',';
    yield* frameworkPieces(view, shareOf(view), approver, lists);
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
  /** By the time of the first status; tasks without a status come first. */
  readonly order: 'asc' | 'des';
  readonly frameworkId: string | undefined;
  readonly taskId: string | undefined;
}

/** The number of tasks if the request gives none, as in Mesos. */
const defaultLimit = 100;

/** The parameters of /tasks. As in Mesos, a value that is no number is ignored, and a limit below 0 means no limit. */
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
  const sign = query.order === 'asc' ? 1 : -1;
  const tasks = createSlicedSort<Task>((a, b) => {
    const [first, second] = [begunAt(a), begunAt(b)];
    return first === second ? 0 : first < second ? -sign : sign;
  }, query.offset + query.limit);
  for (const view of [...snapshot.frameworks, ...snapshot.completedFrameworks]) {
    const { framework } = view;
    if (query.frameworkId !== undefined && framework.id !== query.frameworkId) continue;
    if (!approver.framework(framework)) continue;
    for (const list of [view.tasks, view.unreachableTasks, view.completedTasks]) {
      for (const task of yield* seenTasks(list, view, approver)) {
        if (query.taskId !== undefined && task.task_id.value !== query.taskId) continue;
        for (const _ of tasks.add(task)) yield '';
      }
      yield '';
    }
  }
  for (const _ of tasks.end()) yield '';
  yield '{"tasks":[';
  yield* separated(tasks.sorted().slice(query.offset), taskJson);
  yield ']}';
}
