// The OpenAPI 3.0 document of the endpoints, from their declarations. It names the field of each v1 call; the contents of the
// field are Mesos' protobuf schema in its JSON form.
import { callsOf, componentEndpoints } from './components.js';
import { aliasOf } from './endpoints.js';
import type { Component, EndpointDefinition, Method } from './types.js';

type Json = { readonly [key: string]: unknown };

const json = 'application/json';
const protobuf = 'application/x-protobuf';

const parametersOf = ({ query = {}, jsonp }: EndpointDefinition): readonly Json[] =>
  Object.entries({ ...query, ...(jsonp ? { jsonp: 'The function that the response calls.' } : {}) }).map(
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
  const parts = `${alias ? aliasOf[component] : ''}${path}`.split(/\W+/).filter((part) => part !== '');
  return {
    operationId: [method.toLowerCase(), ...parts].join('_'),
    summary,
    parameters: parametersOf(endpoint),
    ...(body === undefined ? {} : { requestBody: body }),
    responses: {
      [changes && !calls ? '202' : '200']: { description: 'Done.' },
      ...(realm === 'none' ? {} : { 401: { description: 'Authentication is required.' } }),
      ...(endpoint.action === undefined
        ? {}
        : { 403: { description: `The action ${endpoint.action} is not permitted.` } }),
      ...(endpoint.leader
        ? { 307: { description: 'Another master leads.' }, 503: { description: 'No master leads.' } }
        : {}),
    },
    ...secured,
  };
}

/** The methods in the document: only GET for an endpoint that only reads. */
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
