// Calls whose fields get hostile values, one of each type. Each is invalid already by its `invalidFields`, which keep their values,
// so the state may not change whatever values the other fields have. Where the order of checks allows, the other fields are
// checked first.
import type { Plain } from '@meseta/wire/testing/schema-places';
import type { Witness } from './witness.js';

export interface HostileCall {
  readonly name: string;
  readonly target: string;
  readonly message: 'SchedulerCall' | 'MasterCall' | 'AgentCall';
  readonly call: Plain;
  /** The fields that make the call invalid. Fields that contain one of them get only values of a wrong type. */
  readonly invalidFields: readonly string[];
  /** The fields that get hostile values, with everything in them. */
  readonly mutatedFields: readonly string[];
  /** Each field gets one in so many of the hostile values, and the next field others; 1 unless given. */
  readonly oneIn?: number | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

const id = (value: string) => ({ value });
const scalar = (name: string, value: number, more: Plain = {}) => ({
  name,
  type: 'SCALAR',
  scalar: { value },
  ...more,
});

const CPUS_OF_NOBODY = 1e9;
const reserved = (value: number) => scalar('cpus', value, { reservations: [{ type: 'DYNAMIC', role: 'witness' }] });
const volume = (value: number) =>
  scalar('disk', value, {
    reservations: [{ type: 'DYNAMIC', role: 'witness' }],
    disk: { persistence: { id: 'v' }, volume: { container_path: 'v', mode: 'RW' } },
  });

/** Calls in the name of the witness. */
export function schedulerCalls({ frameworkId, streamId, agentId }: Witness): HostileCall[] {
  const framework_id = id(frameworkId);
  const info = { user: 'root', name: 'witness', roles: ['witness'], capabilities: [{ type: 'MULTI_ROLE' }] };
  const of = (
    type: string,
    body: Plain,
    invalidFields: readonly string[] = [],
    mutatedFields = [type.toLowerCase()],
  ): HostileCall => ({
    name: type,
    target: '/api/v1/scheduler',
    message: 'SchedulerCall',
    call: { framework_id, type, ...body },
    invalidFields,
    mutatedFields: ['framework_id', 'type', ...mutatedFields],
    headers: { 'Mesos-Stream-Id': streamId },
  });
  const accept = (operation: Plain, oneIn: number): HostileCall => ({
    // The offer is nobody's; what operations hold is spoiled against real offers in the core's own test.
    ...of('ACCEPT', { accept: { offer_ids: [id('none')], operations: [operation] } }),
    name: `ACCEPT ${String(operation['type'])}`,
    mutatedFields: [
      'accept.offer_ids',
      'accept.filters',
      `accept.operations.${String(operation['type']).toLowerCase()}`,
    ],
    oneIn,
  });
  const task = {
    name: 't',
    task_id: id('t'),
    agent_id: id(agentId),
    command: { value: 'true' },
    resources: [scalar('cpus', 1)],
  };
  return [
    {
      ...of('SUBSCRIBE', { subscribe: { framework_info: info, suppressed_roles: ['nobody'] } }, [
        'subscribe.suppressed_roles',
      ]),
      call: { type: 'SUBSCRIBE', subscribe: { framework_info: info, suppressed_roles: ['nobody'] } },
      headers: undefined,
    },
    of(
      'UPDATE_FRAMEWORK',
      { update_framework: { framework_info: { ...info, id: framework_id }, suppressed_roles: ['nobody'] } },
      ['update_framework.suppressed_roles'],
    ),
    of('TEARDOWN', { framework_id: id('nobody') }, ['framework_id']),
    accept({ type: 'LAUNCH', launch: { task_infos: [task] } }, 9),
    accept(
      {
        type: 'LAUNCH_GROUP',
        launch_group: {
          executor: { type: 'DEFAULT', executor_id: id('e'), framework_id },
          task_group: { tasks: [task] },
        },
      },
      13,
    ),
    accept({ type: 'RESERVE', reserve: { resources: [reserved(1)] } }, 5),
    accept({ type: 'CREATE', create: { volumes: [volume(1)] } }, 3),
    of('DECLINE', { decline: { offer_ids: [id('none')] } }),
    of('ACCEPT_INVERSE_OFFERS', { accept_inverse_offers: { inverse_offer_ids: [id('none')] } }),
    of('DECLINE_INVERSE_OFFERS', { decline_inverse_offers: { inverse_offer_ids: [id('none')] } }),
    of('REVIVE', { revive: { roles: ['nobody'] } }, ['revive.roles']),
    of('SUPPRESS', { suppress: { roles: ['nobody'] } }, ['suppress.roles']),
    of('KILL', { kill: { task_id: id('nobody'), agent_id: id(agentId) } }),
    of('SHUTDOWN', { shutdown: { executor_id: id('nobody'), agent_id: id(agentId) } }),
    of('ACKNOWLEDGE', {
      acknowledge: { agent_id: id(agentId), task_id: id('nobody'), uuid: 'AAAAAAAAQACAAAAAAAAAAA==' },
    }),
    of('ACKNOWLEDGE_OPERATION_STATUS', {
      acknowledge_operation_status: { agent_id: id(agentId), uuid: 'AAAAAAAAQACAAAAAAAAAAA==', operation_id: id('o') },
    }),
    of('RECONCILE', { reconcile: { tasks: [{ task_id: id('nobody'), agent_id: id(agentId) }] } }),
    of('RECONCILE_OPERATIONS', { reconcile_operations: { operations: [{ operation_id: id('o') }] } }),
    of('MESSAGE', { message: { agent_id: id(agentId), executor_id: id('nobody'), data: 'AAAA' } }),
    of('REQUEST', { request: { requests: [{}] } }),
  ];
}

/** Calls of an operator. */
export function masterCalls({ agentId }: Witness): HostileCall[] {
  const of = (type: string, body?: Plain, invalidFields: readonly string[] = []): HostileCall => {
    const field = type.toLowerCase();
    return {
      name: type,
      target: '/api/v1',
      message: 'MasterCall',
      call: body === undefined ? { type } : { type, [field]: body },
      invalidFields: invalidFields.map((name) => `${field}.${name}`),
      mutatedFields: ['type', field],
    };
  };
  const agent_id = id(agentId);
  const nobody = { agent_id: id('nobody') };
  const unavailability = { start: { nanoseconds: 1 } };
  const reads = [
    'HEALTH',
    'FLAGS',
    'VERSION',
    'LOGGING_LEVEL',
    'AGENTS',
    'FRAMEWORKS',
    'EXECUTORS',
    'OPERATIONS',
    'TASKS',
  ];
  const more = ['ROLES', 'WEIGHTS', 'MASTER', 'MAINTENANCE_STATUS', 'MAINTENANCE_SCHEDULE', 'QUOTA'];
  return [
    ...[...reads, ...more].map((what) => of(`GET_${what}`)),
    of('GET_METRICS', {}),
    of('SET_LOGGING_LEVEL', { level: 9, duration: { nanoseconds: 1_000_000_000 } }, ['level']),
    of('LIST_FILES', { path: '/etc' }),
    of('READ_FILE', { path: '/etc/passwd', offset: 0 }),
    of(
      'UPDATE_WEIGHTS',
      {
        weight_infos: [
          { role: 'a', weight: 2 },
          { role: 'b', weight: -1 },
        ],
      },
      ['weight_infos'],
    ),
    {
      ...of('RESERVE_RESOURCES', { agent_id, resources: [reserved(1), reserved(CPUS_OF_NOBODY)] }, ['resources']),
      oneIn: 2,
    },
    { ...of('RESERVE_RESOURCES', { ...nobody, resources: [reserved(1)] }, ['agent_id']), oneIn: 3 },
    of('UNRESERVE_RESOURCES', { agent_id, resources: [reserved(1)] }),
    of('CREATE_VOLUMES', { agent_id, volumes: [volume(1)] }),
    of('DESTROY_VOLUMES', { agent_id, volumes: [volume(1)] }),
    { ...of('GROW_VOLUME', { agent_id, volume: volume(1), addition: reserved(1) }), oneIn: 2 },
    of('SHRINK_VOLUME', { agent_id, volume: volume(1), subtract: { value: 0.5 } }),
    of(
      'UPDATE_MAINTENANCE_SCHEDULE',
      { schedule: { windows: [{ machine_ids: [{ hostname: 'h' }], unavailability }, { unavailability }] } },
      ['schedule.windows'],
    ),
    of('START_MAINTENANCE', { machines: [{ hostname: 'h' }] }),
    of('STOP_MAINTENANCE', { machines: [{ hostname: 'h' }] }),
    of('DRAIN_AGENT', { ...nobody, max_grace_period: { seconds: 1 }, mark_gone: false }),
    of('DEACTIVATE_AGENT', nobody),
    of('REACTIVATE_AGENT', nobody),
    of('MARK_AGENT_GONE', nobody),
    of('TEARDOWN', { framework_id: id('nobody') }),
    of('UPDATE_QUOTA', { quota_configs: [{ role: 'a' }, { role: '*' }] }, ['quota_configs']),
    of('SET_QUOTA', { quota_request: { role: '*', guarantee: [scalar('cpus', 1)] } }, ['quota_request.role']),
    of('REMOVE_QUOTA', { role: 'nobody' }),
  ];
}

/** An agent's calls: its files are read, nothing is launched. */
export function agentCalls(): HostileCall[] {
  const of = (type: string, body?: Plain, invalidFields: readonly string[] = []): HostileCall => ({
    name: `agent ${type}`,
    target: '/api/v1',
    message: 'AgentCall',
    call: body === undefined ? { type } : { type, [type.toLowerCase()]: body },
    invalidFields: invalidFields.map((name) => `${type.toLowerCase()}.${name}`),
    mutatedFields: ['type', type.toLowerCase()],
  });
  const container_id = id('nobody');
  const command = { value: 'true' };
  const reads = [
    'HEALTH',
    'FLAGS',
    'VERSION',
    'LOGGING_LEVEL',
    'STATE',
    'FRAMEWORKS',
    'EXECUTORS',
    'OPERATIONS',
    'TASKS',
    'AGENT',
  ];
  return [
    ...reads.map((what) => of(`GET_${what}`)),
    of('GET_METRICS', {}),
    of('SET_LOGGING_LEVEL', { level: 9, duration: { nanoseconds: 1_000_000_000 } }, ['level']),
    of('LIST_FILES', { path: '../../../../etc' }),
    of('READ_FILE', { path: '/slave/log/../../../../etc/passwd', offset: 0 }),
    // In a container that is not there.
    {
      ...of('LAUNCH_NESTED_CONTAINER', { container_id: { ...id('c'), parent: container_id }, command }, [
        'container_id',
      ]),
      oneIn: 2,
    },
    {
      ...of('LAUNCH_CONTAINER', { container_id: { ...id('c'), parent: container_id }, command }, ['container_id']),
      oneIn: 3,
    },
    of('WAIT_NESTED_CONTAINER', { container_id }),
    of('KILL_NESTED_CONTAINER', { container_id }),
    of('REMOVE_NESTED_CONTAINER', { container_id }),
    of('WAIT_CONTAINER', { container_id }),
    of('KILL_CONTAINER', { container_id }),
    of('REMOVE_CONTAINER', { container_id }),
    of('ATTACH_CONTAINER_OUTPUT', { container_id }),
    of('MARK_RESOURCE_PROVIDER_GONE', { resource_provider_id: id('nobody') }),
  ];
}
