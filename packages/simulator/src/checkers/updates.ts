// Status updates from a task's end to its framework.
import { taskKeys, wholeRecords } from '@meseta/agent/core/checkpoint-records';
import type { AgentEffect } from '@meseta/agent/core/io';
import type { AgentState } from '@meseta/agent/core/state';
import type { FrameworkId, TaskId } from '@meseta/base';
import type { ExitStatus } from '@meseta/containers/types';
import type { StatusUpdate, TaskStatus } from '@meseta/wire';
import { isTerminal } from '@meseta/wire/task-states';
import type { AgentNode } from '../nodes/agent.js';
import type { SchedulerClient } from '../nodes/scheduler.js';
import type { Cluster } from '../run/cluster.js';
import type { Observer, World } from '../world.js';
import type { Checker, CheckerKind, Count, CreateChecker } from './checker.js';
import { statusesTold } from './told.js';

export const updates: CheckerKind = {
  name: 'updates',
  invariants: {
    'the master forwards an update once per message of an agent':
      'A master forwards an update with a uuid in the step in which it received it, and once.',
    'updates are delivered in order':
      'A framework receives the updates of a task for the first time in the order in which the agent sent them.',
    'no update is lost':
      'At rest a framework that lives and acknowledges has received everything that its agents sent.',
    'an agent sends no acknowledged update again': 'After the agent received the acknowledgement.',
    'an update is sent only after it is on disk': 'Of a checkpointing framework (STATUS-UPDATES-2).',
    'a task ends once, as its container ended':
      "A run of a task has one terminal state, which fits its container's exit status.",
  },
  allowances: {
    forgotten:
      'An agent that crashed may have forgotten updates of a framework without checkpointing, and of launches that it dropped, which are asked for again.',
    tornDown:
      'An agent drops the undelivered updates of a framework that is shut down, though a later master, which does not know that, may let the framework subscribe under its id.',
    newId: 'An agent that left, or was told to, comes back under another id; the master reports the end of its tasks.',
    acknowledgementNotDurable: 'An acknowledgement that was not on disk at a crash has to come again.',
    reconciled:
      'A task that the agent does not know is reported as DROPPED or LOST, REASON_RECONCILIATION or REASON_EXECUTOR_TERMINATED, even after its end was acknowledged.',
  },
  create: (cluster, count, keeper) => createUpdatesChecker(cluster, count, keeper),
};

/** One task on one agent. */
interface Story {
  readonly taskId: string;
  readonly agent: AgentNode;
  /** In the order in which they were first sent. */
  readonly told: StatusUpdate[];
  /** How many of them the framework has seen. */
  seen: number;
  readonly acknowledged: Set<string>;
  /** How its container ended. */
  ended: ExitStatus | undefined;
  started: boolean;
  /** Of a framework whose tasks outlive their agent's process. */
  checkpoints: boolean;
  /** A framework's own executor says how it ended (executors.ts). */
  custom: boolean;
  /** Nobody may expect the rest of what was told so far. */
  forgotten: boolean;
}

type ExecutorEventEffect = Extract<AgentEffect, { readonly kind: 'executorEvent' }>;

interface Shared {
  readonly world: World;
  readonly stories: Map<string, Story>;
  readonly byUuid: Map<string, Story>;
  readonly count: Count;
}

