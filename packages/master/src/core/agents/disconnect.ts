// An agent's connection broke: it gets no offers, and has `--agent_reregister_timeout` to re-register.

import type { AgentId } from '@meseta/base';
import { setTimer } from '@meseta/base/core/timers';
import { type Context, info } from '../context.js';
import { rescindInverseOffersOf, rescindOffersOf } from '../offers.js';
import type { Agent, Framework } from '../state.js';
import { loseTask, removeExecutors } from './deletion.js';
import { changeAgent } from './records.js';
import { requestUnreachable } from './unreachable.js';

export function disconnectAgent(ctx: Context, agent: Agent): void {
  if (!agent.connected) return;
  const { state } = ctx;
  info(ctx, `agent ${agent.id} (${agent.info.hostname}) disconnected`);
  const disconnected = changeAgent(ctx, agent, { connected: false });
  state.allocator.deactivateAgent(agent.id);
  rescindOffersOf(ctx, disconnected);
  rescindInverseOffersOf(ctx, disconnected);
  loseUncheckpointedTasks(ctx, disconnected);
  setTimer(ctx, { kind: 'reregister', agentId: agent.id }, state.options.agentReregisterTimeoutMs);
}

/** Ends tasks and executors that do not survive the agent's process, because they are not checkpointed. */
function loseUncheckpointedTasks(ctx: Context, agent: Agent): void {
  const isLost = (framework: Framework): boolean =>
    agent.info.checkpoint !== true || framework.info.checkpoint !== true;
  for (const [frameworkId, taskIds] of [...agent.tasks]) {
    const framework = ctx.state.frameworks.get(frameworkId);
    if (framework === undefined || !isLost(framework)) continue;
    for (const taskId of [...taskIds]) {
      const task = framework.tasks.get(taskId);
      if (task === undefined) continue;
      loseTask(ctx, framework, task, {
        updateFor: () => ({
          state: 'TASK_LOST',
          reason: 'REASON_AGENT_DISCONNECTED',
          message: `Agent ${agent.info.hostname} disconnected`,
        }),
        moveTasksTo: 'completed',
      });
    }
  }
  removeExecutors(ctx, agent, isLost);
}

export function reregistrationTimedOut(ctx: Context, id: AgentId): void {
  const agent = ctx.state.agents.registered.get(id);
  if (agent === undefined || agent.connected) return;
  requestUnreachable(ctx, id, 'did not re-register in time after its connection broke');
}
