// DRAIN_AGENT, DEACTIVATE_AGENT and REACTIVATE_AGENT. A draining agent kills its tasks; when it has none it stays
// deactivated, or is marked as gone.

import type { AgentId } from '@meseta/base';
import { setTimer } from '@meseta/base/core/timers';
import type { DrainConfig } from '@meseta/wire';
import { machineKeyOf } from '../../registry/state.js';
import { type Context, info, reply, send } from '../context.js';
import type { RequestId } from '../io.js';
import { rescindInverseOffersOf, rescindOffersOf } from '../offers.js';
import { propose } from '../registrar.js';
import type { Agent } from '../state.js';
import { markAgentGone } from './gone.js';
import { changeAgent } from './records.js';

function isKnown(ctx: Context, id: AgentId): boolean {
  const { agents } = ctx.state;
  return agents.registered.has(id) || agents.recovered.has(id) || agents.unreachable.has(id);
}

/** The problem if a registered agent cannot be drained. */
export function checkDrainable(ctx: Context, agentId: AgentId): string | undefined {
  const agent = ctx.state.agents.registered.get(agentId);
  if (agent === undefined) return undefined;
  if (ctx.state.registrar.durable.machines.has(machineKeyOf(agent))) {
    return `agent_id: the machine of agent ${agentId} is in the maintenance schedule`;
  }
  return agent.capabilities.has('AGENT_DRAINING')
    ? undefined
    : `agent_id: agent ${agentId} lacks the capability AGENT_DRAINING`;
}

export function drainAgent(ctx: Context, request: RequestId, agentId: AgentId, config: DrainConfig): void {
  if (!isKnown(ctx, agentId)) return reply(ctx, request, 400, `agent_id: agent ${agentId} is unknown`);
  if (ctx.state.agents.transitions.get(agentId) === 'markingGone') {
    return reply(ctx, request, 409, `agent ${agentId} is being marked gone`);
  }
  const proposed = propose(ctx, { kind: 'drainAgent', agentId, config }, { kind: 'agentDraining', agentId, request });
  if (!proposed.ok) reply(ctx, request, 400, proposed.error);
}

export function agentDraining(ctx: Context, id: AgentId, request: RequestId): void {
  reply(ctx, request, 200);
  const agent = ctx.state.agents.registered.get(id);
  if (agent === undefined) return;
  const draining = deactivate(ctx, agent, ctx.now.wallMs);
  if (agent.connected) sendDrain(ctx, draining);
  completeDrainIfEmpty(ctx, id);
}

function deactivate(ctx: Context, agent: Agent, drainStartedAtMs: number | undefined): Agent {
  const { state } = ctx;
  const changed = changeAgent(ctx, agent, {
    deactivated: true,
    drainInfo: state.registrar.durable.agents.get(agent.id)?.drainInfo,
    drainStartedAtMs,
  });
  if (!agent.deactivated && agent.connected) state.allocator.deactivateAgent(agent.id);
  rescindOffersOf(ctx, changed);
  rescindInverseOffersOf(ctx, changed);
  return changed;
}

/** Sends DrainAgentMessage to a draining agent; an agent without tasks ignores it. */
export function sendDrain(ctx: Context, agent: Agent): void {
  if (agent.drainInfo?.state !== 'DRAINING') return;
  send(ctx, agent.pid, { name: 'DrainAgentMessage', body: { config: agent.drainInfo.config } });
  setTimer(ctx, { kind: 'drained', agentId: agent.id }, 0);
}

/** Marks a draining agent as drained if it has no task (all terminal updates are acknowledged) and no operation. */
export function completeDrainIfEmpty(ctx: Context, agentId: AgentId): void {
  const agent = ctx.state.agents.registered.get(agentId);
  if (agent?.drainInfo?.state !== 'DRAINING' || !agent.connected) return;
  if (agent.tasks.size > 0 || agent.operations.size > 0) return;
  if (agent.drainInfo.config.mark_gone === true) return markAgentGone(ctx, agentId);
  propose(ctx, { kind: 'markAgentDrained', agentId }, { kind: 'agentDrained', agentId });
}

export function agentDrained(ctx: Context, id: AgentId): void {
  const agent = ctx.state.agents.registered.get(id);
  if (agent === undefined) return;
  changeAgent(ctx, agent, { drainInfo: ctx.state.registrar.durable.agents.get(id)?.drainInfo });
  info(ctx, `agent ${id} is drained`);
}

export function deactivateAgent(ctx: Context, request: RequestId, agentId: AgentId): void {
  if (!isKnown(ctx, agentId)) return reply(ctx, request, 400, `agent_id: agent ${agentId} is unknown`);
  const proposed = propose(ctx, { kind: 'deactivateAgent', agentId }, { kind: 'agentDeactivated', agentId, request });
  if (!proposed.ok) reply(ctx, request, 400, proposed.error);
}

export function agentDeactivated(ctx: Context, id: AgentId, request: RequestId): void {
  reply(ctx, request, 200);
  const agent = ctx.state.agents.registered.get(id);
  if (agent !== undefined) deactivate(ctx, agent, agent.drainStartedAtMs);
}

export function reactivateAgent(ctx: Context, request: RequestId, agentId: AgentId): void {
  const { projected } = ctx.state.registrar;
  const record = projected.agents.get(agentId) ?? projected.unreachable.get(agentId);
  if (record === undefined) return reply(ctx, request, 400, `agent_id: agent ${agentId} is unknown`);
  if (record.deactivated !== true) return reply(ctx, request, 400, `agent ${agentId} is not deactivated`);
  if (record.drainInfo?.state === 'DRAINING') return reply(ctx, request, 400, `agent ${agentId} is still draining`);
  const proposed = propose(ctx, { kind: 'reactivateAgent', agentId }, { kind: 'agentReactivated', agentId, request });
  if (!proposed.ok) reply(ctx, request, 400, proposed.error);
}

/** An agent that is not registered is reactivated too, although the answer is 409, as in Mesos. */
export function agentReactivated(ctx: Context, id: AgentId, request: RequestId): void {
  const agent = ctx.state.agents.registered.get(id);
  if (agent === undefined)
    return reply(ctx, request, 409, `agent ${id} is not registered; it is active once it has re-registered`);
  reply(ctx, request, 200);
  changeAgent(ctx, agent, { deactivated: false, drainInfo: undefined, drainStartedAtMs: undefined });
  if (agent.connected) ctx.state.allocator.activateAgent(id);
}