const createUpdatesChecker: CreateChecker = (cluster, count): Checker => {
  const { world } = cluster;
  const shared: Shared = { world, stories: new Map(), byUuid: new Map(), count };
  /** Which task runs in a container. */
  const tasks = new Map<string, Story>();
  const observer: Observer = {
    agentStepped(agent, input, effects) {
      const state = agent.core?.state;
      if (state === undefined) return;
      if (input.kind === 'message' && input.message.name === 'StatusUpdateAcknowledgementMessage') {
        // One that comes while it is not registered, or for another update than the one under way, is ignored.
        const { uuid } = input.message.body;
        const story = shared.byUuid.get(uuid);
        const { registered, master } = state.registration;
        const taken = registered && input.from === master && story?.told.at(-1)?.uuid === uuid;
        if (taken) story?.acknowledged.add(uuid);
      }
      if (input.kind === 'message' && input.message.name === 'ShutdownFrameworkMessage') {
        const id = input.message.body.framework_id.value;
        for (const story of shared.stories.values()) {
          if (story.agent === agent && story.told[0]?.framework_id.value === id) story.forgotten = true;
        }
      }
      for (const effect of effects) {
        if (effect.kind === 'launch') {
          const run = state.runs.get(effect.spec.containerId);
          // Tasks of a framework's own executor have no containers (executors.ts).
          if (run !== undefined && effect.executor === undefined)
            tasks.set(effect.spec.containerId, storyOf(shared, agent, run.frameworkId, run.taskId ?? run.executorId));
        } else if (effect.kind === 'send' && effect.message.name === 'StatusUpdateMessage') {
          told(shared, agent, state, effect.message.body.update);
        } else if (effect.kind === 'executorEvent') launched(shared, agent, state, effect);
      }
    },
    agentEnded: (agent) => agentEnded(shared, agent),
    containerStarted(_agent, container) {
      const story = tasks.get(container.id);
      if (story !== undefined) story.started = true;
    },
    containerEnded(_agent, container) {
      const story = tasks.get(container.id);
      if (story !== undefined) story.ended = container.status;
    },
    masterStepped(master, input, effects) {
      const handed = statusesTold(effects).filter(({ uuid }) => uuid !== undefined);
      if (handed.length === 0) return;
      const got =
        input.kind === 'message' && input.message.name === 'StatusUpdateMessage'
          ? input.message.body.update.uuid
          : undefined;
      if (handed.length === 1 && handed[0]?.uuid === got) return;
      const text = `${master.name} handed out ${handed.map((it) => it.state).join(', ')} on ${input.kind}`;
      world.fail(
        'the master forwards an update once per message of an agent',
        text,
        handed.map((it) => it.task_id.value),
      );
    },
    schedulerHeard(client, event) {
      if (event.update?.status.uuid !== undefined) heard(shared, client, event.update.status);
    },
  };
  return { observer, atRest: () => checkNothingLost(cluster, shared) };
};

function checkNothingLost({ world, frameworks }: Cluster, { stories, count }: Shared): void {
  const alive = new Set([...frameworks.values()].map(({ memory }) => memory.frameworkId));
  for (const { taskId, agent, told, seen, forgotten } of stories.values()) {
    const missing = told.slice(seen);
    count('updates looked after at rest', told.length);
    if (forgotten || missing.length === 0) continue;
    const [first] = missing;
    const left = agent.core?.state.info.id?.value !== first?.agent_id?.value;
    if (left || !alive.has(first?.framework_id.value)) continue;
    const text = `${missing.map((it) => it.status.state).join(', ')} of ${taskId} on ${agent.name}`;
    world.fail('no update is lost', text, [taskId]);
  }
}

function launched(
  shared: Shared,
  agent: AgentNode,
  state: AgentState,
  { connection, event }: ExecutorEventEffect,
): void {
  const tasks = event.launch === undefined ? event.launch_group?.task_group.tasks : [event.launch.task];
  if (tasks === undefined) return;
  const run = [...state.runs.values()].find((it) => it.connection === connection);
  if (run === undefined) return;
  for (const { task_id } of tasks) storyOf(shared, agent, run.frameworkId, task_id.value).custom = true;
}

function storyOf({ stories }: Shared, agent: AgentNode, frameworkId: string, taskId: string): Story {
  const key = `${frameworkId} ${taskId} ${agent.name}`;
  const known = stories.get(key);
  if (known !== undefined) return known;
  const story: Story = {
    taskId,
    agent,
    told: [],
    seen: 0,
    acknowledged: new Set(),
    ended: undefined,
    started: false,
    checkpoints: false,
    custom: false,
    forgotten: false,
  };
  stories.set(key, story);
  return story;
}

function told(shared: Shared, agent: AgentNode, state: AgentState, update: StatusUpdate): void {
  const { world } = shared;
  const { uuid, status } = update;
  const taskId = status.task_id.value;
  const story = storyOf(shared, agent, update.framework_id.value, taskId);
  if (uuid === undefined) return;
  story.checkpoints = state.frameworks.get(update.framework_id.value as FrameworkId)?.info.checkpoint === true;
  if (story.acknowledged.has(uuid)) {
    world.fail('an agent sends no acknowledged update again', `${agent.name}: ${status.state} of ${taskId}`, [taskId]);
  }
  if (shared.byUuid.has(uuid)) return;
  shared.byUuid.set(uuid, story);
  shared.count('updates told');
  checkOnDisk(world, agent, state, update);
  if (isTerminal(status.state)) checkEnd(world, story, status);
  story.told.push(update);
}

/** These come of a container, and with it of a task that is on disk. */
const OF_A_RUN: ReadonlySet<string> = new Set(['TASK_STARTING', 'TASK_RUNNING', 'TASK_FINISHED', 'TASK_FAILED']);

