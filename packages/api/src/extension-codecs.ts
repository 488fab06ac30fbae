// How the bodies and queries of Meseta's own endpoints (extensions.ts) are written, and how the other side reads them. The
// master, the clients, the SDK and the command line all use these codecs.
import { err, ok, type Result } from '@meseta/base';
import { renderWireError } from '@meseta/wire';
import { FrameworkIDCodec, SchedulerCallKillCodec } from '@meseta/wire/codecs';
import { parseExactJson } from '@meseta/wire/json-parser';
import type { ExplainRequest, Explanation, KillTaskRequest } from './extensions.js';

/** Errors name the field or parameter and what was expected. */
interface ExtensionCodec<T, Encoded> {
  write(value: T): string;
  parse(encoded: Encoded): Result<T, string>;
}

/** The fields are messages of Mesos, so the codecs of those messages read them. */
export const KillTaskRequestCodec: ExtensionCodec<KillTaskRequest, string> = {
  write: (request) => JSON.stringify(request),
  parse(text) {
    const json = parseExactJson(text);
    if (!json.ok || !isObject(json.value)) return err('Body: expected a JSON object');
    const { framework_id, task_id, kill_policy } = json.value;
    if (framework_id === undefined) return err("Field 'framework_id' is required but missing");
    const framework = FrameworkIDCodec.read(framework_id);
    if (!framework.ok) return err(`framework_id: ${renderWireError(framework.error)}`);
    const kill = SchedulerCallKillCodec.read({ task_id, ...(kill_policy === undefined ? {} : { kill_policy }) });
    if (!kill.ok) return err(renderWireError(kill.error));
    const policy = kill.value.kill_policy;
    return ok({
      framework_id: framework.value,
      task_id: kill.value.task_id,
      ...(policy === undefined ? {} : { kill_policy: policy }),
    });
  },
};

/** A query string; a parameter without a value counts as absent. */
export const ExplainRequestCodec: ExtensionCodec<ExplainRequest, URLSearchParams> = {
  write(request) {
    const query = new URLSearchParams();
    for (const [name, value] of Object.entries(request)) if (value !== undefined) query.set(name, value);
    return query.toString();
  },
  parse(query) {
    const parameter = (name: keyof ExplainRequest): string | undefined => query.get(name) || undefined;
    const request = {
      framework_id: parameter('framework_id'),
      agent_id: parameter('agent_id'),
      role: parameter('role'),
      task_id: parameter('task_id'),
    };
    if (request.framework_id !== undefined || request.task_id !== undefined) return ok(request);
    return err("Parameter 'framework_id' or 'task_id': one is required");
  },
};

/** Fields of a later version are ignored. */
export const ExplanationCodec: ExtensionCodec<Explanation, string> = {
  write: (explanation) => JSON.stringify(explanation),
  parse(text) {
    const json = parseExactJson(text, 'trusted');
    if (!json.ok) return err(`expected ${json.error.expected}`);
    const problem = explanationProblem(json.value, '');
    return problem === undefined ? ok(json.value as Explanation) : err(problem);
  },
};

const isObject = (json: unknown): json is Readonly<Record<string, unknown>> =>
  typeof json === 'object' && json !== null && !Array.isArray(json);

/** The problem with a JSON value at a path, if it has one. */
type Check = (json: unknown, path: string) => string | undefined;

const expected = (what: string, path: string): string =>
  path === '' ? `expected ${what}` : `${path}: expected ${what}`;
const text: Check = (json, path) => (typeof json === 'string' ? undefined : expected('a string', path));
const number: Check = (json, path) => (typeof json === 'number' ? undefined : expected('a number', path));
const object: Check = (json, path) => (isObject(json) ? undefined : expected('an object', path));

const optional =
  (check: Check): Check =>
  (json, path) =>
    json === undefined ? undefined : check(json, path);

const listOf =
  (check: Check): Check =>
  (json, path) => {
    if (!Array.isArray(json)) return expected('a list', path);
    return firstProblem(json.entries(), (item, index) => check(item, `${path}[${index}]`));
  };

const mapOf =
  (check: Check): Check =>
  (json, path) =>
    isObject(json)
      ? firstProblem(Object.entries(json), (value, key) => check(value, `${path}.${key}`))
      : object(json, path);

/** One check for each field of `T`. */
const fieldsOf =
  <T>(fields: { readonly [F in keyof Required<T>]: Check }): Check =>
  (json, path) =>
    isObject(json)
      ? firstProblem(Object.entries<Check>(fields), (check, name) =>
          check(json[name], path === '' ? name : `${path}.${name}`),
        )
      : object(json, path);

function firstProblem<Key, Value>(
  entries: Iterable<readonly [Key, Value]>,
  problemOf: (value: Value, key: Key) => string | undefined,
): string | undefined {
  for (const [key, value] of entries) {
    const problem = problemOf(value, key);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

const explanationProblem = fieldsOf<Explanation>({
  answer: text,
  framework: optional(
    fieldsOf<NonNullable<Explanation['framework']>>({
      id: text,
      name: text,
      status: text,
      roles: listOf(text),
      suppressed_roles: listOf(text),
      open_offers: number,
      shares: mapOf(number),
    }),
  ),
  task: optional(
    fieldsOf<NonNullable<Explanation['task']>>({ id: text, state: text, agent_id: text, hostname: optional(text) }),
  ),
  reasons: listOf(
    fieldsOf<Explanation['reasons'][number]>({
      kind: text,
      text,
      role: optional(text),
      agent_id: optional(text),
      hostname: optional(text),
      agents: optional(number),
      until: optional(number),
      figures: optional(object),
    }),
  ),
});
