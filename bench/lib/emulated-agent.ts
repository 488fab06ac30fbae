// The messages of an emulated agent: those of a Mesos agent, without real tasks.
import { randomBytes } from 'node:crypto';
import { CAPABILITIES } from '@meseta/agent/core/registration';
import type {
  AgentInfo,
  FrameworkInfo,
  RegisterAgentMessage,
  ReregisterAgentMessage,
  Resource,
  StatusUpdateMessage,
  Task,
  TaskState,
  TaskStatus,
} from '@meseta/wire';

const AGENT_CPUS = 32;

const VERSION = '1.12.0';
const RESOURCE_VERSION = { value: uuidBytes() };

const scalar = (name: string, value: number): Resource => ({ name, type: 'SCALAR', scalar: { value }, role: '*' });

/** Sixteen random bytes of version 4 as base64. */
function uuidBytes(): string {
  const bytes = randomBytes(16);
  bytes[6] = ((bytes[6] as number) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] as number) & 0x3f) | 0x80;
  return bytes.toString('base64');
}

/** An agent with the resources and attributes of a typical machine. */
export const agentInfo = (at: number, port: number, id?: string): AgentInfo => ({
  hostname: `node-${at}.example`,
  resources: [
    scalar('cpus', AGENT_CPUS),
    scalar('mem', 131_072),
    scalar('disk', 1_048_576),
    { name: 'ports', type: 'RANGES', ranges: { range: [{ begin: 31_000, end: 32_000 }] }, role: '*' },
  ],
  attributes: [{ name: 'rack', type: 'TEXT', text: { value: `r${at % 40}` } }],
  ...(id === undefined ? {} : { id: { value: id } }),
  checkpoint: true,
  port,
});

export const registration = (info: AgentInfo): RegisterAgentMessage => ({
  agent: info,
  version: VERSION,
  agent_capabilities: CAPABILITIES,
  resource_version_uuid: RESOURCE_VERSION,
});

export const reregistration = (
  info: AgentInfo,
  tasks: readonly Task[],
  frameworks: readonly FrameworkInfo[],
): ReregisterAgentMessage => ({
  agent: info,
  ...(tasks.length === 0 ? {} : { tasks }),
  version: VERSION,
  ...(frameworks.length === 0 ? {} : { frameworks }),
  agent_capabilities: CAPABILITIES,
  resource_version_uuid: RESOURCE_VERSION,
});

/** A running task, as agents report it when they re-register. */
export function runningTask(taskId: string, agentId: string, frameworkId: string): Task {
  const status = {
    task_id: { value: taskId },
    state: 'TASK_RUNNING' as const,
    agent_id: { value: agentId },
    timestamp: Math.round(Date.now()) / 1000,
    executor_id: { value: taskId },
    source: 'SOURCE_EXECUTOR' as const,
    uuid: uuidBytes(),
    container_status: { network_infos: [{ ip_addresses: [{ ip_address: '127.0.0.1' }] }] },
  };
  const allocation_info = { role: '*' };
  return {
    name: taskId,
    task_id: { value: taskId },
    framework_id: { value: frameworkId },
    agent_id: { value: agentId },
    state: 'TASK_RUNNING',
    resources: [
      { ...scalar('cpus', 0.1), allocation_info },
      { ...scalar('mem', 32), allocation_info },
    ],
    statuses: [status],
    status_update_state: 'TASK_RUNNING',
    status_update_uuid: status.uuid,
    labels: { labels: [{ key: 'team', value: 'bench' }] },
    user: 'root',
  };
}

export interface UpdateOf {
  readonly taskId: string;
  readonly agentId: string;
  readonly frameworkId: string;
  readonly state: TaskState;
  readonly pid: string;
  readonly more?: Pick<TaskStatus, 'healthy' | 'message'>;
}

/** The status update of a command task, as Mesos' agent sends it. */
export function statusUpdate({ taskId, agentId, frameworkId, state, pid, more = {} }: UpdateOf): StatusUpdateMessage {
  const agent_id = { value: agentId };
  const executor_id = { value: taskId };
  const timestamp = Math.round(Date.now()) / 1000;
  const uuid = uuidBytes();
  return {
    update: {
      framework_id: { value: frameworkId },
      executor_id,
      agent_id,
      status: {
        task_id: { value: taskId },
        state,
        ...(more.message === undefined ? {} : { message: more.message }),
        agent_id,
        timestamp,
        executor_id,
        ...(more.healthy === undefined ? {} : { healthy: more.healthy }),
        source: 'SOURCE_EXECUTOR',
        uuid,
        container_status: { network_infos: [{ ip_addresses: [{ ip_address: '127.0.0.1' }] }] },
      },
      timestamp,
      uuid,
      latest_state: state,
    },
    pid,
  };
}
