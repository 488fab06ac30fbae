// Removes an agent: it unregistered, its machine went down, or another agent registered at its pid.

import type { AgentId, Pid } from '@meseta/base';
import type { UnregisterAgentMessage } from '@meseta/wire';
import { machineKeyOf } from '../../registry/state.js';
import { type Context, count, info, note, warn } from '../context.js';
import { addToHistory } from '../history.js';
import { agentOf } from '../offers.js';
import { propose } from '../registrar.js';
import type { Agent } from '../state.js';
import { deleteAgent, sendFailure } from './deletion.js';
import { sendShutdown } from './records.js';

/** Another agent registered at its pid. */
export const REPLACED = 'a new agent registered at its address';

const MAX_REMOVED_AGENTS = 100_000;

const UNREGISTERED = 'it unregistered';
const MACHINE_DOWN = 'its machine went down for maintenance';

/** The reasons in the metric's name; removals for maintenance have none in Mesos. */
const REASONS: Readonly<Record<string, string>> = { [REPLACED]: 'registered', [UNREGISTERED]: 'unregistered' };

export function unregisterAgent(ctx: Context, from: Pid, { agent_id }: UnregisterAgentMessage): void {
  count(ctx, 'master/messages_unregister_slave');
  const agent = agentOf(ctx, agent_id);
  if (agent === undefined) return warn(ctx, `ignoring the unregistration of unknown agent ${agent_id.value}`);
  if (agent.pid !== from) return warn(ctx, `ignoring the unregistration of agent ${agent.id} by ${from}`);
  requestRemoval(ctx, agent.id, UNREGISTERED);
}

/** Returns false if another change of the agent is being written to the registry. */
export function requestRemoval(ctx: Context, agentId: AgentId, why: string): boolean {
  const { agents } = ctx.state;
  if (agents.transitions.has(agentId)) return false;
  const proposed = propose(ctx, { kind: 'removeAgent', agentId }, { kind: 'agentRemoved', agentId, why });
  if (proposed.ok && (agents.registered.has(agentId) || agents.recovered.has(agentId))) {
    agents.transitions.set(agentId, 'removing');
  }
  return proposed.ok;
}

/** Shuts down and removes an agent whose machine goes down for maintenance. */
export function shutDownForMaintenance(ctx: Context, agent: Agent): void {
  sendShutdown(ctx, agent.pid, 'The machine goes down for maintenance');
  requestRemoval(ctx, agent.id, MACHINE_DOWN);
}

/** For an agent whose machine went down while its registration was written to the registry. */
export function shutDownIfMachineIsDown(ctx: Context, agent: Agent): void {
  const machine = ctx.state.registrar.durable.machines.get(machineKeyOf(agent));
  if (machine?.mode === 'DOWN') shutDownForMaintenance(ctx, agent);
}

export function agentRemoved(ctx: Context, id: AgentId, why: string): void {
  const { agents } = ctx.state;
  agents.transitions.delete(id);
  // It was removed before it was registered, so no framework has seen its id.
  if (!agents.registered.has(id) && !agents.recovered.has(id)) return;
  agents.recovered.delete(id);
  addToHistory(agents.removed, id, MAX_REMOVED_AGENTS);
  count(ctx, 'master/slave_removals');
  const reason = REASONS[why];
  if (reason !== undefined) count(ctx, `master/slave_removals/reason_${reason}`);
  const agent = agents.registered.get(id);
  if (agent !== undefined) {
    deleteAgent(ctx, agent, {
      updateFor: () => ({
        state: 'TASK_LOST',
        reason: 'REASON_AGENT_REMOVED',
        message: `Agent ${agent.info.hostname} removed: ${why}`,
      }),
      moveTasksTo: 'completed',
      operationState: undefined,
    });
  }
  info(ctx, `agent ${id} removed: ${why}`);
  note(ctx, { kind: 'agentRemoved', agentId: id, why: 'removed' });
  sendFailure(ctx, id);
}
