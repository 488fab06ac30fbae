// Status updates, from the agent that sends them to the framework that receives them.
import { taskKey, waitingStatusKey } from '@meseta/agent/core/disk-layout';
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
import type { Checker, CheckerKind, Count } from './checker.js';
import { statusesSent } from './scheduler-messages.js';
import { waitingOnDisk } from './task-on-disk.js';

export const updates: CheckerKind = {
  name: 'updates',
  invariants: {
    'the master forwards an update once per message of an agent':
      'A master forwards an update that has a uuid once, in the step that received it.',
    'updates are delivered in order':
      'A framework receives the updates of a task for the first time in the order in which the agent sent them.',
    'no update is lost':
      'At the end a framework that lives and acknowledges has received every update that its agents sent.',
    'an agent sends no acknowledged update again': 'After the agent received the acknowledgement.',
    'an update is sent only after it is on disk': 'Of a checkpointing framework (STATUS-UPDATES-2).',
    'a task ends once, as its container ended':
      "A run of a task has one terminal state, which fits its container's exit status.",
  },
  allowances: {
    forgotten:
      'An agent that crashed may have forgotten updates of a framework without checkpointing, and of launches that it dropped, whose tasks the master asks about again.',
    tornDown:
      'An agent drops the undelivered updates of a framework that is shut down, those of tasks that it refuses meanwhile included, though a later master, which does not know that, may let the framework subscribe under its id.',
    newId:
      'An agent that unregistered, or that the master shut down, registers under another id; the master reports the end of its tasks.',
    acknowledgementNotDurable: 'An agent that crashed before an acknowledgement was on disk sends the update again.',
    reconciled:
      'A task that the agent does not know is reported as DROPPED or LOST, REASON_RECONCILIATION or REASON_EXECUTOR_TERMINATED, even after its end was acknowledged.',
  },
  create: createUpdatesChecker,
};

/** The updates of one task on one agent. */
interface UpdateHistory {
  readonly taskId: string;
  readonly agent: AgentNode;
  /** In the order in which they were first sent. */
  readonly sent: StatusUpdate[];
  /** How many of them the framework has received. */
  receivedCount: number;
  readonly acknowledged: Set<string>;
  exitStatus: ExitStatus | undefined;
  started: boolean;
  /** Of a framework whose tasks outlive their agent's process. */
  checkpoints: boolean;
  /** Its state is that which a framework's own executor reports (executors.ts). */
  hasCustomExecutor: boolean;
  /** The updates that were sent so far may be lost. */
  mayBeLost: boolean;
}

type ExecutorEventEffect = Extract<AgentEffect, { readonly kind: 'executorEvent' }>;

interface Shared {
  readonly world: World;
  readonly histories: Map<string, UpdateHistory>;
  readonly byUuid: Map<string, UpdateHistory>;
  readonly count: Count;
}

function createUpdatesChecker(cluster: Cluster, count: Count): Checker {
  const { world } = cluster;
  const shared: Shared = { world, histories: new Map(), byUuid: new Map(), count };
  /** By the container in which the task runs. */
  const byContainer = new Map<string, UpdateHistory>();
  const observer: Observer = {
    agentStepped(agent, input, effects) {
      const state = agent.core?.state;
      if (state === undefined) return;
      if (input.kind === 'message' && input.message.name === 'StatusUpdateAcknowledgementMessage') {
        // The agent ignores one that comes while it is not registered, or for another update than the one in flight.
        const { uuid } = input.message.body;
        const history = shared.byUuid.get(uuid);
        const { registered, master } = state.registration;
        const isAccepted = registered && input.from === master && history?.sent.at(-1)?.uuid === uuid;
        if (isAccepted) history?.acknowledged.add(uuid);
      }
      if (input.kind === 'message' && input.message.name === 'ShutdownFrameworkMessage') {
        const id = input.message.body.framework_id.value;
        for (const history of shared.histories.values()) {
          if (history.agent === agent && history.sent[0]?.framework_id.value === id) history.mayBeLost = true;
        }
      }
      for (const effect of effects) {
        if (effect.kind === 'launch') {
          const run = state.runs.get(effect.spec.containerId);
          // Tasks of a framework's own executor have no containers (executors.ts).
          if (run !== undefined && effect.executor === undefined)
            byContainer.set(
              effect.spec.containerId,
              historyOf(shared, agent, run.frameworkId, run.taskId ?? run.executorId),
            );
        } else if (effect.kind === 'send' && effect.message.name === 'StatusUpdateMessage') {
          recordSent(shared, agent, state, effect.message.body.update);
        } else if (effect.kind === 'executorEvent') recordLaunched(shared, agent, state, effect);
      }
    },
    agentEnded: (agent) => recordAgentEnded(shared, agent),
    containerStarted(_agent, container) {
      const history = byContainer.get(container.id);
      if (history !== undefined) history.started = true;
    },
    containerEnded(_agent, container) {
      const history = byContainer.get(container.id);
      if (history !== undefined) history.exitStatus = container.status;
    },
    masterStepped(master, input, effects) {
      const forwarded = statusesSent(effects).filter(({ uuid }) => uuid !== undefined);
      if (forwarded.length === 0) return;
      const received =
        input.kind === 'message' && input.message.name === 'StatusUpdateMessage'
          ? input.message.body.update.uuid
          : undefined;
      if (forwarded.length === 1 && forwarded[0]?.uuid === received) return;
      const text = `${master.name} forwarded ${forwarded.map((it) => it.state).join(', ')} on ${input.kind}`;
      world.fail(
        'the master forwards an update once per message of an agent',
        text,
        forwarded.map((it) => it.task_id.value),
      );
    },
    schedulerReceived(client, event) {
      if (event.update?.status.uuid !== undefined) checkReceived(shared, client, event.update.status);
    },
  };
  return { observer, checkQuiescence: () => checkNothingLost(cluster, shared) };
}

