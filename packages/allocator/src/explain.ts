// Why a framework is not offered resources: all reasons of the tests in evaluate.ts, as data.
import { type AgentId, type FrameworkId, pushAll } from '@meseta/base';
import { containsBundle, noQuantities, type Quantities, subtractQuantities } from '@meseta/resources';
import { isOfferable } from './allocations.js';
import { HAS_GPUS, HAS_MULTI_ROLE, HAS_REGION, IS_HIERARCHICAL, isExcluded } from './clients.js';
import { cutToQuota, isAgentVisible, meetsMinimum, surplusOf, topLevelOf, visibleTo } from './evaluate.js';
import { filtersOf } from './filters.js';
import { roomUnderLimit, unmetGuarantee } from './roles.js';
import { isPaused } from './run.js';
import { CAN_REFINE, CAN_REVOKE, CAN_SHARE, type Shape } from './shapes.js';
import { shareOf } from './sort-group.js';
import type { Agent, Client, Role, State } from './state.js';
import type { AgentReason, Reason } from './types.js';
import type { Vector } from './vectors.js';

/** See `explain` in types.ts. */
export function explain(
  state: State,
  frameworkId: FrameworkId,
  agentId: AgentId | undefined,
  role: string | undefined,
  now: number,
): Reason[] {
  const framework = state.frameworks.get(frameworkId);
  if (framework === undefined) return [{ kind: 'unknownFramework' }];
  const reasons: Reason[] = [];
  if (isPaused(state, now)) {
    const { recovery } = state;
    reasons.push({
      kind: 'paused',
      knownAgents: state.agents.size,
      expectedAgents: recovery?.expectedAgents,
      untilMs: recovery?.untilMs,
    });
  }
  if (!framework.active) reasons.push({ kind: 'frameworkInactive' });
  const onlyAgent = agentId === undefined ? undefined : state.agents.get(agentId);
  if (agentId !== undefined && onlyAgent === undefined) return [...reasons, { kind: 'unknownAgent', agentId }];
  if (state.agents.size === 0) return [...reasons, { kind: 'noAgents' }];
  for (const name of role === undefined ? framework.roles : [role]) {
    const client = framework.clients.get(name);
    if (client === undefined || !framework.roles.has(name)) {
      reasons.push({ kind: 'notSubscribedToRole', role: name });
      continue;
    }
    if (framework.suppressed.has(name)) reasons.push({ kind: 'suppressed', role: name });
    if (onlyAgent !== undefined) pushAll<Reason>(reasons, reasonsOn(state, onlyAgent, client));
    else pushAll(reasons, summarizeReasons(state, client));
  }
  return reasons;
}

/** One reason of each kind, with the number of agents that it holds for. */
function summarizeReasons(state: State, client: Client): Reason[] {
  const byKind = new Map<string, Reason>();
  for (const agent of state.agents.values()) {
    const here = new Set<string>();
    for (const reason of reasonsOn(state, agent, client)) {
      const detail = 'limited' in reason ? reason.limited : 'capability' in reason ? reason.capability : '';
      const key = `${reason.kind} ${detail}`;
      if (here.has(key)) continue;
      here.add(key);
      const known = byKind.get(key);
      byKind.set(key, known === undefined ? { ...reason, agents: 1 } : { ...known, agents: (known.agents ?? 0) + 1 });
    }
  }
  return [...byKind.values()];
}

/** Every reason why the client has no offer of the agent; `pending` if there is none but that no run was yet. */
function reasonsOn(state: State, agent: Agent, client: Client): AgentReason[] {
  const agentId = agent.id;
  const role = client.role.name;
  const reasons: AgentReason[] = [];
  if (!agent.active) reasons.push({ kind: 'agentDeactivated', agentId });
  if (!agent.whitelisted) reasons.push({ kind: 'notWhitelisted', agentId, hostname: agent.info.hostname });
  const untilMs = state.cooldownUntilMs.get(agent);
  if (untilMs !== undefined) reasons.push({ kind: 'inCooldown', agentId, untilMs });
  pushAll(reasons, visibilityReasons(agent, client));
  if (agent.free.bundle.isEmpty) {
    reasons.push({ kind: 'nothingFree', agentId, total: agent.total.quantities });
    pushAll(reasons, shareReasons(state, agent, client));
    return reasons;
  }
  const view = visibleTo(state, agent, client);
  const cut = isOfferable(agent) ? cutToQuota(state, agent, client, view, false) : view;
  const isEnough = meetsMinimum(state, client, cut);
  const filters = isEnough ? filtersOf(state.filters, agent.index, client.index) : [];
  const before = reasons.length;
  for (const { refused, untilMs: until } of filters) {
    if (!containsBundle(refused, cut.bundle)) continue;
    reasons.push({ kind: 'filtered', agentId, role, untilMs: until, refused: refused.quantities });
  }
  if (isEnough && reasons.length === before) {
    if (reasons.length === 0 && client.active) reasons.push({ kind: 'pending', agentId, role });
    return reasons;
  }
  pushAll(reasons, resourceReasons(state, agent, client));
  pushAll(reasons, quotaReasons(state, agent, client, view, cut));
  if (!isEnough) {
    const minimum = client.minimum ?? state.settings.minimum;
    reasons.push({ kind: 'tooSmall', agentId, role, available: cut.bundle.quantities, minimum });
    pushAll(reasons, shareReasons(state, agent, client));
  }
  return reasons;
}

