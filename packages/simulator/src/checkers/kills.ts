// Kills at agents and at the master.
import type { AgentId, ContainerId, FrameworkId, TaskId } from '@meseta/base';
import type { MasterEffect } from '@meseta/master/core/io';
import type { MasterState } from '@meseta/master/core/state';
import type { ReregisterAgentMessage, SchedulerCallKill } from '@meseta/wire';
import { isTerminal } from '@meseta/wire/task-states';
import type { AgentNode } from '../nodes/agent.js';
import type { MasterProcess } from '../nodes/master.js';
import type { World } from '../world.js';
import type { CheckerKind, CreateChecker } from './checker.js';

export const kills: CheckerKind = {
  name: 'kills',
  invariants: {
    'a kill is carried out':
      "A task that an agent has decided to end does not run after its grace period, even if the agent's process restarted meanwhile. On a machine that is paused then, it ends when the machine goes on.",
    'kills for a disconnected agent are sent when it re-registers':
      'A kill that a scheduler asked for while the agent was disconnected is sent at its re-registration, if the task is still known and the agent lists it as running.',
  },
  allowances: {},
  create: (cluster, count, keeper) => createKillsChecker(cluster, count, keeper),
};

interface Wanted {
  readonly frameworkId: FrameworkId;
  readonly taskId: TaskId;
}

const createKillsChecker: CreateChecker = ({ world }, count) => {
  /** By master: one that doesn't know yet that it leads no more has not heard what its successor is asked. */
  const asked = new Map<MasterProcess, Map<AgentId, Wanted[]>>();
  /** Since when a process of its agent has known that a container is to end. */
  const known = new Map<ContainerId, number>();
  /** What an agent's re-registration says that runs, as long as the master works on it. */
  const told = new Map<AgentId, ReadonlySet<string>>();
  let steps = 0;
  return {
    observer: {
      agentStarted(agent) {
        for (const id of agent.containers.all.keys()) known.delete(id);
      },
      agentStepped(agent) {
        if (steps++ % STEPS_BETWEEN === 0) checkEnding(world, agent, known);
      },
      masterStarted: (master) => void asked.set(master, new Map()),
      masterStepped(master, input, effects) {
        const wanted = asked.get(master) ?? new Map<AgentId, Wanted[]>();
        if (input.kind === 'schedulerCall' && input.call.kill !== undefined) {
          const taken = effects.some((it) => it.kind === 'reply' && it.reply.status === 202);
          const frameworkId = input.call.framework_id?.value as FrameworkId;
          if (taken) note(master.core.state, wanted, frameworkId, input.call.kill);
        }
        if (input.kind === 'message' && input.message.name === 'ReregisterAgentMessage') {
          noteTold(master, told, input.message.body, effects);
        }
        for (const effect of effects) {
          // Its tasks were told lost; if they come back they are not killed.
          if (effect.kind === 'note' && effect.note.kind === 'agentRemoved') wanted.delete(effect.note.agentId);
          if (effect.kind !== 'send' || effect.message.name !== 'AgentReregisteredMessage') continue;
          const agentId = effect.message.body.agent_id.value as AgentId;
          for (const kill of wanted.get(agentId) ?? []) {
            if (told.get(agentId)?.has(`${kill.frameworkId} ${kill.taskId}`) !== true) continue;
            check(world, master, kill, effects);
            count('kills of agents that were away');
          }
          wanted.delete(agentId);
        }
      },
    },
  };
};

/** The agent's executors are looked through each so many steps. */
const STEPS_BETWEEN = 8;
/** Between the end of a grace period and the end of a container. */
const SLACK_MS = 10_000;

function checkEnding(
  world: World,
  { name, core, containers, machine }: AgentNode,
  known: Map<ContainerId, number>,
): void {
  const nowMs = world.timeline.nowMs();
  for (const { executors, podTasks } of core?.state.frameworks.values() ?? []) {
    for (const { containerId, kill, ...it } of [...executors.values(), ...podTasks.values()]) {
      if (kill === undefined || containers.all.get(containerId)?.state !== 'running') continue;
      const sinceMs = known.get(containerId) ?? nowMs;
      known.set(containerId, sinceMs);
      if (nowMs <= Math.max(sinceMs + kill.graceMs, machine.pausedUntilMs) + SLACK_MS) continue;
      const taskId = 'taskId' in it ? it.taskId : it.info.executor_id.value;
      world.fail('a kill is carried out', `${taskId} on ${name} runs ${nowMs - sinceMs} ms after its kill`, [taskId]);
    }
  }
}

function note(
  state: MasterState,
  wanted: Map<AgentId, Wanted[]>,
  frameworkId: FrameworkId,
  { task_id }: SchedulerCallKill,
): void {
  const taskId = task_id.value as TaskId;
  const agentId = state.frameworks.get(frameworkId)?.tasks.get(taskId)?.agent_id.value as AgentId;
  if (state.agents.registered.get(agentId)?.connected !== false) return;
  wanted.set(agentId, [...(wanted.get(agentId) ?? []), { frameworkId, taskId }]);
}

/** A try that comes while the master works on an earlier one is not looked at. */
function noteTold(
  { core }: MasterProcess,
  told: Map<AgentId, ReadonlySet<string>>,
  body: ReregisterAgentMessage,
  effects: readonly MasterEffect[],
): void {
  const id = body.agent.id?.value as AgentId;
  const isWorkedOn = core.state.agents.reregistering.get(id)?.message === body;
  const isAnswered = effects.some((it) => it.kind === 'send' && it.message.name === 'AgentReregisteredMessage');
  if (!isWorkedOn && !isAnswered) return;
  const alive = (body.tasks ?? []).filter(({ state }) => !isTerminal(state));
  told.set(id, new Set(alive.map(({ framework_id, task_id }) => `${framework_id.value} ${task_id.value}`)));
}

function check(
  world: World,
  master: MasterProcess,
  { frameworkId, taskId }: Wanted,
  effects: readonly MasterEffect[],
): void {
  if (master.core.state.frameworks.get(frameworkId)?.tasks.has(taskId) !== true) return;
  const sent = effects.some(
    (it) => it.kind === 'send' && it.message.name === 'KillTaskMessage' && it.message.body.task_id.value === taskId,
  );
  if (!sent)
    world.fail('kills for a disconnected agent are sent when it re-registers', `${master.name}: ${taskId}`, [taskId]);
}