function checkNothingLost({ world, frameworks }: Cluster, { histories, count }: Shared): void {
  const alive = new Set([...frameworks.values()].map(({ memory }) => memory.frameworkId));
  for (const { taskId, agent, sent, receivedCount, mayBeLost } of histories.values()) {
    const missing = sent.slice(receivedCount);
    count('updates checked for delivery', sent.length);
    if (mayBeLost || missing.length === 0) continue;
    const [first] = missing;
    const left = agent.core?.state.info.id?.value !== first?.agent_id?.value;
    if (left || !alive.has(first?.framework_id.value)) continue;
    const text = `${missing.map((it) => it.status.state).join(', ')} of ${taskId} on ${agent.name}`;
    world.fail('no update is lost', text, [taskId]);
  }
}

function recordLaunched(
  shared: Shared,
  agent: AgentNode,
  state: AgentState,
  { connection, event }: ExecutorEventEffect,
): void {
  const tasks = event.launch === undefined ? event.launch_group?.task_group.tasks : [event.launch.task];
  if (tasks === undefined) return;
  const run = [...state.runs.values()].find((it) => it.connection === connection);
  if (run === undefined) return;
  for (const { task_id } of tasks) historyOf(shared, agent, run.frameworkId, task_id.value).hasCustomExecutor = true;
}

function historyOf({ histories }: Shared, agent: AgentNode, frameworkId: string, taskId: string): UpdateHistory {
  const key = `${frameworkId} ${taskId} ${agent.name}`;
  const known = histories.get(key);
  if (known !== undefined) return known;
  const history: UpdateHistory = {
    taskId,
    agent,
    sent: [],
    receivedCount: 0,
    acknowledged: new Set(),
    exitStatus: undefined,
    started: false,
    checkpoints: false,
    hasCustomExecutor: false,
    mayBeLost: false,
  };
  histories.set(key, history);
  return history;
}

function recordSent(shared: Shared, agent: AgentNode, state: AgentState, update: StatusUpdate): void {
  const { world } = shared;
  const { uuid, status } = update;
  const taskId = status.task_id.value;
  const history = historyOf(shared, agent, update.framework_id.value, taskId);
  if (uuid === undefined) return;
  history.checkpoints = state.frameworks.get(update.framework_id.value as FrameworkId)?.info.checkpoint === true;
  if (history.acknowledged.has(uuid)) {
    world.fail('an agent sends no acknowledged update again', `${agent.name}: ${status.state} of ${taskId}`, [taskId]);
  }
  if (shared.byUuid.has(uuid)) return;
  shared.byUuid.set(uuid, history);
  shared.count('updates sent by agents');
  checkOnDisk(world, agent, state, update);
  if (isTerminal(status.state)) checkEnd(world, history, status);
  history.sent.push(update);
  if (isOfShutDownFramework(status)) history.mayBeLost = true;
}

/** The states that only a task with a container has; such a task is on disk. */
const STATES_OF_A_RUN: ReadonlySet<string> = new Set(['TASK_STARTING', 'TASK_RUNNING', 'TASK_FINISHED', 'TASK_FAILED']);

