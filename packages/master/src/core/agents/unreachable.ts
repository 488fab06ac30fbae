// Marks an agent unreachable: first in the registry, then in the state; then updates and FAILURE are sent. It may re-register.

import type { AgentId } from '@meseta/base';
import { setTimerAt } from '@meseta/base/core/timers';
import { taskStateFor } from '@meseta/wire/task-states';
import { type Context, count, info, note } from '../context.js';
import { timeInfo } from '../master-updates.js';
import { propose } from '../registrar.js';
import { isPartitionAware } from '../state.js';
import { deleteAgent, sendFailure } from './deletion.js';

/** Marks the agent unreachable as soon as `--agent_removal_rate_limit` allows. */
export function requestUnreachable(ctx: Context, id: AgentId, why: string): void {
  const { removals, options } = ctx.state;
  if (removals.waiting.has(id)) return;
  count(ctx, 'master/slave_unreachable_scheduled');
  if (options.agentRemovalRateLimit === undefined) return markUnreachable(ctx, id, why);
  removals.waiting.set(id, why);
  markDueAgentsUnreachable(ctx);
}

/** Cancels a waiting request for an agent that answers again. Returns whether there was one. */
export const cancelUnreachable = (ctx: Context, id: AgentId): boolean => ctx.state.removals.waiting.delete(id);

/** Marks as many waiting agents unreachable as the rate limit allows now. */
export function markDueAgentsUnreachable(ctx: Context): void {
  const { removals, options } = ctx.state;
  const limit = options.agentRemovalRateLimit;
  if (limit === undefined) return;
  for (const [id, why] of [...removals.waiting]) {
    if (ctx.now.monoMs < removals.nextAtMonoMs) {
      setTimerAt(ctx, { kind: 'removals' }, removals.nextAtMonoMs);
      return;
    }
    removals.waiting.delete(id);
    removals.nextAtMonoMs = Math.max(removals.nextAtMonoMs, ctx.now.monoMs) + limit.perMs / limit.permits;
    markUnreachable(ctx, id, why);
  }
}

function markUnreachable(ctx: Context, agentId: AgentId, why: string): void {
  const { agents } = ctx.state;
  const known = agents.registered.has(agentId) || agents.recovered.has(agentId);
  // It re-registers, or another change of it is being written to the registry.
  if (!known || agents.reregistering.has(agentId) || agents.transitions.has(agentId)) {
    return count(ctx, 'master/slave_unreachable_canceled');
  }
  const atMs = Math.floor(ctx.now.wallMs);
  agents.transitions.set(agentId, 'markingUnreachable');
  const work = { kind: 'agentUnreachable', agentId, atMs, why } as const;
  const proposed = propose(ctx, { kind: 'markAgentUnreachable', agentId, atMs }, work);
  if (!proposed.ok) agents.transitions.delete(agentId);
}

export function agentUnreachable(ctx: Context, id: AgentId, atMs: number, why: string): void {
  const { agents } = ctx.state;
  agents.transitions.delete(id);
  count(ctx, 'master/slave_unreachable_completed');
  count(ctx, 'master/slave_removals');
  count(ctx, 'master/slave_removals/reason_unhealthy');
  const agent = agents.registered.get(id);
  if (agent === undefined) count(ctx, 'master/recovery_slave_removals');
  const unreachable_time = timeInfo(atMs);
  const tasks =
    agent === undefined
      ? new Map()
      : deleteAgent(ctx, agent, {
          updateFor: (framework) => ({
            state: taskStateFor(isPartitionAware(framework), 'TASK_UNREACHABLE'),
            reason: 'REASON_AGENT_REMOVED',
            message: `Agent ${agent.info.hostname} is unreachable: ${why}`,
            more: { unreachable_time },
          }),
          moveTasksTo: 'unreachable',
          operationState: 'OPERATION_UNREACHABLE',
        });
  agents.recovered.delete(id);
  agents.unreachable.set(id, { id, sinceMs: atMs, tasks, resourceVersion: agent?.resourceVersion });
  info(ctx, `agent ${id} is unreachable: ${why}`);
  note(ctx, { kind: 'agentRemoved', agentId: id, why: 'unreachable' });
  sendFailure(ctx, id);
}
