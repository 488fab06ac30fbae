// MARK_AGENT_GONE, by an operator or at the end of a drain with `mark_gone`: the agent may never register again.
import type { AgentId } from '@meseta/base';
import { type Context, info, note, reply } from '../context.js';
import { sendUpdate } from '../events.js';
import type { RequestId } from '../io.js';
import { createMasterUpdate, type MasterUpdate } from '../master-updates.js';
import { propose } from '../registrar.js';
import type { Framework } from '../state.js';
import { endUnreachable } from '../tasks.js';
import { deleteAgent, sendFailure } from './deletion.js';
import { sendShutdown } from './records.js';

const GONE = 'Agent has been marked gone';

export function markAgentGone(ctx: Context, agentId: AgentId, request?: RequestId): void {
  const { agents } = ctx.state;
  const answer = (status: 200 | 404 | 503, text?: string): void => {
    if (request !== undefined) reply(ctx, request, status, text);
  };
  if (agents.gone.has(agentId)) return answer(200);
  const known = agents.registered.has(agentId) || agents.recovered.has(agentId) || agents.unreachable.has(agentId);
  if (!known) return answer(404, `agent ${agentId} is unknown`);
  if (agents.transitions.has(agentId)) return answer(503, `agent ${agentId} is being removed or marked`);
  const atMs = Math.floor(ctx.now.wallMs);
  agents.transitions.set(agentId, 'markingGone');
  const work = { kind: 'agentGone', agentId, atMs, request } as const;
  const proposed = propose(ctx, { kind: 'markAgentGone', agentId, atMs }, work);
  if (proposed.ok) return;
  agents.transitions.delete(agentId);
  answer(503, proposed.error);
}

export function agentGone(ctx: Context, id: AgentId, atMs: number, request: RequestId | undefined): void {
  const { agents, frameworks } = ctx.state;
  agents.transitions.delete(id);
  agents.gone.set(id, atMs);
  if (request !== undefined) reply(ctx, request, 200);
  const agent = agents.registered.get(id);
  const updateFor = (framework: Framework): MasterUpdate =>
    framework.capabilities.has('PARTITION_AWARE')
      ? {
          state: 'TASK_GONE_BY_OPERATOR',
          reason: 'REASON_AGENT_REMOVED_BY_OPERATOR',
          message: GONE,
        }
      : { state: 'TASK_LOST', reason: 'REASON_AGENT_REMOVED', message: GONE };
  if (agent !== undefined) {
    sendShutdown(ctx, agent.pid, GONE);
    deleteAgent(ctx, agent, { updateFor, moveTasksTo: 'completed', operationState: 'OPERATION_GONE_BY_OPERATOR' });
  }
  for (const [frameworkId, taskIds] of agents.unreachable.get(id)?.tasks ?? []) {
    const framework = frameworks.get(frameworkId);
    if (framework === undefined) continue;
    for (const taskId of taskIds) {
      const task = framework.unreachableTasks.get(taskId);
      if (task?.agent_id.value !== id) continue;
      const lost = createMasterUpdate(ctx, framework, task, updateFor(framework));
      endUnreachable(ctx, framework, task, lost);
      sendUpdate(ctx, framework, lost);
    }
  }
  agents.unreachable.delete(id);
  agents.recovered.delete(id);
  info(ctx, `agent ${id} is gone`);
  note(ctx, { kind: 'agentRemoved', agentId: id, why: 'gone' });
  if (agent !== undefined) sendFailure(ctx, id);
}
