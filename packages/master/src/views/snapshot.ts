// The input of a rendering: references to the core's records, taken in one turn. The state changes while the rendering is
// made in slices; the records never do.
import { pushAll } from '@meseta/base';
import { createSum } from '@meseta/resources';
import type { AgentID, ExecutorInfo, InverseOffer, Offer, Resource, Task } from '@meseta/wire';
import { isTerminal } from '@meseta/wire/task-states';
import type { Agent, Framework, MasterState, OfferRecord, OperationRecord, RecoveredAgent } from '../core/state.js';
import { type Approver, approveAll } from './approver.js';

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
  /** Wall clock; undefined while the framework is registered. */
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

function frameworkView(state: MasterState, framework: Framework, unregisteredAtMs: number | undefined): FrameworkView {
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

/** The resources of a framework's tasks and executors. Those of pending operations are not included. */
export function* allocatedTo(
  view: FrameworkView,
): Generator<{ readonly agentId: AgentID; readonly resources: readonly Resource[] }> {
  for (const task of view.tasks) {
    if (!isTerminal(task.state)) yield { agentId: task.agent_id, resources: task.resources ?? [] };
  }
  for (const { agentId, info } of view.executors) yield { agentId, resources: info.resources ?? [] };
}

export const usedByFramework = (view: FrameworkView): readonly Resource[] =>
  view.unregisteredAtMs === undefined ? [...allocatedTo(view)].flatMap(({ resources }) => resources) : [];

/** The resources of a framework, merged. */
export interface Share {
  readonly used: readonly Resource[];
  readonly offered: readonly Resource[];
}

export type ShareOf = (view: FrameworkView) => Share;

/** The share of each framework; a completed one has none. Yields regularly, because there may be many tasks and offers. */
export function* sharesOf(views: readonly FrameworkView[]): Generator<'', ShareOf> {
  const shares = new Map<FrameworkView, Share>();
  let count = 0;
  for (const view of views) {
    const [used, offered] = [createSum(), createSum()];
    for (const { resources } of view.unregisteredAtMs === undefined ? allocatedTo(view) : []) {
      used.add(resources);
      if (++count % RECORDS_A_SLICE === 0) yield '';
    }
    for (const { resources = [] } of view.offers) {
      offered.add(resources);
      if (++count % RECORDS_A_SLICE === 0) yield '';
    }
    shares.set(view, { used: used.result(), offered: offered.result() });
  }
  return (view) => shares.get(view) ?? { used: [], offered: [] };
}

export const offeredTo = (view: FrameworkView): readonly Resource[] =>
  view.offers.flatMap((offer) => offer.resources ?? []);

/** The items of the list that may be seen. Yields regularly if each item has to be checked. */
export function* seen<T>(list: readonly T[], isSeen: ((item: T) => boolean) | undefined): Generator<'', readonly T[]> {
  if (isSeen === undefined) return list;
  const kept: T[] = [];
  for (let i = 0; i < list.length; i++) {
    const item = list[i] as T;
    if (isSeen(item)) kept.push(item);
    if (i % RECORDS_A_SLICE === RECORDS_A_SLICE - 1) yield '';
  }
  return kept;
}

export const seenTasks = (list: readonly Task[], { framework }: FrameworkView, approver: Approver) =>
  seen(list, approver === approveAll ? undefined : (task) => approver.task(task, framework));

const RECORDS_A_SLICE = 1_000;

/** The used and the offered resources of an agent. */
export interface AgentUse {
  readonly used: readonly Resource[];
  readonly offered: readonly Resource[];
}

/** An agent with the resource lists of its tasks and offers. The same object as long as none of them changes. */
export interface AgentView {
  readonly agent: Agent;
  readonly used: readonly (readonly Resource[])[];
  readonly offered: readonly (readonly Resource[])[];
}

export const useOf = ({ used, offered }: AgentView): AgentUse => ({ used: used.flat(), offered: offered.flat() });

type Lists = (readonly Resource[])[];

const noLists: Lists = [];

const sameLists = (a: AgentView['used'], b: AgentView['used']): boolean =>
  a.length === b.length && a.every((list, i) => list === b[i]);

/** The agent views of the snapshot; those of `earlier` that have not changed are reused. Yields regularly. */
export function* agentViews(
  snapshot: Snapshot,
  earlier: readonly AgentView[] = [],
): Generator<'', readonly AgentView[]> {
  const used = new Map<string, Lists>();
  const offered = new Map<string, Lists>();
  const addTo = (lists: Map<string, Lists>, agentId: string, resources: readonly Resource[]): void => {
    const known = lists.get(agentId);
    if (known === undefined) lists.set(agentId, [resources]);
    else known.push(resources);
  };
  let count = 0;
  for (const view of snapshot.frameworks) {
    for (const { agentId, resources } of allocatedTo(view)) {
      addTo(used, agentId.value, resources);
      if (++count % RECORDS_A_SLICE === 0) yield '';
    }
  }
  for (const { agentId, consumed, speculative } of snapshot.operations)
    if (!speculative) addTo(used, agentId, consumed);
  yield '';
  for (const { agentId, resources } of snapshot.offers) addTo(offered, agentId, resources);
  yield '';
  const before = new Map(earlier.map((view) => [view.agent, view]));
  const views: AgentView[] = [];
  for (const agent of snapshot.agents) {
    const now = { agent, used: used.get(agent.id) ?? noLists, offered: offered.get(agent.id) ?? noLists };
    const was = before.get(agent);
    const same = was !== undefined && sameLists(was.used, now.used) && sameLists(was.offered, now.offered);
    if (views.push(same ? was : now) % RECORDS_A_SLICE === 0) yield '';
  }
  return views;
}

/** The use of one agent. */
export function useOfAgent(state: MasterState, agent: Agent): AgentUse {
  const used: Resource[] = [];
  for (const [frameworkId, taskIds] of agent.tasks) {
    const tasks = state.frameworks.get(frameworkId)?.tasks;
    for (const id of taskIds) {
      const task = tasks?.get(id);
      if (task !== undefined && !isTerminal(task.state)) pushAll(used, task.resources ?? []);
    }
  }
  for (const infos of agent.executors.values()) for (const info of infos.values()) pushAll(used, info.resources ?? []);
  for (const uuid of agent.operations) {
    const operation = state.operations.get(uuid);
    if (operation !== undefined && !operation.speculative) pushAll(used, operation.consumed);
  }
  const offered = [...agent.offers].flatMap((id) => state.offers.get(id)?.resources ?? []);
  return { used, offered };
}
