// What the agents and frameworks of a rehearsal send, and the registry that an earlier term has left. Ids are those of no
// cluster: they exist in the rehearsed master only.
import { type AgentId, type Pid, pidOf } from '@meseta/base';
import type {
  AgentInfo,
  FrameworkInfo,
  LibprocessMessage,
  Offer,
  Resource,
  Task,
  TaskInfo,
  TaskState,
  TaskStatus,
} from '@meseta/wire';
import { encodeAgentInfo } from '../../registry/agent-info.js';
import { encodeOperations, encodeRegistry } from '../../registry/encode.js';
import { emptyRegistry } from '../../registry/state.js';

const CLUSTER = '00000000-0000-4000-8000-000000000000';
const VERSION = '1.12.0';
const ROLES = ['*', 'services', 'batch'] as const;
const CAPABILITIES = (
  [
    'MULTI_ROLE',
    'HIERARCHICAL_ROLE',
    'RESERVATION_REFINEMENT',
    'RESOURCE_PROVIDER',
    'RESIZE_VOLUME',
    'AGENT_OPERATION_FEEDBACK',
    'AGENT_DRAINING',
    'TASK_RESOURCE_LIMITS',
  ] as const
).map((type) => ({ type }));

const agentIdOf = (n: number): AgentId => `${CLUSTER}-S${n}` as AgentId;
export const agentPidOf = (n: number): Pid => pidOf('slave(1)', `198.51.100.${n % 256}:${5051 + Math.floor(n / 256)}`);

/** Sixteen bytes in base64 that differ by `n`. */
function uuidBytes(n: number): string {
  const bytes = Buffer.alloc(16);
  bytes.writeUInt32BE(n, 12);
  bytes[6] = 0x40;
  bytes[8] = 0x80;
  return bytes.toString('base64');
}

const scalar = (name: string, value: number): Resource => ({ name, type: 'SCALAR', scalar: { value } });

const agentInfo = (n: number, isKnown: boolean): AgentInfo => ({
  hostname: `agent${n}.example`,
  resources: [
    scalar('cpus', 16),
    scalar('mem', 65_536),
    scalar('disk', 262_144),
    { name: 'ports', type: 'RANGES', ranges: { range: [{ begin: 31_000, end: 32_000 }] } },
  ],
  attributes: [{ name: 'rack', type: 'TEXT', text: { value: `r${n % 8}` } }],
  ...(isKnown ? { id: { value: agentIdOf(n) } } : {}),
  checkpoint: true,
  port: 5051,
});

export const frameworkInfo = (n: number): FrameworkInfo => ({
  user: 'root',
  name: `framework${n}`,
  id: { value: `${CLUSTER}-${n}` },
  failover_timeout: 3600,
  checkpoint: true,
  capabilities: [{ type: 'MULTI_ROLE' }, { type: 'RESERVATION_REFINEMENT' }, { type: 'PARTITION_AWARE' }],
  roles: [roleOf(n)],
});

const roleOf = (framework: number): string => ROLES[framework % ROLES.length] as string;

export const registration = (n: number): LibprocessMessage => ({
  name: 'RegisterAgentMessage',
  body: {
    agent: agentInfo(n, false),
    version: VERSION,
    agent_capabilities: CAPABILITIES,
    resource_version_uuid: { value: uuidBytes(n) },
  },
});

/** With one task of each framework. */
export const reregistration = (n: number, frameworks: number): LibprocessMessage => ({
  name: 'ReregisterAgentMessage',
  body: {
    agent: agentInfo(n, true),
    tasks: Array.from({ length: frameworks }, (_, framework) => runningTask(n, framework)),
    version: VERSION,
    frameworks: Array.from({ length: frameworks }, (_, framework) => frameworkInfo(framework)),
    agent_capabilities: CAPABILITIES,
    resource_version_uuid: { value: uuidBytes(n) },
  },
});