function checkOnDisk(
  world: World,
  agent: AgentNode,
  state: AgentState,
  { framework_id, status, uuid }: StatusUpdate,
): void {
  if (!OF_A_RUN.has(status.state)) return;
  if (state.frameworks.get(framework_id.value as FrameworkId)?.info.checkpoint !== true) return;
  const updates = onDiskOf(agent, framework_id.value, status.task_id.value);
  if (updates?.some((update) => update.uuid === uuid) === true) return;
  const text = `${agent.name} told ${status.state} of ${status.task_id.value}, which is not on its disk`;
  world.fail('an update is sent only after it is on disk', text, [status.task_id.value]);
}

/** The updates of a task that its agent would find after a crash; undefined: it would not find the task. */
function onDiskOf({ disk }: AgentNode, frameworkId: string, taskId: string): readonly StatusUpdate[] | undefined {
  const keys = taskKeys(frameworkId as FrameworkId, taskId as TaskId);
  const entries = keys.flatMap((key) => {
    const record = disk.get(key);
    return record === undefined ? [] : [{ key, record }];
  });
  const [record] = wholeRecords(entries);
  return record?.kind === 'task' ? (record.updates ?? []) : undefined;
}

const isDenial = ({ reason }: TaskStatus): boolean =>
  reason === 'REASON_RECONCILIATION' || reason === 'REASON_EXECUTOR_TERMINATED';

function checkEnd(world: World, story: Story, status: TaskStatus): void {
  const fail = (text: string): never =>
    world.fail('a task ends once, as its container ended', `${story.agent.name}: ${text}`, [story.taskId]);
  if (isDenial(status)) return;
  const earlier = story.told.find((update) => isTerminal(update.status.state) && !isDenial(update.status));
  if (earlier !== undefined && !story.forgotten) {
    fail(`${status.state} of ${story.taskId}, which had ended as ${earlier.status.state}`);
  }
  if (story.custom) return;
  const { ended } = story;
  if (status.state === 'TASK_FINISHED' && !(ended?.kind === 'exited' && ended.code === 0)) {
    fail(`TASK_FINISHED of ${story.taskId}, whose container ${endText(story)}`);
  }
  if (status.state === 'TASK_FAILED' && ended?.kind === 'exited' && ended.code === 0) {
    fail(`TASK_FAILED of ${story.taskId}, whose container ${endText(story)}`);
  }
  if (story.started && ended === undefined) fail(`${status.state} of ${story.taskId}, whose container runs`);
}

const endText = ({ ended }: Story): string =>
  ended === undefined ? 'has not ended' : `ended so: ${JSON.stringify(ended)}`;

/** Of a task of a checkpointing framework that ran here, what is not acknowledged is on disk. */
const mayForget = ({ checkpoints, told, acknowledged }: Story): boolean =>
  !checkpoints ||
  !told.some(({ status }) => OF_A_RUN.has(status.state)) ||
  told.every(({ uuid }) => acknowledged.has(uuid ?? ''));

function agentEnded({ stories }: Shared, agent: AgentNode): void {
  for (const story of stories.values()) {
    if (story.agent !== agent) continue;
    const [frameworkId] = story.told.map((update) => update.framework_id.value);
    const onDisk = frameworkId === undefined ? undefined : onDiskOf(agent, frameworkId, story.taskId);
    if (onDisk === undefined && mayForget(story)) story.forgotten = true;
    for (const { uuid } of onDisk ?? []) if (uuid !== undefined) story.acknowledged.delete(uuid);
  }
}

function heard({ world, byUuid, count }: Shared, client: SchedulerClient, status: TaskStatus): void {
  const uuid = status.uuid as string;
  const taskId = status.task_id.value;
  const story = byUuid.get(uuid);
  if (story === undefined) {
    return world.fail(
      'the master forwards an update once per message of an agent',
      `${client.name} heard ${status.state} of ${taskId}`,
      [taskId],
    );
  }
  const index = story.told.findIndex((update) => update.uuid === uuid);
  count('updates heard');
  if (index < story.seen) return;
  if (index > story.seen && !story.forgotten) {
    const missed = story.told.slice(story.seen, index).map((update) => update.status.state);
    const text = `${client.name} heard ${status.state} of ${taskId} before ${missed.join(', ')}`;
    world.fail('updates are delivered in order', text, [taskId]);
  }
  story.seen = index + 1;
}
