// What a rendering looks at: references taken from the core's state in one go. The state goes on changing while the
// rendering is made slice by slice; the records that it refers to never change.
import type { AgentId } from '@meseta/base';
import type { AgentID, ExecutorInfo, InverseOffer, Offer, Resource, Task } from '@meseta/wire';
import type { Agent, Framework, MasterState, OfferRecord, OperationRecord, RecoveredAgent } from '../core/state.js';
import { isTerminal } from '../core/task-states.js';

export interface ExecutorView {
  readonly agentId: AgentID;
  readonly info: ExecutorInfo;
}

export interface FrameworkView {
  readonly framework: Framework;
  readonly tasks: readonly Task[];
  readonly unreachableTasks: readonly Task[];
  readonly completedTasks: readonly Task[];
  readonly executors: readonly ExecutorView[];
  readonly offers: readonly Offer[];
  readonly inverseOffers: readonly InverseOffer[];
  /** Wall clock; undefined while it lives. */
  readonly unregisteredAtMs: number | undefined;
}

export interface Snapshot {
  readonly agents: readonly Agent[];
  readonly recoveredAgents: readonly RecoveredAgent[];
  readonly frameworks: readonly FrameworkView[];
  readonly completedFrameworks: readonly FrameworkView[];
  readonly operations: readonly OperationRecord[];
  readonly offers: readonly OfferRecord[];
}

export function snapshotOf(state: MasterState): Snapshot {
  return {
    agents: [...state.agents.registered.values()],
    recoveredAgents: [...state.agents.recovered.values()],
    frameworks: [...state.frameworks.values()].map((framework) => frameworkView(state, framework, undefined)),
    completedFrameworks: [...state.completedFrameworks.values()].map(({ framework, unregisteredAtMs }) =>
      frameworkView(state, framework, unregisteredAtMs),
    ),
    operations: [...state.operations.values()],
    offers: [...state.offers.values()],
  };
}

export function frameworkView(
  state: MasterState,
  framework: Framework,
  unregisteredAtMs: number | undefined,
): FrameworkView {
  const executors: ExecutorView[] = [];
  for (const [agentId, infos] of framework.executors) {
    const wireId = state.agents.registered.get(agentId)?.wireId ?? { value: agentId };
    for (const info of infos.values()) executors.push({ agentId: wireId, info });
  }
  return {
    framework,
    tasks: [...framework.tasks.values()],
    unreachableTasks: [...framework.unreachableTasks.values()],
    completedTasks: [...framework.completedTasks.values()],
    executors,
    offers: [...framework.offers].flatMap((id) => state.offers.get(id)?.offer ?? []),
    inverseOffers: [...framework.inverseOffers].flatMap((id) => state.inverseOffers.get(id)?.offer ?? []),
    unregisteredAtMs,
  };
}

/** What a framework's live tasks and executors hold. Pending operations are added by whoever knows them. */
export function* heldBy(
  view: FrameworkView,
): Generator<{ readonly agentId: AgentID; readonly resources: readonly Resource[] }> {
  for (const task of view.tasks) {
    if (!isTerminal(task.state)) yield { agentId: task.agent_id, resources: task.resources ?? [] };
  }
  for (const { agentId, info } of view.executors) yield { agentId, resources: info.resources ?? [] };
}

export const usedBy = (view: FrameworkView): readonly Resource[] =>
  view.unregisteredAtMs === undefined ? [...heldBy(view)].flatMap(({ resources }) => resources) : [];

export const offeredTo = (view: FrameworkView): readonly Resource[] =>
  view.offers.flatMap((offer) => offer.resources ?? []);

/** What is used and offered of each agent; those of which nothing is are not in it. */
export interface AgentUse {
  readonly used: readonly Resource[];
  readonly offered: readonly Resource[];
}

const nothing: AgentUse = { used: [], offered: [] };

/** Yields now and then, so that a large cluster is added up in slices. */
export function* useByAgent(snapshot: Snapshot): Generator<'', (agent: AgentId) => AgentUse> {
  const uses = new Map<string, { used: Resource[]; offered: Resource[] }>();
  const of = (agentId: string) => {
    const found = uses.get(agentId) ?? { used: [], offered: [] };
    uses.set(agentId, found);
    return found;
  };
  let count = 0;
  for (const view of snapshot.frameworks) {
    for (const { agentId, resources } of heldBy(view)) {
      of(agentId.value).used.push(...resources);
      if (++count % 1_000 === 0) yield '';
    }
  }
  for (const { agentId, consumed, speculative } of snapshot.operations)
    if (!speculative) of(agentId).used.push(...consumed);
  for (const { agentId, resources } of snapshot.offers) of(agentId).offered.push(...resources);
  return (agent) => uses.get(agent) ?? nothing;
}

/** Of one agent alone. */
export function useOfAgent(state: MasterState, agent: Agent): AgentUse {
  const used: Resource[] = [];
  for (const [frameworkId, taskIds] of agent.tasks) {
    const tasks = state.frameworks.get(frameworkId)?.tasks;
    for (const id of taskIds) {
      const task = tasks?.get(id);
      if (task !== undefined && !isTerminal(task.state)) used.push(...(task.resources ?? []));
    }
  }
  for (const infos of agent.executors.values()) for (const info of infos.values()) used.push(...(info.resources ?? []));
  const offered = [...agent.offers].flatMap((id) => state.offers.get(id)?.resources ?? []);
  return { used, offered };
}

/** The frameworks and agents that a viewer may see; equal keys see the same. */
export interface Approver {
  readonly key: string;
  framework(framework: Framework): boolean;
  task(task: Task, framework: Framework): boolean;
  executor(info: ExecutorInfo, framework: Framework): boolean;
  role(role: string): boolean;
  quota(role: string): boolean;
  readonly flags: boolean;
  readonly maintenanceSchedule: boolean;
  readonly maintenanceStatus: boolean;
}

/** Whether each role that a resource is reserved for or allocated to may be seen. */
export const seesResource = (
  approver: Approver,
  { role, reservations = [], allocation_info: info }: Resource,
): boolean =>
  (role === undefined || role === '*' || approver.role(role)) &&
  reservations.every((reservation) => approver.role(reservation.role ?? '*')) &&
  (info?.role === undefined || approver.role(info.role));

export const approveAll: Approver = {
  key: '*',
  framework: () => true,
  task: () => true,
  executor: () => true,
  role: () => true,
  quota: () => true,
  flags: true,
  maintenanceSchedule: true,
  maintenanceStatus: true,
};
