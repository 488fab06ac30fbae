// The v0 endpoints that change state: each form or JSON body is read as the equivalent v1 call.

import { bodyText, refusal } from '@meseta/api';
import { err, ok, type Result } from '@meseta/base';
import type { BodyReader } from '@meseta/platform';
import { refuse } from '@meseta/platform/responses';
import { type Codec, type MasterCall, renderWireError } from '@meseta/wire';
import {
  MachineIDCodec,
  MaintenanceScheduleCodec,
  QuotaRequestCodec,
  ResourceCodec,
  WeightInfoCodec,
} from '@meseta/wire/codecs';
import { parseExactJson } from '@meseta/wire/json-parser';
import { JSON_TYPE } from '@meseta/wire/media';
import type { MasterInput } from '../core/io.js';
import { type Exchange, readBody } from './exchange.js';
import { parseForm } from './form.js';
import type { Handler } from './http.js';
import type { Requests } from './requests.js';

type Read<T> = Result<T, string>;
/** The call that is equivalent to a body; `rest` is the part of the path after the endpoint's own path. */
type ReadCall = (body: string, rest: string) => Read<MasterCall>;

function parseJson<T>(text: string, what: string, codec: Codec<T>): Read<T> {
  const parsed = codec.parse(text);
  return parsed.ok ? parsed : err(`${what}: ${renderWireError(parsed.error)}`);
}

function parseList<T>(text: string, what: string, codec: Codec<T>): Read<readonly T[]> {
  const parsed = parseExactJson(text);
  if (!parsed.ok && parsed.error.code !== 'malformed') return err(`${what}: expected ${parsed.error.expected}`);
  const json = parsed.ok ? parsed.value : undefined;
  if (!Array.isArray(json)) return err(`${what}: expected a JSON list`);
  const items: T[] = [];
  for (const [i, element] of json.entries()) {
    const item = codec.read(element);
    if (!item.ok) return err(`${what}[${i}]: ${renderWireError(item.error)}`);
    items.push(item.value);
  }
  return ok(items);
}

function parameter(form: URLSearchParams, name: string): Read<string> {
  const value = form.get(name);
  return value === null ? err(`Parameter '${name}' is required in the body but missing`) : ok(value);
}

/** An agent and its resources, from the forms for reservations and volumes. */
function agentForm(body: string, list: 'resources' | 'volumes') {
  const fields = parseForm(body);
  if (!fields.ok) return fields;
  const form = fields.value;
  const agent = parameter(form, 'slaveId');
  if (!agent.ok) return agent;
  const text = parameter(form, list);
  if (!text.ok) return text;
  const resources = parseList(text.value, `Parameter '${list}'`, ResourceCodec);
  if (!resources.ok) return resources;
  const source = form.has('source') ? parseList(form.get('source') ?? '', "Parameter 'source'", ResourceCodec) : ok([]);
  if (!source.ok) return source;
  return ok({ agent_id: { value: agent.value }, resources: resources.value, source: source.value });
}

const reserve: ReadCall = (body) => {
  const form = agentForm(body, 'resources');
  if (!form.ok) return form;
  const { agent_id, resources, source } = form.value;
  const from = source.length === 0 ? {} : { source };
  return ok({ type: 'RESERVE_RESOURCES', reserve_resources: { agent_id, ...from, resources } });
};

const unreserve: ReadCall = (body) => {
  const form = agentForm(body, 'resources');
  if (!form.ok) return form;
  const { agent_id, resources } = form.value;
  return ok({ type: 'UNRESERVE_RESOURCES', unreserve_resources: { agent_id, resources } });
};

const createVolumes: ReadCall = (body) => {
  const form = agentForm(body, 'volumes');
  if (!form.ok) return form;
  const { agent_id, resources: volumes } = form.value;
  return ok({ type: 'CREATE_VOLUMES', create_volumes: { agent_id, volumes } });
};

const destroyVolumes: ReadCall = (body) => {
  const form = agentForm(body, 'volumes');
  if (!form.ok) return form;
  const { agent_id, resources: volumes } = form.value;
  return ok({ type: 'DESTROY_VOLUMES', destroy_volumes: { agent_id, volumes } });
};

const teardown: ReadCall = (body) => {
  const form = parseForm(body);
  const id = form.ok ? parameter(form.value, 'frameworkId') : form;
  return id.ok ? ok({ type: 'TEARDOWN', teardown: { framework_id: { value: id.value } } }) : id;
};

const machineDown: ReadCall = (body) => {
  const machines = parseList(body, 'Body', MachineIDCodec);
  return machines.ok ? ok({ type: 'START_MAINTENANCE', start_maintenance: { machines: machines.value } }) : machines;
};

const machineUp: ReadCall = (body) => {
  const machines = parseList(body, 'Body', MachineIDCodec);
  return machines.ok ? ok({ type: 'STOP_MAINTENANCE', stop_maintenance: { machines: machines.value } }) : machines;
};

const updateSchedule: ReadCall = (body) => {
  const schedule = parseJson(body, 'Body', MaintenanceScheduleCodec);
  if (!schedule.ok) return schedule;
  return ok({ type: 'UPDATE_MAINTENANCE_SCHEDULE', update_maintenance_schedule: { schedule: schedule.value } });
};

const updateWeights: ReadCall = (body) => {
  const weights = parseList(body, 'Body', WeightInfoCodec);
  return weights.ok ? ok({ type: 'UPDATE_WEIGHTS', update_weights: { weight_infos: weights.value } }) : weights;
};

const setQuota: ReadCall = (body) => {
  const request = parseJson(body, 'Body', QuotaRequestCodec);
  return request.ok ? ok({ type: 'SET_QUOTA', set_quota: { quota_request: request.value } }) : request;
};

const removeQuota: ReadCall = (_, rest) =>
  rest === '' || rest.includes('/')
    ? err('Path: expected /quota/ROLE')
    : ok({ type: 'REMOVE_QUOTA', remove_quota: { role: rest } });

export interface V0ChangesOptions {
  readonly bodies: BodyReader;
  readonly requests: Requests;
  push(input: MasterInput): void;
}

export function createV0Changes({ bodies, requests, push }: V0ChangesOptions) {
  const change =
    (readCall: ReadCall): Handler =>
    async (exchange: Exchange) => {
      const { response, match, principal } = exchange;
      const body = await readBody(bodies, exchange);
      if (body === undefined) return;
      const text = bodyText(body);
      if (!text.ok) return refuse(response, text.error);
      const call = readCall(text.value, match.rest);
      if (!call.ok) return refuse(response, refusal('badRequest', call.error));
      push({ kind: 'operatorCall', request: requests.add(response, JSON_TYPE), principal, call: call.value });
    };
  return {
    createVolumes: change(createVolumes),
    destroyVolumes: change(destroyVolumes),
    reserve: change(reserve),
    unreserve: change(unreserve),
    teardown: change(teardown),
    machineDown: change(machineDown),
    machineUp: change(machineUp),
    updateSchedule: change(updateSchedule),
    updateWeights: change(updateWeights),
    setQuota: change(setQuota),
    removeQuota: change(removeQuota),
  };
}
