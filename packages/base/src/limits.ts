// The limits on input from outside, in one table that the decoders apply and docs/limits.md documents. A limit is far above
// what clusters use, and low enough that a peer at the limit neither blocks a process nor fills its memory.

import { CONTENT_LIMITS } from './content-limits.js';
import { DOCKER_LIMITS } from './docker-limits.js';

export type LimitUnit =
  | 'bytes'
  | 'characters'
  | 'levels'
  | 'parts'
  | 'items'
  | 'elements'
  | 'requests'
  | 'lines'
  | 'connections';

export interface Limit {
  readonly most: number;
  readonly unit: LimitUnit;
  /** What is limited, for the documentation. */
  readonly what: string;
  /** The response to the sender, or the action of the daemon, beyond the limit. */
  readonly beyond: string;
  /** Related flags of Mesos. */
  readonly flags?: readonly string[];
  /** Whether Mesos has the limit too. */
  readonly source: 'Mesos' | 'Meseta';
}

const table = <Name extends string>(limits: { readonly [N in Name]: Limit }) => limits;

export const LIMITS = table({
  id: {
    most: 255,
    unit: 'bytes',
    what: 'An id: of a framework, agent, task, executor, container or persistent volume',
    beyond: '400, an ERROR event or TASK_ERROR that names the field',
    source: 'Mesos',
  },
  idText: {
    most: 65_536,
    unit: 'bytes',
    what: 'The text of any id in a message or call. It is above the limit of ids, so that ids get the errors that Mesos gives; it limits what events and errors repeat',
    beyond: '400 that names the field; a libprocess message is dropped and counted as invalid',
    source: 'Meseta',
  },
  containerId: {
    most: 242,
    unit: 'bytes',
    what: 'Each part of the id of a nested or standalone container',
    beyond: '400 that names the field',
    source: 'Mesos',
  },
  nestedContainers: {
    most: 1000,
    unit: 'items',
    what: 'The containers nested in one outermost container, ended ones included; the standalone containers of an agent',
    beyond: 'the agent forgets the oldest ended one; while all of them run, 500 that names the limit',
    source: 'Meseta',
  },
  waitingCalls: {
    most: 1000,
    unit: 'items',
    what: 'The calls that wait for the end of one container',
    beyond: '500 that names the limit',
    source: 'Meseta',
  },
  window: {
    most: 65_535,
    unit: 'characters',
    what: "The rows, and the columns, of a terminal's window",
    beyond: '400 that names the field; a launch with it fails',
    source: 'Meseta',
  },
  attachedOutputs: {
    most: 100,
    unit: 'items',
    what: "The clients that read one container's output",
    beyond: '503 that names the limit',
    source: 'Meseta',
  },
  attachedInput: {
    most: 2 ** 20,
    unit: 'bytes',
    what: 'A record of ATTACH_CONTAINER_INPUT; the next one is read once the container has taken it',
    beyond: '400 that names the limit',
    source: 'Meseta',
  },
  waitingUpdates: {
    most: 1000,
    unit: 'items',
    what: 'The updates of one task that its scheduler has not acknowledged',
    beyond:
      'the agent drops further updates that are not terminal, does not acknowledge them to the executor, and logs the limit',
    source: 'Meseta',
  },
  unknownTasks: {
    most: 1000,
    unit: 'items',
    what: 'The tasks unknown to the agent for which executors of one framework send updates, until these are acknowledged',
    beyond: 'the agent drops further updates, does not acknowledge them to the executor, and logs the limit',
    source: 'Meseta',
  },
  containerDepth: {
    most: 32,
    unit: 'levels',
    what: 'Containers nested in each other, the outermost included',
    beyond: '400 that names the field',
    source: 'Meseta',
  },
  path: {
    most: 4096,
    unit: 'bytes',
    what: "A volume's path in a container",
    beyond: '400, TASK_ERROR or OPERATION_ERROR that names the field; the agent fails the launch',
    source: 'Meseta',
  },
  role: {
    most: 1024,
    unit: 'characters',
    what: 'The name of a role',
    beyond: '400, an ERROR event or TASK_ERROR that names the role',
    source: 'Meseta',
  },
  roleDepth: {
    most: 64,
    unit: 'parts',
    what: "The parts of a role's name, `a/b/c` has three",
    beyond: '400, an ERROR event or TASK_ERROR that names the role',
    source: 'Meseta',
  },
  repeatedField: {
    most: 100_000,
    unit: 'items',
    what: 'A repeated or map field of a call or message itself: tasks to reconcile, machines, offers',
    beyond: '400 that names the field; a libprocess message is dropped and counted as invalid',
    source: 'Meseta',
  },
  waitingReconciliations: {
    most: 100_000,
    unit: 'items',
    what: 'Tasks and operations in the unfinished reconciliations of a framework, when it requests another one',
    beyond: "503 that says so; a driver's call is dropped and logged",
    source: 'Meseta',
  },
  acceptedOperations: {
    most: 1000,
    unit: 'items',
    what: 'The operations of one ACCEPT',
    beyond: "400 that names the field; a driver's call is dropped and logged",
    source: 'Meseta',
  },
  acceptedTasks: {
    most: 5000,
    unit: 'items',
    what: 'The tasks of one ACCEPT, in all its operations',
    beyond: "400 that names the field; a driver's call is dropped and logged",
    source: 'Meseta',
  },
  machines: {
    most: 30_000,
    unit: 'items',
    what: 'The machines of a maintenance schedule, and of a call that starts or ends maintenance',
    beyond: '400 that names the field',
    source: 'Meseta',
  },
  weights: {
    most: 10_000,
    unit: 'items',
    what: 'The weights that one call sets',
    beyond: '400 that names the field',
    source: 'Meseta',
  },
  quotas: {
    most: 1000,
    unit: 'items',
    what: 'The roles that have quota, and the names of resources in all their quotas',
    beyond: '400 that names the field',
    source: 'Meseta',
  },
  agentFrameworks: {
    most: 5000,
    unit: 'items',
    what: 'The frameworks, and the completed frameworks, that an agent reports when it registers again',
    beyond: 'the agent is not registered; the log names the field',
    source: 'Meseta',
  },
  agentOperations: {
    most: 10_000,
    unit: 'items',
    what: 'The operations on one agent whose terminal status is not acknowledged',
    beyond:
      'OPERATION_ERROR or, for an operator, 409 that names the limit; further operations that the agent reports are not listed, and the log names the limit',
    source: 'Meseta',
  },
  recordField: {
    most: 10_000,
    unit: 'items',
    what: 'A repeated or map field of a record within a message (a command, a container, a task, an agent)',
    beyond: '400 that names the field; a libprocess message is dropped and counted as invalid',
    source: 'Meseta',
  },
  labels: {
    most: 1000,
    unit: 'items',
    what: 'A list of labels',
    beyond: '400 that names the field; a libprocess message is dropped and counted as invalid',
    source: 'Meseta',
  },
  ranges: {
    most: 10_000,
    unit: 'items',
    what: 'The ranges of one resource or attribute',
    beyond: '400 that names the field; a libprocess message is dropped and counted as invalid',
    source: 'Meseta',
  },
  resources: {
    most: 1000,
    unit: 'items',
    what: 'A list of resources: of an agent, a task, an executor, an operation',
    beyond: '400 that names the field; a libprocess message is dropped and counted as invalid',
    source: 'Meseta',
  },
  frameworkRoles: {
    most: 1000,
    unit: 'items',
    what: 'The roles of a framework, and the roles that a call names',
    beyond: '400 that names the field; a libprocess message is dropped and counted as invalid',
    source: 'Meseta',
  },
  messageElements: {
    most: 500_000,
    unit: 'elements',
    what: 'The messages, repeated values and, eight times, map entries in one protobuf message',
    beyond: '400; a libprocess message is dropped and counted as invalid',
    source: 'Meseta',
  },
  messageDepth: {
    most: 100,
    unit: 'levels',
    what: 'The nesting of messages',
    beyond: '400; a libprocess message is dropped and counted as invalid',
    source: 'Mesos',
  },
  messageText: {
    most: 32 * 2 ** 20,
    unit: 'bytes',
    what: 'The strings and bytes fields of one protobuf message, together',
    beyond: '400; a libprocess message is dropped and counted as invalid',
    source: 'Meseta',
  },
  jsonText: {
    most: 16 * 2 ** 20,
    unit: 'bytes',
    what: 'A JSON or form body; protobuf may be as long as a body',
    beyond: '413 that names the limit',
    source: 'Meseta',
  },
  jsonElements: {
    most: 250_000,
    unit: 'elements',
    what: 'The values of a JSON body, in all its lists and objects',
    beyond: '400 that names the limit',
    source: 'Meseta',
  },
  jsonFields: {
    most: 10_000,
    unit: 'items',
    what: 'The fields of one object of a JSON body',
    beyond: '400 that names the limit',
    source: 'Meseta',
  },
  formFields: {
    most: 1_000,
    unit: 'items',
    what: 'The fields of a form body',
    beyond: '400 that names the limit',
    source: 'Meseta',
  },
  jsonDepth: {
    most: 200,
    unit: 'levels',
    what: 'The nesting of a JSON body',
    beyond: '400 that names the limit',
    source: 'Mesos',
  },
  regex: {
    most: 256,
    unit: 'characters',
    what: 'A regular expression of offer constraints; its compiled program is limited by the flags',
    flags: ['--offer_constraints_re2_max_mem', '--offer_constraints_re2_max_program_size'],
    beyond: 'the framework is refused with an error that names the constraint',
    source: 'Meseta',
  },
  offerConstraints: {
    most: 1000,
    unit: 'items',
    what: "The attribute constraints of a framework's offer constraints, over all roles and groups",
    beyond: 'the framework is refused with an error that names the limit',
    source: 'Meseta',
  },
  minimumSets: {
    most: 100,
    unit: 'items',
    what: "The alternatives of a role's `min_allocatable_resources` in a framework's offer filters",
    beyond: '400 that names the field; a libprocess message is dropped and counted as invalid',
    source: 'Meseta',
  },
  attributeText: {
    most: 4096,
    unit: 'characters',
    what: "The text of an agent's attribute, which offer constraints compare",
    beyond: 'the agent is not registered; the log names the attribute',
    source: 'Meseta',
  },
  requestHead: {
    most: 65_536,
    unit: 'bytes',
    what: 'The request line and headers of an HTTP request',
    beyond: '431 or 400, and the connection is closed',
    source: 'Meseta',
  },
  requestHeaders: {
    most: 200,
    unit: 'lines',
    what: 'The header lines of an HTTP request',
    beyond: '431 or 400, and the connection is closed',
    source: 'Meseta',
  },
  requestBody: {
    most: 64 * 2 ** 20,
    unit: 'bytes',
    what: 'The body of one request or libprocess message',
    beyond: '413, and the connection is closed',
    source: 'Meseta',
  },
  requestBodies: {
    most: 256 * 2 ** 20,
    unit: 'bytes',
    what: 'The request bodies in flight, of all connections together',
    beyond: '413, and the connection is closed',
    source: 'Meseta',
  },
  unpackedBody: {
    most: 64 * 2 ** 20,
    unit: 'bytes',
    what: 'The decompressed size of a gzipped body; above 1 MiB also at most 100 times its compressed size',
    beyond: '413, and the connection is closed',
    source: 'Meseta',
  },
  bodyChunks: {
    most: 2 ** 21,
    unit: 'items',
    what: 'The chunks of one body with `Transfer-Encoding: chunked` that are shorter than 1 KiB on average',
    beyond: '413, and the connection is closed',
    source: 'Meseta',
  },
  unreadRequests: {
    most: 32,
    unit: 'requests',
    what: 'Pipelined requests of one connection without a response',
    beyond: 'the connection is not read until responses are sent',
    source: 'Meseta',
  },
  unreadResponses: {
    most: 2 ** 20,
    unit: 'bytes',
    what: 'Responses to libprocess messages that their sender does not read',
    beyond: 'the connection is closed',
    source: 'Meseta',
  },
  bodyRate: {
    most: 16_000,
    unit: 'bytes',
    what: "The rate in bytes a second at which a request's body must arrive, after its first minute",
    beyond: 'below it 408, and the connection is closed',
    source: 'Meseta',
  },
  peerConnections: {
    most: 4,
    unit: 'connections',
    what: 'The connections of one registered libprocess peer that are never closed for new connections',
    beyond: 'the one that has been for longest may be closed like any other connection',
    source: 'Meseta',
  },
  pid: {
    most: 1024,
    unit: 'characters',
    what: 'The pid of a libprocess actor, in the headers of a message or in the request to authenticate it',
    beyond: 'the message is refused or dropped; the error or the log names the limit',
    source: 'Meseta',
  },
  authentications: {
    most: 10_000,
    unit: 'items',
    what: 'CRAM-MD5 authentications in progress, of all connections together',
    beyond: 'the oldest one of the connection with the most is dropped',
    source: 'Meseta',
  },
  connectionAuthentications: {
    most: 64,
    unit: 'items',
    what: 'CRAM-MD5 authentications in progress on one connection',
    beyond: 'new ones are dropped',
    source: 'Meseta',
  },
  waitingRegistrations: {
    most: 256 * 2 ** 20,
    unit: 'bytes',
    what: 'The registrations that wait for an authentication in progress, of all connections together',
    beyond: 'those of the connection with the most bytes are dropped; their senders register again',
    source: 'Meseta',
  },
  connectionPrincipals: {
    most: 10_000,
    unit: 'items',
    what: 'The actors that have authenticated on one connection',
    beyond: 'the one that authenticated first must authenticate again',
    source: 'Meseta',
  },
  connectionDrivers: {
    most: 64,
    unit: 'items',
    what: 'Executor drivers that register over one connection to an agent',
    beyond: 'their registrations are dropped and counted',
    source: 'Meseta',
  },
  unverifiedMessages: {
    most: 64,
    unit: 'items',
    what: "Messages from the master's pid over one connection that is not verified to be the master's yet",
    beyond: 'further ones are dropped and counted',
    source: 'Meseta',
  },
  listedFiles: {
    most: 10_000,
    unit: 'items',
    what: 'The names that `/files/browse` returns of one directory',
    beyond: 'further names are left out',
    source: 'Meseta',
  },
  readFile: {
    most: 65_536,
    unit: 'bytes',
    what: 'The bytes that one `/files/read` returns',
    beyond: 'fewer bytes are returned than requested',
    source: 'Mesos',
  },
  filePath: {
    most: 4096,
    unit: 'characters',
    what: 'The path of a call of the files API',
    beyond: '400 that names the field',
    source: 'Meseta',
  },
  filePathDepth: {
    most: 64,
    unit: 'levels',
    what: 'The directories of a path of the files API',
    beyond: '404',
    source: 'Meseta',
  },
  logLine: {
    most: 8192,
    unit: 'characters',
    what: 'A line of the log, which may contain ids and reasons from peers',
    beyond: 'the line is cut and ends with its length',
    source: 'Meseta',
  },
  statuses: {
    most: 256,
    unit: 'items',
    what: 'The statuses of one task or operation that master and agent keep',
    beyond: 'the oldest are dropped',
    source: 'Meseta',
  },
  ...CONTENT_LIMITS,
  ...DOCKER_LIMITS,
  keptRenderings: {
    most: 64 * 2 ** 20,
    unit: 'bytes',
    what: 'Cached renderings of responses to reads, with their keys',
    beyond: 'the least recently used are dropped',
    source: 'Meseta',
  },
});

export type LimitName = keyof typeof LIMITS;

/** The error `role: expected at most 1024 characters, got 2000`; undefined if `got` is within the limit. */
export function overLimit(name: LimitName, field: string, got: number): string | undefined {
  const { most, unit } = LIMITS[name];
  return got > most ? `${field}: expected at most ${most} ${unit}, got ${got}` : undefined;
}
