// Pings: an agent that does not answer too many in a row is marked unreachable, subject to the rate limit.
// A disconnected agent is pinged too, with `connected: false`, which makes it re-register.

import type { AgentId, Pid } from '@meseta/base';
import { setTimer } from '@meseta/base/core/timers';
import { type Context, count, send } from '../context.js';
import type { Agent } from '../state.js';
import { cancelUnreachable, requestUnreachable } from './unreachable.js';

export function startPings(ctx: Context, agent: Agent): void {
  ctx.state.agents.unansweredPings.set(agent.id, 0);
  ping(ctx, agent);
}

function ping(ctx: Context, agent: Agent): void {
  const { agents, options } = ctx.state;
  const body = { connected: agent.connected };
  send(ctx, agent.pid, { name: 'PingAgentMessage', body }, `slave-observer(${agent.observer})`);
  agents.unansweredPings.set(agent.id, (agents.unansweredPings.get(agent.id) ?? 0) + 1);
  setTimer(ctx, { kind: 'ping', agentId: agent.id }, options.agentPingTimeoutMs);
}

export function pingTimedOut(ctx: Context, id: AgentId): void {
  const { agents, options } = ctx.state;
  const agent = agents.registered.get(id);
  if (agent === undefined) return;
  if ((agents.unansweredPings.get(id) ?? 0) >= options.maxAgentPingTimeouts) {
    requestUnreachable(ctx, id, 'health check timed out');
  }
  if (agents.registered.has(id)) ping(ctx, agent);
}

export function pong(ctx: Context, from: Pid): void {
  const { agents } = ctx.state;
  const id = agents.byPid.get(from);
  if (id === undefined) return;
  agents.unansweredPings.set(id, 0);
  if (cancelUnreachable(ctx, id)) count(ctx, 'master/slave_unreachable_canceled');
}
