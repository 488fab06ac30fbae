// Kills at agents and at the master.
import type { AgentId, ContainerId, FrameworkId, TaskId } from '@meseta/base';
import type { MasterEffect } from '@meseta/master/core/io';
import type { MasterState } from '@meseta/master/core/state';
import type { ReregisterAgentMessage, SchedulerCallKill } from '@meseta/wire';
import { isTerminal } from '@meseta/wire/task-states';
import type { AgentNode } from '../nodes/agent.js';
import type { MasterProcess } from '../nodes/master.js';
import type { Cluster } from '../run/cluster.js';
import type { World } from '../world.js';
import type { Checker, CheckerKind, Count } from './checker.js';

export const kills: CheckerKind = {
  name: 'kills',
  invariants: {
    'a kill is carried out':
      "A task that an agent has decided to end does not run after its grace period, even if the agent's process restarted meanwhile. On a machine that is paused then, it ends when the machine goes on.",
    'kills for a disconnected agent are sent when it re-registers':
      'A kill that a scheduler asked for while the agent was disconnected is sent at its re-registration, if the task is still known and the agent lists it as running.',
  },
  allowances: {},
  create: createKillsChecker,
};

interface RequestedKill {
  readonly frameworkId: FrameworkId;
  readonly taskId: TaskId;
}

function createKillsChecker({ world }: Cluster, count: Count): Checker {
  /** By master: a deposed master does not receive the calls that its successor receives. */
  const requestedKills = new Map<MasterProcess, Map<AgentId, RequestedKill[]>>();
  /** When the running process of the agent was first seen to know that a container has to end. */
  const killedSinceMs = new Map<ContainerId, number>();
  /** The tasks that the re-registration on which the master works lists as running. */
  const listedTasks = new Map<AgentId, ReadonlySet<string>>();
  let steps = 0;
  return {
    observer: {
      agentStarted(agent) {
        for (const id of agent.containers.all.keys()) killedSinceMs.delete(id);
      },
      agentStepped(agent) {
        if (steps++ % STEPS_PER_CHECK === 0) checkEnding(world, agent, killedSinceMs);
      },
      masterStarted: (master) => void requestedKills.set(master, new Map()),
      masterStepped(master, input, effects) {
        const requested = requestedKills.get(master) ?? new Map<AgentId, RequestedKill[]>();
        if (input.kind === 'schedulerCall' && input.call.kill !== undefined) {
          const isAccepted = effects.some((it) => it.kind === 'reply' && it.reply.status === 202);
          const frameworkId = input.call.framework_id?.value as FrameworkId;
          if (isAccepted) recordKill(master.core.state, requested, frameworkId, input.call.kill);
        }
        if (input.kind === 'message' && input.message.name === 'ReregisterAgentMessage') {
          recordListedTasks(master, listedTasks, input.message.body, effects);
        }
        for (const effect of effects) {
          // Its tasks were reported lost; tasks that return later are not killed.
          if (effect.kind === 'note' && effect.note.kind === 'agentRemoved') requested.delete(effect.note.agentId);
          if (effect.kind !== 'send' || effect.message.name !== 'AgentReregisteredMessage') continue;
          const agentId = effect.message.body.agent_id.value as AgentId;
          for (const kill of requested.get(agentId) ?? []) {
            if (listedTasks.get(agentId)?.has(`${kill.frameworkId} ${kill.taskId}`) !== true) continue;
            checkKillSent(world, master, kill, effects);
            count('kills checked at a re-registration');
          }
          requested.delete(agentId);
        }
      },
    },
  };
}

/** The kills are checked after every so many steps of agents. */
const STEPS_PER_CHECK = 8;
/** Between the end of a grace period and the end of a container. */
const SLACK_MS = 10_000;

function checkEnding(
  world: World,
  { name, core, containers, machine }: AgentNode,
  killedSinceMs: Map<ContainerId, number>,
): void {
  const nowMs = world.timeline.nowMs();
  for (const { executors, podTasks } of core?.state.frameworks.values() ?? []) {
    for (const { containerId, kill, ...it } of [...executors.values(), ...podTasks.values()]) {
      if (kill === undefined || containers.all.get(containerId)?.state !== 'running') continue;
      const sinceMs = killedSinceMs.get(containerId) ?? nowMs;
      killedSinceMs.set(containerId, sinceMs);
      if (nowMs <= Math.max(sinceMs + kill.graceMs, machine.pausedUntilMs) + SLACK_MS) continue;
      const taskId = 'taskId' in it ? it.taskId : it.info.executor_id.value;
      world.fail('a kill is carried out', `${taskId} on ${name} runs ${nowMs - sinceMs} ms after its kill`, [taskId]);
    }
  }
}

function recordKill(
  state: MasterState,
  requested: Map<AgentId, RequestedKill[]>,
  frameworkId: FrameworkId,
  { task_id }: SchedulerCallKill,
): void {
  const taskId = task_id.value as TaskId;
  const agentId = state.frameworks.get(frameworkId)?.tasks.get(taskId)?.agent_id.value as AgentId;
  if (state.agents.registered.get(agentId)?.connected !== false) return;
  requested.set(agentId, [...(requested.get(agentId) ?? []), { frameworkId, taskId }]);
}

/** A message that arrives while the master works on an earlier re-registration of the agent is not recorded. */
function recordListedTasks(
  { core }: MasterProcess,
  listedTasks: Map<AgentId, ReadonlySet<string>>,
  body: ReregisterAgentMessage,
  effects: readonly MasterEffect[],
): void {
  const id = body.agent.id?.value as AgentId;
  const isWorkedOn = core.state.agents.reregistering.get(id)?.message === body;
  const isReregistered = effects.some((it) => it.kind === 'send' && it.message.name === 'AgentReregisteredMessage');
  if (!isWorkedOn && !isReregistered) return;
  const alive = (body.tasks ?? []).filter(({ state }) => !isTerminal(state));
  listedTasks.set(id, new Set(alive.map(({ framework_id, task_id }) => `${framework_id.value} ${task_id.value}`)));
}

function checkKillSent(
  world: World,
  master: MasterProcess,
  { frameworkId, taskId }: RequestedKill,
  effects: readonly MasterEffect[],
): void {
  if (master.core.state.frameworks.get(frameworkId)?.tasks.has(taskId) !== true) return;
  const sent = effects.some(
    (it) => it.kind === 'send' && it.message.name === 'KillTaskMessage' && it.message.body.task_id.value === taskId,
  );
  if (!sent)
    world.fail('kills for a disconnected agent are sent when it re-registers', `${master.name}: ${taskId}`, [taskId]);
}