export const agentUpdate = (agentId: AgentId, n: number): LibprocessMessage => ({
  name: 'UpdateAgentMessage',
  body: { agent_id: { value: agentId }, resource_version_uuid: { value: uuidBytes(n) } },
});

function runningTask(agent: number, framework: number): Task {
  const taskId = `task-${agent}-${framework}`;
  const allocation_info = { role: roleOf(framework) };
  const status = statusOf({ taskId, agentId: agentIdOf(agent), state: 'TASK_RUNNING', n: agent });
  return {
    name: taskId,
    task_id: { value: taskId },
    framework_id: { value: `${CLUSTER}-${framework}` },
    agent_id: { value: agentIdOf(agent) },
    state: 'TASK_RUNNING',
    resources: [
      { ...scalar('cpus', 0.1), allocation_info },
      { ...scalar('mem', 32), allocation_info },
    ],
    statuses: [status],
    status_update_state: 'TASK_RUNNING',
    ...(status.uuid === undefined ? {} : { status_update_uuid: status.uuid }),
    labels: { labels: [{ key: 'team', value: `t${framework}` }] },
    user: 'root',
  };
}

interface StatusParts {
  readonly taskId: string;
  readonly agentId: string;
  readonly state: TaskState;
  /** The update's uuid is made from it. */
  readonly n: number;
}

const statusOf = ({ taskId, agentId, state, n }: StatusParts): TaskStatus => ({
  task_id: { value: taskId },
  state,
  agent_id: { value: agentId },
  timestamp: Math.round(Date.now()) / 1000,
  executor_id: { value: taskId },
  source: 'SOURCE_EXECUTOR',
  uuid: uuidBytes(n),
  container_status: { network_infos: [{ ip_addresses: [{ ip_address: '198.51.100.1' }] }] },
});

export function statusUpdate(frameworkId: string, pid: Pid, parts: StatusParts): LibprocessMessage {
  const status = statusOf(parts);
  return {
    name: 'StatusUpdateMessage',
    body: {
      update: {
        framework_id: { value: frameworkId },
        executor_id: { value: parts.taskId },
        agent_id: { value: parts.agentId },
        status,
        timestamp: status.timestamp ?? 0,
        ...(status.uuid === undefined ? {} : { uuid: status.uuid }),
        latest_state: parts.state,
      },
      pid,
    },
  };
}

export const acknowledgement = ({ taskId, agentId, n }: Omit<StatusParts, 'state'>) => ({
  agent_id: { value: agentId },
  task_id: { value: taskId },
  uuid: uuidBytes(n),
});

/** A task that fits into the offer. */
export function taskInfo(taskId: string, { agent_id, allocation_info }: Offer): TaskInfo {
  const allocated = (name: string, value: number): Resource => ({
    ...scalar(name, value),
    ...(allocation_info === undefined ? {} : { allocation_info }),
  });
  return {
    name: taskId,
    task_id: { value: taskId },
    agent_id,
    resources: [allocated('cpus', 0.1), allocated('mem', 32)],
    command: { value: 'sleep 60', environment: { variables: [{ name: 'NAME', value: taskId }] } },
    labels: { labels: [{ key: 'team', value: 'a' }] },
  };
}

/** A registry of so many agents, the last one in a batch after the snapshot. */
export function registryOf(agents: number): { readonly snapshot: Uint8Array; readonly batch: Uint8Array } {
  const registry = emptyRegistry();
  for (let n = 0; n < agents - 1; n++) registry.agents.set(agentIdOf(n), { info: encodeAgentInfo(agentInfo(n, true)) });
  const last = encodeAgentInfo(agentInfo(agents - 1, true));
  const admission = encodeOperations([{ kind: 'admitAgent', agentId: agentIdOf(agents - 1), info: last }]);
  return { snapshot: Buffer.from([...encodeRegistry(registry)].join('')), batch: Buffer.from(admission) };
}
