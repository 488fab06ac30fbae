// GET_STATE and its parts: agents, frameworks, executors, tasks.
import type {
  AgentInfo,
  Codec,
  MasterResponseGetAgentsAgent,
  MasterResponseGetAgentsAgentResourceProvider,
  MasterResponseGetExecutorsExecutor,
  Task,
} from '@meseta/wire';
import {
  AgentInfoCodec,
  MasterResponseGetAgentsAgentCodec,
  MasterResponseGetExecutorsExecutorCodec,
  TaskCodec,
} from '@meseta/wire/codecs';
import type { MediaType } from '@meseta/wire/media';
import { withoutSecrets } from '@meseta/wire/secrets';
import { infoOfRecovered } from '../core/agents/records.js';
import { type Agent, isActive } from '../core/state.js';
import { type Approver, seesResource } from './approver.js';
import { createLists, type Document, type Remembered } from './runs.js';
import {
  type AgentUse,
  type AgentView,
  agentViews,
  type FrameworkView,
  type ShareOf,
  type Snapshot,
  seenTasks,
  sharesOf,
  useOf,
} from './snapshot.js';
import { listField, type ObjectField, renderDocument } from './v1-document.js';
import { listed, timed, timeOf } from './v1-fields.js';
import { frameworkList } from './v1-frameworks.js';

/**
 * In these answers, and nowhere else, Mesos writes the agent's info with v0's `checkpoint`, which is always true:
 * its JSON is made from the v0 message.
 */
const checkpointed = (agentInfo: string): string => `{"checkpoint":true,${agentInfo.slice(1)}`;

const agentInfoCodec: Codec<AgentInfo> = {
  ...AgentInfoCodec,
  write: (info) => checkpointed(AgentInfoCodec.write(info)),
};

/** `agent_info` is the first field of an agent. */
const agentCodec: Codec<MasterResponseGetAgentsAgent> = {
  ...MasterResponseGetAgentsAgentCodec,
  write: (agent) => {
    const text = MasterResponseGetAgentsAgentCodec.write(agent);
    const begin = '{"agent_info":'.length;
    return text.slice(0, begin) + checkpointed(text.slice(begin));
  },
};

/** The agent without resources of roles that may not be seen. */
function infoSeenBy(approver: Approver, info: AgentInfo): AgentInfo {
  const { resources = [] } = info;
  const seen = resources.filter((resource) => seesResource(approver, resource));
  return seen.length === resources.length ? info : { ...info, resources: seen };
}

export function agentMessage(agent: Agent, use: AgentUse, approver: Approver): MasterResponseGetAgentsAgent {
  const providers = [...agent.resourceProviders.values()].map(
    ({ info, total }): MasterResponseGetAgentsAgentResourceProvider => ({
      resource_provider_info: info,
      total_resources: total,
    }),
  );
  return {
    agent_info: infoSeenBy(approver, agent.info),
    active: isActive(agent),
    version: agent.version,
    pid: agent.pid,
    registered_time: timeOf(agent.registeredAtMs),
    ...timed('reregistered_time', agent.reregisteredAtMs),
    ...listed('total_resources', agent.totalResources, approver),
    ...listed('allocated_resources', use.used, approver),
    ...listed('offered_resources', use.offered, approver),
    capabilities: [...agent.capabilities].map((type) => ({ type })),
    ...(providers.length === 0 ? {} : { resource_providers: providers }),
    deactivated: agent.deactivated,
    ...(agent.drainInfo === undefined
      ? {}
      : { drain_info: agent.drainInfo, ...timed('estimated_drain_start_time', agent.drainStartedAtMs) }),
  };
}

const agentsField = (number: number, { snapshot, agents, approver }: DocumentRecords): ObjectField => ({
  name: 'get_agents',
  number,
  fields: [
    listField(['agents', 1], 'agents', agents, agentCodec, (view) => agentMessage(view.agent, useOf(view), approver)),
    listField(
      ['recovered_agents', 2],
      'recovered agents',
      snapshot.recoveredAgents,
      agentInfoCodec,
      (agent): AgentInfo => infoSeenBy(approver, infoOfRecovered(agent)),
    ),
  ],
});

const frameworksField = (number: number, records: DocumentRecords): ObjectField => {
  const { snapshot, approver, shareOf } = records;
  const isSeen = ({ framework }: FrameworkView): boolean => approver.framework(framework);
  const list = (name: string, at: number, views: readonly FrameworkView[]) =>
    frameworkList([name, at], views.filter(isSeen), shareOf, approver);
  return {
    name: 'get_frameworks',
    number,
    fields: [list('frameworks', 1, snapshot.frameworks), list('completed_frameworks', 2, snapshot.completedFrameworks)],
  };
};

