// /state, /state-summary and /flags.

import { agentInfoFields, buildFields, domainJson, secondsJson, stringsJson } from '@meseta/resources/v0-json';
import type { MasterInfo, Task, TaskState } from '@meseta/wire';
import { type JsonFields, jsonIfSet, jsonNumber, jsonObject, jsonString } from '@meseta/wire/json';
import { infoOfRecovered } from '../core/agents/records.js';
import type { MasterState } from '../core/state.js';
import { isActive } from '../core/state.js';
import type { Approver } from './approver.js';
import type { ProcessFacts } from './facts.js';
import { type Pieces, separated } from './pieces.js';
import { createLists, type Document, jsonElements, type Remembered } from './runs.js';
import { agentViews, type FrameworkView, type Snapshot, sharesOf, useOf } from './snapshot.js';
import { agentFields } from './v0-agents.js';
import { frameworkLists, summaryFields } from './v0-frameworks.js';

const flagsJson = (flags: ReadonlyMap<string, string>): string =>
  jsonObject([...flags].map(([name, value]) => [name, jsonString(value)]));

export const flagsDocument = ({ flags }: ProcessFacts): string => `{"flags":${flagsJson(flags)}}`;

const leaderJson = (info: MasterInfo): string =>
  jsonObject([
    ['id', jsonString(info.id)],
    ['pid', jsonString(info.pid ?? '')],
    ['port', jsonNumber(info.port)],
    ['hostname', jsonString(info.hostname ?? '')],
    ['domain', jsonIfSet(info.domain, domainJson)],
  ]);

const capabilitiesJson = ({ capabilities = [] }: MasterInfo): string =>
  stringsJson(capabilities.map(({ type }) => type ?? 'UNKNOWN'));

function masterFields(state: MasterState, snapshot: Snapshot, facts: ProcessFacts, approver: Approver): JsonFields {
  const { info } = facts;
  const active = snapshot.agents.filter(isActive).length;
  const shown = (name: string) => (approver.flags ? jsonIfSet(facts.flags.get(name), jsonString) : undefined);
  return [
    ...buildFields(facts.build),
    ['start_time', secondsJson(facts.startedAtMs)],
    ['elected_time', jsonIfSet(state.electedAtMs, secondsJson)],
    ['id', jsonString(info.id)],
    ['pid', jsonString(info.pid ?? '')],
    ['hostname', jsonString(info.hostname ?? '')],
    ['capabilities', capabilitiesJson(info)],
    ['activated_slaves', jsonNumber(active)],
    ['deactivated_slaves', jsonNumber(snapshot.agents.length - active)],
    ['unreachable_slaves', jsonNumber(state.agents.unreachable.size)],
    ['domain', jsonIfSet(info.domain, domainJson)],
    ['leader', jsonString(info.pid ?? '')],
    ['leader_info', leaderJson(info)],
    ['cluster', shown('cluster')],
    ['log_dir', shown('log_dir')],
    ['external_log_file', shown('external_log_file')],
    ['flags', approver.flags ? flagsJson(facts.flags) : undefined],
  ];
}

/** /state. The first piece has everything that is not in the snapshot. */
export function* stateDocument(
  state: MasterState,
  snapshot: Snapshot,
  facts: ProcessFacts,
  approver: Approver,
  earlier: Remembered | undefined,
): Document {
  yield `${jsonObject(masterFields(state, snapshot, facts, approver)).slice(0, -1)},"slaves":[`;
  const lists = createLists(earlier?.lists);
  const agents = yield* agentViews(snapshot, earlier?.agents);
  yield* jsonElements(lists, 'slaves', agents, (view) => jsonObject(agentFields(view.agent, useOf(view), approver)));
  yield '],"recovered_slaves":[';
  yield* separated(snapshot.recoveredAgents, (agent) => jsonObject(agentInfoFields(infoOfRecovered(agent))));
  yield '],';
  yield* frameworkLists(snapshot, approver, lists);
  yield ',"orphan_tasks":[],"unregistered_frameworks":[]}';
  return { lists: lists.written, agents };
}

/** The task states that a summary counts, in its order. */
const summaryStates: readonly TaskState[] = [
  'TASK_STAGING',
  'TASK_STARTING',
  'TASK_RUNNING',
  'TASK_KILLING',
  'TASK_FINISHED',
  'TASK_KILLED',
  'TASK_FAILED',
  'TASK_LOST',
  'TASK_ERROR',
  'TASK_UNREACHABLE',
];

interface Tally {
  readonly counts: Map<TaskState, number>;
  readonly others: Set<string>;
}

const emptyTally = (): Tally => ({ counts: new Map(), others: new Set() });

const tallyFields = ({ counts, others }: Tally, name: string): JsonFields => [
  ...summaryStates.map((state) => [state, jsonNumber(counts.get(state) ?? 0)] as const),
  [name, stringsJson([...others])],
];

const allTasks = (view: FrameworkView): readonly Task[] => [
  ...view.tasks,
  ...view.unreachableTasks,
  ...view.completedTasks,
];

const TASKS_A_PIECE = 1_000;

/** /state-summary: the counts of tasks by agent and by framework instead of tasks. */
export function* summaryDocument(snapshot: Snapshot, facts: ProcessFacts, approver: Approver): Pieces {
  const byAgent = new Map<string, Tally>();
  const byFramework = new Map<string, Tally>();
  const tallyIn = (tallies: Map<string, Tally>, key: string): Tally => {
    const tally = tallies.get(key) ?? emptyTally();
    tallies.set(key, tally);
    return tally;
  };
  // Tasks of frameworks that may not be seen are not counted.
  const seen = snapshot.frameworks.filter(({ framework }) => approver.framework(framework));
  let count = 0;
  for (const view of seen) {
    const { id } = view.framework;
    for (const task of allTasks(view)) {
      if (++count % TASKS_A_PIECE === 0) yield '';
      for (const [tally, other] of [
        [tallyIn(byAgent, task.agent_id.value), id],
        [tallyIn(byFramework, id), task.agent_id.value],
      ] as const) {
        tally.counts.set(task.state, (tally.counts.get(task.state) ?? 0) + 1);
        tally.others.add(other);
      }
    }
  }
  const head = jsonObject([
    ['hostname', jsonString(facts.info.hostname ?? '')],
    ['cluster', jsonIfSet(facts.cluster, jsonString)],
  ]);
  yield `${head.slice(0, -1)},"slaves":[`;
  yield* separated(yield* agentViews(snapshot), (view) =>
    jsonObject([
      ...agentFields(view.agent, useOf(view), approver),
      ...tallyFields(byAgent.get(view.agent.id) ?? emptyTally(), 'framework_ids'),
    ]),
  );
  yield '],"frameworks":[';
  const shareOf = yield* sharesOf(seen);
  yield* separated(seen, (view) =>
    jsonObject([
      ...summaryFields(view, shareOf(view)),
      ...tallyFields(byFramework.get(view.framework.id) ?? emptyTally(), 'slave_ids'),
    ]),
  );
  yield ']}';
}
