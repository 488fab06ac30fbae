// Responses to v1 calls as JSON in pieces: what the codec writes, but lists of tasks, executors and frameworks element by
// element, as they may exceed the longest string.
import type {
  AgentResponse,
  AgentResponseGetExecutors,
  AgentResponseGetFrameworks,
  AgentResponseGetTasks,
  Task,
} from '@meseta/wire';
import {
  AgentResponseCodec,
  AgentResponseGetExecutorsExecutorCodec,
  AgentResponseGetFrameworksFrameworkCodec,
  TaskCodec,
} from '@meseta/wire/codecs';
import { jsonString } from '@meseta/wire/json';
import { listPieces, type Pieces, withLists } from './pieces.js';

type Fields = readonly (readonly [name: string, value: Pieces])[];

/** A message all of whose fields are lists of the elements that `write` takes. */
const listsOf = <T>(
  message: { readonly [name: string]: readonly T[] | undefined },
  write: (item: T) => string,
): Pieces =>
  withLists(
    '{}',
    Object.entries(message).map(([name, items]) => [name, listPieces(items ?? [], (item) => [write(item)])]),
  );

const tasksOf = (message: AgentResponseGetTasks): Pieces => listsOf<Task>({ ...message }, TaskCodec.write);
const executorsOf = (message: AgentResponseGetExecutors): Pieces =>
  listsOf({ ...message }, AgentResponseGetExecutorsExecutorCodec.write);
const frameworksOf = (message: AgentResponseGetFrameworks): Pieces =>
  listsOf({ ...message }, AgentResponseGetFrameworksFrameworkCodec.write);

/** The field of a response that may be long, with its pieces. */
function longFieldOf({ get_tasks, get_executors, get_frameworks, get_state }: AgentResponse): Fields | undefined {
  if (get_tasks !== undefined) return [['get_tasks', tasksOf(get_tasks)]];
  if (get_executors !== undefined) return [['get_executors', executorsOf(get_executors)]];
  if (get_frameworks !== undefined) return [['get_frameworks', frameworksOf(get_frameworks)]];
  if (get_state === undefined) return undefined;
  const { get_tasks: tasks, get_executors: executors, get_frameworks: frameworks } = get_state;
  const fields: Fields = [
    ...(tasks === undefined ? [] : [['get_tasks', tasksOf(tasks)] as const]),
    ...(executors === undefined ? [] : [['get_executors', executorsOf(executors)] as const]),
    ...(frameworks === undefined ? [] : [['get_frameworks', frameworksOf(frameworks)] as const]),
  ];
  return [['get_state', withLists('{}', fields)]];
}

export function responsePieces(response: AgentResponse): Pieces {
  const fields = longFieldOf(response);
  if (fields === undefined || response.type === undefined) return [AgentResponseCodec.write(response)];
  return withLists(`{"type":${jsonString(response.type)}}`, fields);
}