function checkOnDisk(
  world: World,
  agent: AgentNode,
  state: AgentState,
  { framework_id, status, uuid }: StatusUpdate,
): void {
  if (!STATES_OF_A_RUN.has(status.state)) return;
  const framework = state.frameworks.get(framework_id.value as FrameworkId);
  if (framework?.info.checkpoint !== true) return;
  const taskId = status.task_id.value as TaskId;
  const number = framework.streams.get(taskId)?.firstNumber ?? 0;
  const waiting = agent.disk.get(waitingStatusKey(framework.id, taskId, number));
  const isTaskOnDisk = agent.disk.get(taskKey(framework.id, taskId)) !== undefined;
  if (isTaskOnDisk && waiting?.kind === 'waitingStatus' && waiting.status.uuid === uuid) return;
  const text = `${agent.name} sent ${status.state} of ${status.task_id.value}, which is not on its disk`;
  world.fail('an update is sent only after it is on disk', text, [status.task_id.value]);
}

/** `tornDown`: the agent refuses the task, as it shuts its framework down. */
const isOfShutDownFramework = ({ source, reason }: TaskStatus): boolean =>
  source === 'SOURCE_AGENT' && reason === 'REASON_FRAMEWORK_REMOVED';

/** `reconciled`: the agent does not know the task. */
const isOfUnknownTask = ({ reason }: TaskStatus): boolean =>
  reason === 'REASON_RECONCILIATION' || reason === 'REASON_EXECUTOR_TERMINATED';

function checkEnd(world: World, history: UpdateHistory, status: TaskStatus): void {
  const fail = (text: string): never =>
    world.fail('a task ends once, as its container ended', `${history.agent.name}: ${text}`, [history.taskId]);
  if (isOfUnknownTask(status)) return;
  const earlier = history.sent.find((update) => isTerminal(update.status.state) && !isOfUnknownTask(update.status));
  if (earlier !== undefined && !history.mayBeLost) {
    fail(`${status.state} of ${history.taskId}, which had ended as ${earlier.status.state}`);
  }
  if (history.hasCustomExecutor) return;
  const { exitStatus } = history;
  if (status.state === 'TASK_FINISHED' && !(exitStatus?.kind === 'exited' && exitStatus.code === 0)) {
    fail(`TASK_FINISHED of ${history.taskId}, whose container ${endText(history)}`);
  }
  if (status.state === 'TASK_FAILED' && exitStatus?.kind === 'exited' && exitStatus.code === 0) {
    fail(`TASK_FAILED of ${history.taskId}, whose container ${endText(history)}`);
  }
  if (history.started && exitStatus === undefined) fail(`${status.state} of ${history.taskId}, whose container runs`);
}

const endText = ({ exitStatus }: UpdateHistory): string =>
  exitStatus === undefined ? 'has not ended' : `ended with ${JSON.stringify(exitStatus)}`;

/** Updates of a checkpointing framework's task that ran on the agent are on its disk until they are acknowledged. */
const mayForget = ({ checkpoints, sent, acknowledged }: UpdateHistory): boolean =>
  !checkpoints ||
  !sent.some(({ status }) => STATES_OF_A_RUN.has(status.state)) ||
  sent.every(({ uuid }) => acknowledged.has(uuid ?? ''));

function recordAgentEnded({ histories }: Shared, agent: AgentNode): void {
  const waiting = waitingOnDisk(agent.disk);
  for (const history of histories.values()) {
    if (history.agent !== agent) continue;
    const frameworkId = history.sent[0]?.framework_id.value as FrameworkId | undefined;
    const onDisk = frameworkId && waiting.get(taskKey(frameworkId, history.taskId as TaskId));
    if (onDisk === undefined && mayForget(history)) history.mayBeLost = true;
    for (const { uuid } of onDisk ?? []) if (uuid !== undefined) history.acknowledged.delete(uuid);
  }
}

function checkReceived({ world, byUuid, count }: Shared, client: SchedulerClient, status: TaskStatus): void {
  const uuid = status.uuid as string;
  const taskId = status.task_id.value;
  const history = byUuid.get(uuid);
  if (history === undefined) {
    return world.fail(
      'the master forwards an update once per message of an agent',
      `${client.name} received ${status.state} of ${taskId}, which no agent sent`,
      [taskId],
    );
  }
  const index = history.sent.findIndex((update) => update.uuid === uuid);
  count('updates received by schedulers');
  if (index < history.receivedCount) return;
  if (index > history.receivedCount && !history.mayBeLost) {
    const missed = history.sent.slice(history.receivedCount, index).map((update) => update.status.state);
    const text = `${client.name} received ${status.state} of ${taskId} before ${missed.join(', ')}`;
    world.fail('updates are delivered in order', text, [taskId]);
  }
  history.receivedCount = index + 1;
}
