// Every HTTP endpoint of a master and of an agent, each declared once (Mesos: docs/endpoints, facts in routes.csv).
import { masterExtensions } from './extensions.js';
import type { Component, EndpointDefinition } from './types.js';

const read = { methods: { GET: 'reads', POST: 'reads', PUT: 'reads', DELETE: 'reads' }, realm: 'readonly' } as const;
const write = { methods: { POST: 'changes' }, realm: 'readwrite', aliased: true } as const;

/** Endpoints of both components; they have no alias under the component's name. */
const commonEndpoints = {
  metrics: {
    ...read,
    path: '/metrics/snapshot',
    aliased: false,
    jsonp: true,
    action: 'GET_ENDPOINT_WITH_PATH',
    summary: 'The metrics as one JSON object.',
  },
  logging: {
    // A GET with parameters sets it, too.
    methods: { GET: 'changes', POST: 'changes' },
    realm: 'readwrite',
    path: '/logging/toggle',
    aliased: false,
    action: 'GET_ENDPOINT_WITH_PATH',
    summary: 'Shows or sets the verbosity of the log for a while.',
  },
  filesBrowse: { ...read, path: '/files/browse', aliased: false, jsonp: true, summary: 'Lists a directory: ?path=.' },
  filesRead: {
    ...read,
    path: '/files/read',
    aliased: false,
    jsonp: true,
    summary: 'Part of a file: ?path=&offset=&length=.',
  },
  filesDownload: { ...read, path: '/files/download', aliased: false, summary: 'A whole file: ?path=.' },
  filesDebug: {
    ...read,
    path: '/files/debug',
    aliased: false,
    jsonp: true,
    action: 'GET_ENDPOINT_WITH_PATH',
    summary: 'Which virtual paths lead where.',
  },
  version: {
    ...read,
    path: '/version',
    realm: 'none',
    aliased: false,
    jsonp: true,
    summary: 'The version and how it was built.',
  },
  help: {
    ...read,
    path: '/help',
    realm: 'none',
    aliased: false,
    summary: 'The endpoints, and what each does: /help/<endpoint>.',
  },
  systemStats: {
    ...read,
    path: '/system/stats.json',
    realm: 'none',
    aliased: false,
    jsonp: true,
    summary: "The machine's load, processors and memory.",
  },
} as const satisfies Record<string, EndpointDefinition>;

