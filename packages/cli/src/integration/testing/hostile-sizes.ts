// Requests at the size limits for every entry of a daemon: calls of schedulers, executors, operators, messages between
// processes, and v0 endpoints.
import { agentEndpoints, type EndpointDefinition, masterEndpoints } from '@meseta/api';
import { below, LIMITS, type Random } from '@meseta/base';
import { encodePlain } from '@meseta/wire/testing/hostile-bytes';
import { writeJson } from '@meseta/wire/testing/hostile-values';
import { createOversized } from '@meseta/wire/testing/oversized';
import type { Plain, SchemaPlaces } from '@meseta/wire/testing/schema-places';
import type { RawRequest } from './pipeline.js';
import type { Witness } from './witness.js';

export interface SizedRequest extends RawRequest {
  readonly daemon: 'master' | 'agent';
  /** For people. */
  readonly what: string;
}

/** The ids of existing objects, so that calls are accepted. */
export type Names = Pick<Witness, 'frameworkId' | 'streamId' | 'agentId' | 'offerId'>;

const pick = <T>(random: Random, list: readonly T[]): T => list[below(random, list.length)] as T;
const id = (value: string) => ({ value });

/** Orders to end or to stop, which are carried out: nothing is held up or filled by them. */
const ORDERS_TO_END = /Shutdown(?:Message|ExecutorMessage)|(?:DRAIN|DEACTIVATE|MARK)_AGENT|UnregisterAgent|^TEARDOWN$/;
/** Between processes, by the names of the schema. */
const MESSAGES = /^mesos\.internal\.\w+Message$/;
const libprocess = { 'Libprocess-From': 'slave(1)@127.0.0.1:1', 'User-Agent': 'libprocess/slave(1)@127.0.0.1:1' };
const JSON_TYPE = 'application/json';
const PROTOBUF_TYPE = 'application/x-protobuf';

interface Drawing {
  readonly places: SchemaPlaces;
  readonly random: Random;
  readonly names: Names;
  readonly oversized: ReturnType<typeof createOversized>;
}

type Daemon = SizedRequest['daemon'];
type Headers = Readonly<Record<string, string>>;

/** The part of a call that its type is about, with ids of what is there. */
function bodyOf({ places, names }: Drawing, message: string, field: string): Plain | undefined {
  const type = places.message(message).fields.find(({ name }) => name === field)?.type;
  if (type === undefined) return undefined;
  const has = (name: string): boolean => places.message(type).fields.some((one) => one.name === name);
  const offerId = names.offerId();
  return {
    ...places.minimal(type),
    ...(has('agent_id') && { agent_id: id(names.agentId) }),
    ...(has('filters') && { filters: { refuse_seconds: 0 } }),
    ...(has('offer_ids') && offerId !== undefined && { offer_ids: [offerId] }),
  };
}

function call(drawing: Drawing, daemon: Daemon, target: string, message: string, headers: Headers = {}): SizedRequest {
  const { places, random, names, oversized } = drawing;
  const type = pick(
    random,
    places.valuesOf(`${message}Type`).filter((one) => !ORDERS_TO_END.test(one)),
  );
  const field = type.toLowerCase();
  const body = bodyOf(drawing, message, field);
  const start: Plain = {
    ...places.minimal(message),
    // A new framework or one that is there; an executor that is not.
    ...(message === 'SchedulerCall' && type !== 'SUBSCRIBE' && { framework_id: id(names.frameworkId) }),
    type,
    ...(body !== undefined && { [field]: body }),
  };
  const { what, plain } = oversized(message, start, body === undefined ? [] : [`${field}.`]);
  const asJson = below(random, 2) === 0;
  return {
    daemon,
    what: `${message} ${type} as ${asJson ? 'JSON' : 'protobuf'}: ${what}`,
    method: 'POST',
    target,
    headers: { ...headers, 'Content-Type': asJson ? JSON_TYPE : PROTOBUF_TYPE, Accept: JSON_TYPE },
    body: asJson ? writeJson(plain) : encodePlain(places, message, plain),
  };
}

function message({ places, random, oversized }: Drawing, daemon: Daemon): SizedRequest {
  const { fullName, name } = pick(
    random,
    places.messages.filter((one) => MESSAGES.test(one.fullName) && !ORDERS_TO_END.test(one.fullName)),
  );
  const { what, plain } = oversized(name, places.minimal(name));
  const actor = daemon === 'master' ? 'master' : 'slave(1)';
  return {
    daemon,
    what: `${name} to ${actor}: ${what}`,
    method: 'POST',
    target: `/${actor}/${fullName.replace('Agent', 'Slave')}`,
    headers: libprocess,
    body: encodePlain(places, name, plain),
  };
}

const LIST = `[${Array(LIMITS.jsonElements.most / 10)
  .fill('{"role":"a","hostname":"h","weight":1}')
  .join(',')}]`;

function v0({ random, names }: Drawing, daemon: Daemon): SizedRequest {
  const endpoints: readonly EndpointDefinition[] = Object.values(
    daemon === 'master' ? masterEndpoints : agentEndpoints,
  );
  const endpoint = pick(
    random,
    endpoints.filter(({ calls }) => calls === undefined),
  );
  const parameters = [...Object.keys(endpoint.query ?? {}), 'jsonp', 'slave_id', 'framework_id', 'limit', 'offset'];
  const length = pick(random, [100, 8_000, 60_000]);
  const value = pick(random, ['x', '%41', '1', '/', '%2F', '[', '-']).repeat(length).slice(0, length);
  const method = (['PUT', 'POST'] as const).find((one) => endpoint.methods[one] !== undefined) ?? 'GET';
  const body = pick(random, [LIST, `slaveId=${names.agentId}&resources=${LIST}`, 'a=b&'.repeat(2 ** 20), '']);
  return {
    daemon,
    what: `${daemon} ${endpoint.path} with ${length} characters of a parameter`,
    method,
    target: `${endpoint.path}?${pick(random, parameters)}=${value}`,
    headers: {},
    body: method === 'GET' ? '' : body,
  };
}

/** Draws one after the other. */
export function createSizedRequests(places: SchemaPlaces, random: Random, names: Names): () => SizedRequest {
  const drawing: Drawing = { places, random, names, oversized: createOversized(places, random) };
  const kinds: readonly (() => SizedRequest)[] = [
    () => call(drawing, 'master', '/api/v1/scheduler', 'SchedulerCall', { 'Mesos-Stream-Id': names.streamId }),
    () => call(drawing, 'master', '/api/v1/scheduler', 'SchedulerCall', { 'Mesos-Stream-Id': names.streamId }),
    () => call(drawing, 'master', '/api/v1', 'MasterCall'),
    () => call(drawing, 'agent', '/api/v1', 'AgentCall'),
    () => call(drawing, 'agent', '/api/v1/executor', 'ExecutorCall'),
    () => message(drawing, 'master'),
    () => message(drawing, 'agent'),
    () => v0(drawing, 'master'),
    () => v0(drawing, 'agent'),
  ];
  return () => pick(random, kinds)();
}