function visibilityReasons(agent: Agent, client: Client): AgentReason[] {
  if (isAgentVisible(agent, client)) return [];
  const agentId = agent.id;
  const reasons: AgentReason[] = [];
  const missing = agent.requiredTraits & ~client.traits;
  const conflicting = agent.forbiddenTraits & client.traits;
  if (missing & HAS_GPUS) reasons.push({ kind: 'gpuAgent', agentId });
  if (missing & HAS_REGION) {
    reasons.push({ kind: 'otherRegion', agentId, region: agent.info.domain?.fault_domain?.region.name ?? '' });
  }
  if (conflicting & HAS_MULTI_ROLE) reasons.push({ kind: 'agentCapability', agentId, capability: 'MULTI_ROLE' });
  if (conflicting & IS_HIERARCHICAL) {
    reasons.push({ kind: 'agentCapability', agentId, capability: 'HIERARCHICAL_ROLE' });
  }
  if (isExcluded(client, agent)) reasons.push({ kind: 'constraint', agentId, role: client.role.name });
  return reasons;
}

/** The clients that have the agent's resources. */
function shareReasons(state: State, agent: Agent, client: Client): AgentReason[] {
  const holders = [...agent.allocations].map(([holder, { offeredOrAllocated, allocated }]) => ({
    frameworkId: holder.framework.id,
    role: holder.role.name,
    share: shareOf(holder.entry, state.cluster),
    offeredOrAllocated: offeredOrAllocated.quantities,
    offered: subtractQuantities(offeredOrAllocated.quantities, allocated.quantities),
  }));
  if (holders.length === 0) return [];
  const share = shareOf(client.entry, state.cluster);
  return [{ kind: 'share', agentId: agent.id, role: client.role.name, share, holders }];
}

const CAPABILITIES = [
  ['SHARED_RESOURCES', CAN_SHARE],
  ['REVOCABLE_RESOURCES', CAN_REVOKE],
  ['RESERVATION_REFINEMENT', CAN_REFINE],
] as const;

/** Free resources that are reserved to other roles, or need a capability that the framework lacks. */
function resourceReasons(state: State, agent: Agent, client: Client): AgentReason[] {
  const { free } = agent;
  if (free.isUnrestricted) return [];
  const agentId = agent.id;
  const role = client.role.name;
  const reasons: AgentReason[] = [];
  const everything = CAN_SHARE | CAN_REVOKE | CAN_REFINE;
  const whole = state.shapes.viewOf(free, role, everything).bundle.quantities;
  for (const [to, vector] of free.reserved ?? []) {
    if (to === role || role.startsWith(`${to}/`)) continue;
    reasons.push({ kind: 'reserved', agentId, role, to, withheld: state.dimensions.quantitiesOf(vector) });
  }
  for (const [capability, bit] of CAPABILITIES) {
    if (client.traits & bit) continue;
    const withheld = subtractQuantities(whole, state.shapes.viewOf(free, role, everything & ~bit).bundle.quantities);
    if (withheld.names.length > 0) reasons.push({ kind: 'frameworkCapability', agentId, capability, withheld });
  }
  return reasons;
}

function quotaReasons(state: State, agent: Agent, client: Client, view: Shape, cut: Shape): AgentReason[] {
  if (cut === view) return [];
  const agentId = agent.id;
  const role = client.role.name;
  const reasons: AgentReason[] = [];
  const beyond = (room: (d: number) => number): Quantities => {
    const over: Vector = view.countable.map((wanted, d) => Math.max(0, wanted - Math.max(0, room(d))));
    return state.dimensions.quantitiesOf(over);
  };
  for (let at: Role | undefined = client.role; at !== undefined; at = at.parent) {
    const limited = at;
    if (limited.limits === undefined) continue;
    const withheld = beyond((d) => roomUnderLimit(limited, d));
    if (withheld.names.length === 0) continue;
    const limits = limited.quota?.limits ?? noQuantities;
    const consumed = state.dimensions.quantitiesOf(limited.consumedOrOffered);
    reasons.push({ kind: 'limit', agentId, role, limited: limited.name, limits, consumed, withheld });
  }
  const top = topLevelOf(client.role);
  const withheld = beyond((d) => Math.max(0, surplusOf(state, d)) + unmetGuarantee(top, d));
  if (withheld.names.length > 0) {
    const required = state.dimensions.quantitiesOf(state.required);
    const available = state.dimensions.quantitiesOf(state.available);
    reasons.push({ kind: 'headroom', agentId, role, required, available, withheld });
  }
  return reasons;
}
