// The endpoints as an OpenAPI 3.0 document, made from their declarations. Bodies of v1 calls are named by call; what is in
// them is Mesos' protobuf schema, in its JSON form.
import { callsOf, componentEndpoints } from './components.js';
import { aliasOf } from './endpoints.js';
import type { Component, EndpointDefinition, Method } from './types.js';

type Json = { readonly [key: string]: unknown };

const json = 'application/json';
const protobuf = 'application/x-protobuf';

const parametersOf = ({ query = {}, jsonp }: EndpointDefinition): readonly Json[] =>
  Object.entries({ ...query, ...(jsonp ? { jsonp: 'A function to wrap the answer in.' } : {}) }).map(
    ([name, description]) => ({ name, in: 'query', description, required: false, schema: { type: 'string' } }),
  );

function callSchema(component: Component, calls: EndpointDefinition['calls']): Json {
  const table = Object.entries(callsOf(component, calls));
  const requests = table.flatMap(([type, { request, summary }]) =>
    request === undefined ? [] : [[request, { type: 'object', description: `${type}: ${summary}` }] as const],
  );
  return {
    type: 'object',
    required: ['type'],
    properties: {
      type: {
        type: 'string',
        description: table.map(([type, { summary }]) => `${type}: ${summary}`).join('\n'),
        ...(table.length === 0 ? {} : { enum: table.map(([type]) => type) }),
      },
      ...(calls === 'scheduler' || calls === 'executor'
        ? { framework_id: { type: 'object', properties: { value: { type: 'string' } } } }
        : {}),
      ...Object.fromEntries(requests),
    },
  };
}

function operationOf(component: Component, endpoint: EndpointDefinition, method: Method, alias: boolean): Json {
  const { path, summary, calls, realm } = endpoint;
  const changes = endpoint.methods[method] === 'changes';
  const body = calls
    ? { content: { [json]: { schema: callSchema(component, calls) }, [protobuf]: {} } }
    : changes && (method === 'POST' || method === 'PUT')
      ? { content: { [json]: {}, 'application/x-www-form-urlencoded': {} } }
      : undefined;
  const secured = realm === 'none' ? {} : { security: [{}, { basic: [] }, { bearer: [] }] };
  const words = `${alias ? aliasOf[component] : ''}${path}`.split(/\W+/).filter((word) => word !== '');
  return {
    operationId: [method.toLowerCase(), ...words].join('_'),
    summary,
    parameters: parametersOf(endpoint),
    ...(body === undefined ? {} : { requestBody: body }),
    responses: {
      [changes && !calls ? '202' : '200']: { description: 'Done.' },
      ...(realm === 'none' ? {} : { 401: { description: 'Who asks must authenticate.' } }),
      ...(endpoint.action === undefined ? {} : { 403: { description: `Needs ${endpoint.action}.` } }),
      ...(endpoint.leader
        ? { 307: { description: 'Another master leads.' }, 503: { description: 'None leads.' } }
        : {}),
    },
    ...secured,
  };
}

/** The methods that a document shows: of an endpoint that only reads, GET. */
const shownMethods = ({ methods }: EndpointDefinition): readonly Method[] =>
  methods.GET === 'reads' && Object.values(methods).every((access) => access === 'reads')
    ? ['GET']
    : (Object.keys(methods) as Method[]);

export function openApiDocument(component: Component, version: string): Json {
  const paths: Record<string, Json> = {};
  for (const endpoint of componentEndpoints(component)) {
    for (const alias of endpoint.aliased ? [false, true] : [false]) {
      paths[`${alias ? aliasOf[component] : ''}${endpoint.path}`] = Object.fromEntries(
        shownMethods(endpoint).map((method) => [method.toLowerCase(), operationOf(component, endpoint, method, alias)]),
      );
    }
  }
  return {
    openapi: '3.0.3',
    info: { title: `Meseta ${component}`, version, description: "Mesos' HTTP endpoints, and Meseta's own." },
    paths,
    components: {
      securitySchemes: { basic: { type: 'http', scheme: 'basic' }, bearer: { type: 'http', scheme: 'bearer' } },
    },
  };
}