export const masterEndpoints = {
  ...commonEndpoints,
  ...masterExtensions,
  operator: {
    ...write,
    path: '/api/v1',
    calls: 'operator',
    leader: true,
    summary: 'v1 operator calls and the operator event stream.',
  },
  scheduler: {
    ...write,
    path: '/api/v1/scheduler',
    realm: 'scheduler',
    calls: 'scheduler',
    leader: true,
    summary: 'v1 scheduler calls; SUBSCRIBE opens the event stream.',
  },
  health: { ...read, path: '/health', realm: 'none', aliased: true, summary: '200 while the process lives.' },
  flags: { ...read, path: '/flags', aliased: true, jsonp: true, action: 'VIEW_FLAGS', summary: 'The flags in force.' },
  redirect: {
    ...read,
    path: '/redirect',
    realm: 'none',
    aliased: true,
    summary: 'Sends the client to the leading master.',
  },
  state: {
    ...read,
    path: '/state',
    aliased: true,
    jsonp: true,
    leader: true,
    summary: 'The whole state: agents, frameworks, tasks.',
  },
  stateSummary: {
    ...read,
    path: '/state-summary',
    aliased: true,
    jsonp: true,
    leader: true,
    summary: 'Agents and frameworks with counts of tasks by state.',
  },
  agents: { ...read, path: '/slaves', aliased: true, jsonp: true, leader: true, summary: 'The agents: ?slave_id=.' },
  frameworks: {
    ...read,
    path: '/frameworks',
    aliased: true,
    jsonp: true,
    leader: true,
    summary: 'The frameworks: ?framework_id=.',
  },
  tasks: {
    ...read,
    path: '/tasks',
    aliased: true,
    jsonp: true,
    leader: true,
    summary: 'Tasks: ?limit=&offset=&order=&framework_id=&task_id=.',
  },
  roles: {
    ...read,
    path: '/roles',
    aliased: true,
    jsonp: true,
    leader: true,
    summary: 'Roles with weights, quota and what they hold.',
  },
  createVolumes: {
    ...write,
    path: '/create-volumes',
    leader: true,
    summary: 'Creates persistent volumes on reserved resources.',
  },
  destroyVolumes: { ...write, path: '/destroy-volumes', leader: true, summary: 'Destroys persistent volumes.' },
  reserve: { ...write, path: '/reserve', leader: true, summary: 'Reserves resources of an agent.' },
  unreserve: { ...write, path: '/unreserve', leader: true, summary: 'Unreserves resources of an agent.' },
  teardown: { ...write, path: '/teardown', leader: true, summary: 'Ends a framework and its tasks.' },
  maintenanceSchedule: {
    methods: { GET: 'reads', POST: 'changes' },
    realm: 'readwrite',
    path: '/maintenance/schedule',
    aliased: true,
    jsonp: true,
    leader: true,
    summary: 'Shows or replaces the maintenance schedule.',
  },
  maintenanceStatus: {
    methods: { GET: 'reads' },
    realm: 'readwrite',
    path: '/maintenance/status',
    aliased: true,
    jsonp: true,
    leader: true,
    summary: 'Machines draining and down.',
  },
  machineDown: { ...write, path: '/machine/down', leader: true, summary: 'Takes machines down for maintenance.' },
  machineUp: { ...write, path: '/machine/up', leader: true, summary: 'Brings machines back.' },
  weights: {
    methods: { GET: 'reads', PUT: 'changes' },
    realm: 'readwrite',
    path: '/weights',
    aliased: true,
    jsonp: true,
    leader: true,
    summary: 'Shows or sets the weights of roles.',
  },
  quota: {
    methods: { GET: 'reads', POST: 'changes', DELETE: 'changes' },
    realm: 'readwrite',
    path: '/quota',
    aliased: true,
    jsonp: true,
    leader: true,
    summary: 'Shows, sets or removes quota.',
  },
} as const satisfies Record<string, EndpointDefinition>;

export const agentEndpoints = {
  ...commonEndpoints,
  operator: { ...write, path: '/api/v1', calls: 'operator', summary: 'v1 operator calls of this agent.' },
  executor: {
    ...write,
    path: '/api/v1/executor',
    realm: 'executor',
    calls: 'executor',
    summary: 'v1 executor calls; SUBSCRIBE opens the event stream.',
  },
  resourceProvider: {
    ...write,
    path: '/api/v1/resource_provider',
    realm: 'readwrite',
    calls: 'resourceProvider',
    summary: 'v1 calls of resource providers.',
  },
  health: { ...read, path: '/health', realm: 'none', aliased: true, summary: '200 while the process lives.' },
  flags: { ...read, path: '/flags', aliased: true, jsonp: true, action: 'VIEW_FLAGS', summary: 'The flags in force.' },
  state: {
    ...read,
    path: '/state',
    aliased: true,
    jsonp: true,
    summary: 'The whole state: frameworks, executors, tasks.',
  },
  statistics: {
    ...read,
    path: '/monitor/statistics',
    aliased: true,
    jsonp: true,
    action: 'GET_ENDPOINT_WITH_PATH',
    summary: 'What each executor uses.',
  },
  containers: {
    ...read,
    path: '/containers',
    aliased: true,
    jsonp: true,
    action: 'GET_ENDPOINT_WITH_PATH',
    summary: 'The containers, their status and statistics.',
  },
  containerizerDebug: {
    ...read,
    path: '/containerizer/debug',
    aliased: true,
    jsonp: true,
    action: 'GET_ENDPOINT_WITH_PATH',
    summary: 'What the containerizer is waiting for.',
  },
} as const satisfies Record<string, EndpointDefinition>;

export type MasterEndpoint = keyof typeof masterEndpoints;
export type AgentEndpoint = keyof typeof agentEndpoints;

/** The path under which an aliased endpoint answers too, without the endpoint's own: `/master`, `/slave(1)`. */
export const aliasOf: { readonly [C in Component]: string } = { master: '/master', agent: '/slave(1)' };