const executorsField = (number: number, { snapshot, approver }: DocumentRecords): ObjectField => {
  const executors = snapshot.frameworks
    .filter(({ framework }) => approver.framework(framework))
    .flatMap((view) =>
      view.executors
        .filter(({ info }) => approver.executor(info, view.framework))
        .map(
          ({ info, agentId }): MasterResponseGetExecutorsExecutor => ({
            executor_info: withoutSecrets(info),
            agent_id: agentId,
          }),
        ),
    );
  const codec = MasterResponseGetExecutorsExecutorCodec;
  const list = listField(['executors', 1], 'executors', executors, codec, (executor) => executor);
  return { name: 'get_executors', number, fields: [list] };
};

const tasksField = (number: number, { tasks, unreachableTasks, completedTasks }: DocumentRecords): ObjectField => {
  const list = (name: string, at: number, tasksOfList: readonly Task[]) =>
    listField([name, at], name, tasksOfList, TaskCodec, (task) => task);
  return {
    name: 'get_tasks',
    number,
    fields: [
      list('tasks', 2, tasks),
      list('unreachable_tasks', 5, unreachableTasks),
      list('completed_tasks', 3, completedTasks),
    ],
  };
};

export type StateCall = 'GET_STATE' | 'GET_AGENTS' | 'GET_FRAMEWORKS' | 'GET_EXECUTORS' | 'GET_TASKS';

/** By call: the enum value of the response's type and the number of its field in the response. */
const numbers: { readonly [C in StateCall]: readonly [type: number, field: number] } = {
  GET_STATE: [8, 9],
  GET_AGENTS: [9, 10],
  GET_FRAMEWORKS: [10, 11],
  GET_EXECUTORS: [11, 12],
  GET_TASKS: [12, 13],
};

export const isStateCall = (call: string): call is StateCall => Object.hasOwn(numbers, call);

const stateField = (number: number, records: DocumentRecords): ObjectField => ({
  name: 'get_state',
  number,
  fields: [tasksField(1, records), executorsField(2, records), frameworksField(3, records), agentsField(4, records)],
});

/** The records of a document, collected before the first one is encoded; lists that the document does not show are empty. */
interface DocumentRecords {
  readonly snapshot: Snapshot;
  readonly approver: Approver;
  readonly agents: readonly AgentView[];
  readonly shareOf: ShareOf;
  readonly tasks: readonly Task[];
  readonly unreachableTasks: readonly Task[];
  readonly completedTasks: readonly Task[];
}

function* collectRecords(
  call: StateCall,
  snapshot: Snapshot,
  approver: Approver,
  earlier: Remembered | undefined,
): Generator<'', DocumentRecords> {
  const shows = (part: StateCall): boolean => call === 'GET_STATE' || call === part;
  const views = [...snapshot.frameworks, ...snapshot.completedFrameworks].filter(({ framework }) =>
    approver.framework(framework),
  );
  const lists: Record<'tasks' | 'unreachableTasks' | 'completedTasks', (readonly Task[])[]> = {
    tasks: [],
    unreachableTasks: [],
    completedTasks: [],
  };
  for (const view of shows('GET_TASKS') ? views : []) {
    for (const name of ['tasks', 'unreachableTasks', 'completedTasks'] as const) {
      lists[name].push(yield* seenTasks(view[name], view, approver));
    }
  }
  return {
    snapshot,
    approver,
    agents: shows('GET_AGENTS') ? yield* agentViews(snapshot, earlier?.agents) : [],
    shareOf: yield* sharesOf(shows('GET_FRAMEWORKS') ? views : []),
    tasks: lists.tasks.flat(),
    unreachableTasks: lists.unreachableTasks.flat(),
    completedTasks: lists.completedTasks.flat(),
  };
}

export function* stateCallDocument(
  call: StateCall,
  mediaType: MediaType,
  snapshot: Snapshot,
  approver: Approver,
  earlier: Remembered | undefined,
): Document {
  const [type, number] = numbers[call];
  const records = yield* collectRecords(call, snapshot, approver, earlier);
  const fields: { readonly [C in StateCall]: (number: number, records: DocumentRecords) => ObjectField } = {
    GET_STATE: stateField,
    GET_AGENTS: agentsField,
    GET_FRAMEWORKS: frameworksField,
    GET_EXECUTORS: executorsField,
    GET_TASKS: tasksField,
  };
  const lists = createLists(earlier?.lists);
  yield* renderDocument(mediaType, [call, type], fields[call](number, records), lists);
  return { lists: lists.written, agents: records.agents };
}

/** The first event of an operator's stream: type SUBSCRIBED (1), field 2. */
export function* subscribedDocument(
  mediaType: MediaType,
  snapshot: Snapshot,
  approver: Approver,
  heartbeatIntervalSeconds: number,
  earlier: Remembered | undefined,
): Document {
  const records = yield* collectRecords('GET_STATE', snapshot, approver, earlier);
  const interval = { name: 'heartbeat_interval_seconds', number: 2, value: heartbeatIntervalSeconds };
  const fields = [stateField(1, records), interval];
  const lists = createLists(earlier?.lists);
  yield* renderDocument(mediaType, ['SUBSCRIBED', 1], { name: 'subscribed', number: 2, fields }, lists);
  return { lists: lists.written, agents: records.agents };
}
