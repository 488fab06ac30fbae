// Creates and changes the records of agents.

import { type AgentId, idOf, type Pid } from '@meseta/base';
import {
  add,
  admitResources,
  applyCheckpointed,
  merge,
  type Resources,
  toPostRefinement,
  toPreRefinement,
} from '@meseta/resources';
import type { AgentInfo, AgentInfoCapability, RegisterAgentMessage, Resource } from '@meseta/wire';
import { decodeAgentInfo, type EncodedAgentInfo, encodeAgentInfo } from '../../registry/agent-info.js';
import { machineKeyOf } from '../../registry/state.js';
import { type Context, send } from '../context.js';
import { link } from '../links.js';
import type { Agent, RecoveredAgent } from '../state.js';
import { usedOnAgent } from '../tasks.js';

/** The agent's info with its id and its resources in the post-refinement format. */
export const normalizeAgentInfo = (info: AgentInfo, id: AgentId): AgentInfo => {
  const { resources, attributes, id: _, checkpoint, port, domain, hostname } = info;
  return {
    hostname,
    resources: toPostRefinement(resources ?? []),
    ...(attributes === undefined ? {} : { attributes }),
    id: { value: id },
    ...(checkpoint === undefined ? {} : { checkpoint }),
    ...(port === undefined ? {} : { port }),
    ...(domain === undefined ? {} : { domain }),
  };
};

/** The info for the registry: in the pre-refinement format if that can express the resources. */
export function encodeForRegistry(info: AgentInfo): EncodedAgentInfo {
  const resources = toPreRefinement(info.resources ?? []);
  return encodeAgentInfo(resources.ok ? { ...info, resources: resources.value } : info);
}

/** The info of an agent that has not re-registered, from the registry. */
export const infoOfRecovered = ({ id, info }: RecoveredAgent): AgentInfo =>
  normalizeAgentInfo(decodeAgentInfo(info), id);

export const totalOf = (info: AgentInfo, checkpointed: Resources, oversubscribed: Resources): Resources => {
  const total = applyCheckpointed(info.resources ?? [], checkpointed);
  return add(total.ok ? total.value : (info.resources ?? []), oversubscribed);
};

/** The problem of resources in a message, or undefined. */
export function checkReportedResources(field: string, resources: readonly Resource[] | undefined): string | undefined {
  const admitted = admitResources(resources ?? [], field);
  return admitted.ok ? undefined : admitted.error.text;
}

/** The record of an agent that registers, without tasks; `indexAgent` and `addToAllocator` follow. */
export function newAgent(ctx: Context, id: AgentId, pid: Pid, message: RegisterAgentMessage): Agent {
  const { state, now } = ctx;
  const inRegistry = state.registrar.durable.agents.get(id);
  const info = shareInfo(ctx, normalizeAgentInfo(message.agent, id));
  const checkpointed = merge(toPostRefinement(message.checkpointed_resources ?? []));
  return {
    id,
    wireId: info.id ?? { value: id },
    info,
    pid,
    version: state.intern(message.version ?? ''),
    capabilities: capabilitySet(ctx, message.agent_capabilities ?? []),
    registeredAtMs: now.wallMs,
    reregisteredAtMs: undefined,
    connected: true,
    deactivated: inRegistry?.deactivated === true,
    drainInfo: inRegistry?.drainInfo,
    drainStartedAtMs: inRegistry?.drainInfo?.state === 'DRAINING' ? now.wallMs : undefined,
    checkpointedResources: checkpointed,
    totalResources: state.intern(totalOf(info, checkpointed, [])),
    reregisteredWithOperationsInFlight: false,
    oversubscribedResources: NO_RESOURCES,
    resourceVersion: message.resource_version_uuid?.value,
    resourceProviders: NO_PROVIDERS,
    observer: state.nextObserver++,
    tasks: new Map(),
    executors: new Map(),
    offers: new Set(),
    inverseOffers: new Set(),
    operations: new Set(),
    acknowledgedOperations: new Set(),
    killedTasks: new Map(),
  };
}

const NO_RESOURCES: Resources = [];
const NO_PROVIDERS: Agent['resourceProviders'] = new Map();

/** The info, sharing equal parts with the infos of other agents. */
export function shareInfo({ state: { intern } }: Context, info: AgentInfo): AgentInfo {
  const shared: { -readonly [Field in keyof AgentInfo]: AgentInfo[Field] } = Object.assign({}, info);
  if (info.resources !== undefined) shared.resources = intern(info.resources);
  if (info.attributes !== undefined) shared.attributes = intern(info.attributes);
  if (info.domain !== undefined) shared.domain = intern(info.domain);
  return shared;
}

/** One shared set for all agents with the same capabilities. */
export function capabilitySet(ctx: Context, sent: readonly AgentInfoCapability[]): Agent['capabilities'] {
  const { capabilitySets } = ctx.state.agents;
  const set = new Set(sent.flatMap(({ type }) => type ?? []));
  const key = [...set].join(' ');
  const known = capabilitySets.get(key);
  if (known !== undefined) return known;
  if (capabilitySets.size < MAX_CAPABILITY_SETS) capabilitySets.set(key, set);
  return set;
}

/** Real agents have few different sets; the limit bounds the memory for the sets that a hostile agent invents. */
const MAX_CAPABILITY_SETS = 256;

export const capabilitiesOf = (ctx: Context, agent: Agent): readonly AgentInfoCapability[] =>
  ctx.state.intern([...agent.capabilities].map((type) => ({ type })));

/** Adds the agent to the allocator, with the resources of its tasks and executors. */
export function addToAllocator(ctx: Context, agent: Agent): void {
  const { state } = ctx;
  const key = machineKeyOf(agent);
  state.allocator.addAgent(agent.id, {
    info: agent.info,
    capabilities: capabilitiesOf(ctx, agent),
    unavailability: state.registrar.durable.machines.get(key)?.unavailability,
    total: agent.totalResources,
    used: usedOnAgent(ctx, agent),
    active: !agent.deactivated,
  });
  link(ctx, agent.pid);
}

/** Adds the agent to the indexes. Its tasks are added after that, and then `addToAllocator` follows. */
export function indexAgent(ctx: Context, agent: Agent): void {
  const { agents } = ctx.state;
  agents.recovered.delete(agent.id);
  agents.unreachable.delete(agent.id);
  agents.registered.set(agent.id, agent);
  agents.byPid.set(agent.pid, agent.id);
}

export const connectionOf = (ctx: Context) => ({
  total_ping_timeout_seconds: (ctx.state.options.agentPingTimeoutMs * ctx.state.options.maxAgentPingTimeouts) / 1000,
});

export function changeAgent(ctx: Context, agent: Agent, fields: Partial<Agent>): Agent {
  const changed = { ...agent, ...fields };
  ctx.state.agents.registered.set(agent.id, changed);
  return changed;
}

/** Makes the agent re-register, by a ping with `connected: false`. */
export function requestReregistration(ctx: Context, agent: Agent): void {
  send(ctx, agent.pid, { name: 'PingAgentMessage', body: { connected: false } }, `slave-observer(${agent.observer})`);
}

export function sendShutdown(ctx: Context, pid: Pid, message: string): void {
  send(ctx, pid, { name: 'ShutdownMessage', body: { message } });
}

export const agentIdOf = (info: AgentInfo): AgentId | undefined =>
  info.id === undefined || info.id.value === '' ? undefined : idOf<AgentId>(info.id);
