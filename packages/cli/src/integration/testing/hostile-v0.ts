// The v0 endpoints with hostile parameters, forms and bodies. None of them may change the state.
import { agentEndpoints, aliasOf, type Component, type EndpointDefinition, masterEndpoints } from '@meseta/api';
import type { HostileRequest } from './hostile-requests.js';

const VALUES: readonly string[] = [
  '',
  'x',
  '-1',
  '0',
  '1e9',
  '99999999999999999999',
  'NaN',
  '../../etc/passwd',
  '/etc/passwd',
  '%00',
  '%zz',
  '%ff%fe',
  '__proto__',
  '<script>',
  "');alert(1)//",
  'x'.repeat(3_000),
  '%0d%0aX-Injected:%201',
  '%F0%9F%92%A9',
  '[]',
  '{}',
];

const PARAMETERS: readonly string[] = [
  'jsonp',
  'slave_id',
  'framework_id',
  'task_id',
  'limit',
  'offset',
  'length',
  'order',
  'timeout',
  'path',
  'level',
  '__proto__',
];

const AGENT_FORM = 'slaveId=nobody';
const CHANGES: Readonly<Record<string, readonly string[]>> = {
  createVolumes: [AGENT_FORM, `${AGENT_FORM}&volumes=`, 'volumes=[]'],
  destroyVolumes: [AGENT_FORM, `${AGENT_FORM}&volumes=`, 'volumes=[]'],
  reserve: [AGENT_FORM, `${AGENT_FORM}&resources=`, `${AGENT_FORM}&resources=[]&source=`],
  unreserve: [AGENT_FORM, `${AGENT_FORM}&resources=`, 'resources=[]'],
  teardown: ['', 'frameworkId=', 'frameworkId=nobody&frameworkId='],
  maintenanceSchedule: [
    '{"windows":[{"machine_ids":[],"unavailability":{"start":{"nanoseconds":1}}}],"x":"',
    '[',
    '{"windows":[',
  ],
  machineDown: ['', '[{"hostname":"', '[{"ip":"', '[[', '[7,"'],
  machineUp: ['', '[{"hostname":"', '[{"ip":"', '[[', '[7,"'],
  weights: ['', '[{"role":"a","weight":-1},{"role":"', '[{"role":"/', '{"role":"'],
  quota: ['', '{"role":"*","x":"', '{"guarantee":[],"role":"', '[{"role":"'],
};

const ENDINGS: readonly string[] = ['', '"}', '"}]', '"]', '"}]}', ']'];
const NEVER = ['operator', 'scheduler', 'executor', 'resourceProvider'];

function* requestsOf(name: string, definition: EndpointDefinition, prefix: string): Generator<HostileRequest> {
  const target = `${prefix}${definition.path}`;
  const common = { headers: {}, body: '' };
  for (const parameter of PARAMETERS) {
    for (const value of VALUES) {
      yield { ...common, method: 'GET', target: `${target}?${parameter}=${value}`, what: `${name} ?${parameter}` };
    }
  }
  for (const rest of ['/', '/..', '/../../etc/passwd', '/%2e%2e/%2e%2e', '//', '/%00', '/x/y/z', '?', '?&&&=', '?%']) {
    yield { ...common, method: 'GET', target: `${target}${rest}`, what: `${name} ${rest}` };
  }
  for (const method of ['PUT', 'DELETE', 'PATCH', 'OPTIONS', 'TRACE', 'PURGE']) {
    yield { ...common, method, target, what: `${name} ${method}` };
  }
  for (const start of CHANGES[name] ?? []) {
    const method = name === 'weights' ? 'PUT' : 'POST';
    for (const value of VALUES) {
      for (const end of ENDINGS)
        yield { ...common, method, target, body: `${start}${value}${end}`, what: `${name} body` };
    }
  }
}

export function* v0Requests(component: Component): Generator<HostileRequest> {
  const endpoints: Readonly<Record<string, EndpointDefinition>> =
    component === 'master' ? masterEndpoints : agentEndpoints;
  for (const [name, definition] of Object.entries(endpoints)) {
    if (NEVER.includes(name)) continue;
    yield* requestsOf(name, definition, '');
    if (definition.aliased) yield* requestsOf(name, definition, aliasOf[component]);
  }
}

/** Media types and headers that don't fit, at the v1 endpoints. */
export function* headerRequests(target: string): Generator<HostileRequest> {
  const json = 'application/json';
  const types = [
    '',
    'text/plain',
    'application/json; charset=utf-8',
    'APPLICATION/JSON',
    'x'.repeat(2_000),
    '*/*',
    json,
  ];
  const accepts = [
    '',
    'text/html',
    'application/*',
    '*/*;q=0',
    'x'.repeat(2_000),
    ';;;,,,',
    'application/x-protobuf;q=NaN',
  ];
  for (const type of types) {
    for (const accept of accepts) {
      for (const body of [
        '',
        '{',
        'null',
        '[]',
        '7',
        '"x"',
        '{"type":"GET_HEALTH"}',
        '\u0000',
        '{"type":"GET_HEALTH"}{}',
      ]) {
        const headers = { 'Content-Type': type, Accept: accept, 'Mesos-Stream-Id': 'nobody' };
        yield { method: 'POST', target, headers, body, what: `${target} headers` };
      }
    }
  }
}
