// The first registration of an agent: it is admitted in the registry, then it gets its id.
//
// Owns: `registering`, the admissions that wait for the registry, by pid.
// Boundary: reregister.ts handles agents that have an id.
// AGENTS-1: a pid has at most one registered agent, and at most one first registration and one re-registration of a pid
//     wait for the registry. If both wait, the re-registration wins: its sender has an id, and the other message is older.
// AGENTS-2: the first registration of a connected agent is answered again only with the resource version that the agent has.
//     Another one comes from a new process at the pid, whose predecessor's end this master has not noticed yet: with the id of
//     that one it would take its tasks over without knowing them. It repeats its message until the end is noticed.
import type { AgentId, Pid } from '@meseta/base';
import type { RegisterAgentMessage } from '@meseta/wire';
import { type Context, count, info, note, send } from '../context.js';
import { propose } from '../registrar.js';
import type { Agent } from '../state.js';
import { admit } from './admission.js';
import { startPings } from './ping.js';
import {
  addToAllocator,
  connectionOf,
  encodeForRegistry,
  indexAgent,
  newAgent,
  normalizeAgentInfo,
} from './records.js';
import { REPLACED, requestRemoval, shutDownIfMachineIsDown } from './remove.js';

export function registerAgent(
  ctx: Context,
  from: Pid,
  message: RegisterAgentMessage,
  principal: string | undefined,
): void {
  const { agents } = ctx.state;
  count(ctx, 'master/messages_register_slave');
  // The agent repeats its message until it is answered, which happens when the registry is written.
  if (agents.registering.has(from) || agents.reregisteringByPid.has(from)) return;
  if (!admit(ctx, from, message, principal).ok) return;
  const knownId = agents.byPid.get(from);
  const known = knownId === undefined ? undefined : agents.registered.get(knownId);
  if (known?.connected === true) {
    if (isOfAnotherProcess(known, message)) {
      return info(ctx, `ignored a first registration from ${from}: agent ${known.id} is connected there`);
    }
    const body = { agent_id: known.wireId, connection: connectionOf(ctx) };
    return send(ctx, from, { name: 'AgentRegisteredMessage', body });
  }
  // A new agent at the pid of a disconnected one, which therefore has ended.
  if (known !== undefined) requestRemoval(ctx, known.id, REPLACED);
  const id = nextAgentId(ctx);
  agents.registering.set(from, message);
  agents.transitions.set(id, 'admitting');
  const agentInfo = normalizeAgentInfo(message.agent, id);
  const proposed = propose(
    ctx,
    { kind: 'admitAgent', agentId: id, info: encodeForRegistry(agentInfo) },
    { kind: 'agentAdmitted', pid: from, agentId: id },
  );
  if (proposed.ok) return;
  agents.registering.delete(from);
  agents.transitions.delete(id);
}

/** AGENTS-2. A message without a version is taken for a repeated one, as before there were versions. */
const isOfAnotherProcess = ({ resourceVersion }: Agent, { resource_version_uuid }: RegisterAgentMessage): boolean =>
  resourceVersion !== undefined &&
  resource_version_uuid !== undefined &&
  resource_version_uuid.value !== resourceVersion;

/** An agent may re-register with any id, so an id may be in use before the counter reaches it. */
function nextAgentId({ state }: Context): AgentId {
  const { registered, recovered, unreachable, gone, reregistering, removed } = state.agents;
  for (;;) {
    const id = `${state.identity.info.id}-S${state.nextAgent++}` as AgentId;
    if ([registered, recovered, unreachable, gone, reregistering, removed].every((ids) => !ids.has(id))) return id;
  }
}

export function agentAdmitted(ctx: Context, pid: Pid, id: AgentId): void {
  const { agents } = ctx.state;
  const message = agents.registering.get(pid);
  if (message === undefined) return;
  agents.registering.delete(pid);
  agents.transitions.delete(id);
  if (agents.reregisteringByPid.has(pid)) {
    requestRemoval(ctx, id, REPLACED);
    return;
  }
  const agent = newAgent(ctx, id, pid, message);
  indexAgent(ctx, agent);
  addToAllocator(ctx, agent);
  count(ctx, 'master/slave_registrations');
  info(ctx, `agent ${id} registered at ${pid} (${agent.info.hostname})`);
  note(ctx, { kind: 'agentAdded', agentId: id });
  send(ctx, pid, {
    name: 'AgentRegisteredMessage',
    body: { agent_id: agent.wireId, connection: connectionOf(ctx) },
  });
  startPings(ctx, agent);
  shutDownIfMachineIsDown(ctx, agent);
}
