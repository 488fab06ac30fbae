// Turns the allocator's reasons into sentences and figures for the operator. One entry per kind of reason.
import type { Reason, ShareHolder } from '@meseta/allocator';
import type { ExplainedReason, ExplainedReasonKind } from '@meseta/api';
import type { AgentId, FrameworkId, Now } from '@meseta/base';
import type { MasterState } from '../core/state.js';
import type { Approver } from './approver.js';
import { amountsOf, formatAmounts, formatCount, formatShare, formatSpan } from './explain-text.js';

export interface ExplainContext {
  readonly state: MasterState;
  readonly frameworkId: FrameworkId;
  readonly now: Now;
  readonly approver: Approver;
}

interface ReasonText {
  readonly text: string;
  readonly figures?: ExplainedReason['figures'];
  readonly untilMs?: number | undefined;
}

type OfKind<K extends Reason['kind']> = Extract<Reason, { readonly kind: K }>;

export function explainReason(context: ExplainContext, reason: Reason): ExplainedReason {
  const { state, now } = context;
  const text = (TEXTS[reason.kind] as (reason: Reason, context: ExplainContext) => ReasonText)(reason, context);
  const agentId = 'agentId' in reason ? reason.agentId : undefined;
  const hostname = agentId === undefined ? undefined : state.agents.registered.get(agentId)?.info.hostname;
  return {
    kind: KINDS[reason.kind],
    text: text.text,
    ...('role' in reason ? { role: reason.role } : {}),
    ...(agentId === undefined ? {} : { agent_id: agentId }),
    ...(hostname === undefined ? {} : { hostname }),
    ...(reason.agents === undefined ? {} : { agents: reason.agents }),
    ...(text.untilMs === undefined ? {} : { until: (now.wallMs + text.untilMs - now.monoMs) / 1000 }),
    ...(text.figures === undefined ? {} : { figures: text.figures }),
  };
}

/** The names of the allocator's kinds in the endpoint's answer. */
const KINDS: { readonly [K in Reason['kind']]: ExplainedReasonKind } = {
  paused: 'paused',
  unknownFramework: 'unknown_framework',
  unknownAgent: 'unknown_agent',
  noAgents: 'no_agents',
  frameworkInactive: 'framework_inactive',
  notSubscribedToRole: 'not_subscribed_to_role',
  suppressed: 'suppressed',
  agentDeactivated: 'agent_deactivated',
  notWhitelisted: 'not_whitelisted',
  inCooldown: 'in_cooldown',
  nothingFree: 'nothing_free',
  gpuAgent: 'gpu_agent',
  otherRegion: 'other_region',
  agentCapability: 'agent_capability',
  constraint: 'constraint',
  reserved: 'reserved',
  frameworkCapability: 'framework_capability',
  tooSmall: 'too_small',
  limit: 'limit',
  headroom: 'headroom',
  filtered: 'filtered',
  share: 'share',
  pending: 'pending',
};

const formatRemaining = ({ now }: ExplainContext, untilMs: number): string => formatSpan(untilMs - now.monoMs);

const TEXTS: { readonly [K in Reason['kind']]: (reason: OfKind<K>, context: ExplainContext) => ReasonText } = {
  paused: ({ knownAgents, expectedAgents, untilMs }, context) => ({
    text: `After its failover the master makes no offers until enough agents are back: ${knownAgents} of ${expectedAgents ?? 'an unknown number'} so far${untilMs === undefined ? '' : `; it waits ${formatRemaining(context, untilMs)} more at most`}.`,
    figures: {
      known_agents: knownAgents,
      ...(expectedAgents === undefined ? {} : { expected_agents: expectedAgents }),
    },
    untilMs,
  }),
  unknownFramework: () => ({ text: 'The allocator does not know the framework.' }),
  unknownAgent: ({ agentId }, context) => ({ text: describeAgentState(context.state, agentId) }),
  noAgents: (_, { state: { agents } }) => ({
    text: `No agent is registered${agents.unreachable.size + agents.recovered.size === 0 ? '.' : `: ${agents.unreachable.size} unreachable, ${agents.recovered.size} not back since the master's failover.`}`,
    figures: { unreachable_agents: agents.unreachable.size, recovered_agents: agents.recovered.size },
  }),
  frameworkInactive: (_, context) => ({ text: describeInactivity(context) }),
  notSubscribedToRole: ({ role }) => ({ text: `The framework is not subscribed to the role ${role}.` }),
  suppressed: ({ role }) => ({
    text: `The framework has suppressed offers for the role ${role} (SUPPRESS, or suppressed_roles when it subscribed); none come until it calls REVIVE.`,
  }),
  agentDeactivated: ({ agentId }, { state }) => ({ text: describeDeactivation(state, agentId) }),
  notWhitelisted: ({ hostname }) => ({ text: `${hostname} is not in the file of --whitelist.` }),
  inCooldown: ({ untilMs }, context) => ({
    text: `Another framework accepted a part of the agent's resources and asked to be offered the rest soon; all others wait ${formatRemaining(context, untilMs)} more.`,
    untilMs,
  }),
  nothingFree: ({ total }) => ({
    text: `All of it is in use or offered (${formatAmounts(total)}).`,
    figures: { total: amountsOf(total) },
  }),
  gpuAgent: () => ({ text: 'It has GPUs and is kept for frameworks with the capability GPU_RESOURCES.' }),
  otherRegion: ({ region }) => ({
    text: `It is in the region ${region}, and the framework lacks the capability REGION_AWARE.`,
    figures: { region },
  }),
  agentCapability: ({ capability }) => ({
    text: `The agent's version lacks ${capability}, which the framework's roles need.`,
    figures: { capability },
  }),
  constraint: ({ role }) => ({
    text: `The framework's own offer constraints for the role ${role} exclude it, by its attributes.`,
  }),
  reserved: ({ to, withheld }, context) => {
    const isVisible = isVisibleRole(context, to);
    return {
      text: `${formatAmounts(withheld)} are free but reserved for ${isVisible ? `the role ${to}` : 'a role that you may not see'}.`,
      figures: { ...(isVisible ? { reserved_to: to } : {}), withheld: amountsOf(withheld) },
    };
  },
  frameworkCapability: ({ capability, withheld }) => ({
    text: `${formatAmounts(withheld)} are free but only for frameworks with the capability ${capability}.`,
    figures: { capability, withheld: amountsOf(withheld) },
  }),
  tooSmall: ({ available, minimum }) => ({
    text: `What could be offered, ${formatAmounts(available)}, is less than the smallest offer: ${minimum.map(formatAmounts).join(', or ')}.`,
    figures: { available: amountsOf(available), minimum: minimum.map(amountsOf) },
  }),
  limit: ({ limited, limits, consumed, withheld }, { approver }) => {
    if (!approver.quota(limited)) return { text: `The quota limit of the role ${limited} is reached.` };
    return {
      text: `The quota limit of the role ${limited} is reached: ${formatAmounts(consumed)} used of ${formatAmounts(limits)}; ${formatAmounts(withheld)} are held back.`,
      figures: {
        limited_role: limited,
        limits: amountsOf(limits),
        consumed: amountsOf(consumed),
        withheld: amountsOf(withheld),
      },
    };
  },
  headroom: ({ required, available, withheld }) => ({
    text: `${formatAmounts(withheld)} are withheld for quota guarantees of other roles: ${formatAmounts(required)} still promised, ${formatAmounts(available)} free in the cluster.`,
    figures: { required: amountsOf(required), available: amountsOf(available), withheld: amountsOf(withheld) },
  }),
  filtered: ({ refused, untilMs }, context) => ({
    text: `The framework declined ${formatAmounts(refused)} there and asked not to be offered that for ${formatRemaining(context, untilMs)} more (refuse_seconds); REVIVE lifts it.`,
    figures: { refused: amountsOf(refused) },
    untilMs,
  }),
  share: ({ share, holders }, context) => ({
    text: `It is allocated or offered to ${holders.map((holder) => describeHolder(context, holder)).join('; ')}. The framework's own share of the cluster is ${formatShare(share)}.`,
    figures: { share, holders: holders.map((holder) => holderFigures(context, holder)) },
  }),
  pending: () => ({ text: 'Nothing is in the way: the next allocation offers it.' }),
};

function describeHolder(
  context: ExplainContext,
  { frameworkId, role, share, offeredOrAllocated, offered }: ShareHolder,
): string {
  const name = visibleName(context, frameworkId);
  const only = offered.names.length === 0 ? '' : `, ${formatAmounts(offered)} of that only offered`;
  const who =
    frameworkId === context.frameworkId ? 'the framework itself' : (name ?? 'a framework that you may not see');
  const inRole = isVisibleRole(context, role) ? `role ${role}, ` : '';
  return `${who} (${inRole}share ${formatShare(share)}): ${formatAmounts(offeredOrAllocated)}${only}`;
}

const holderFigures = (
  context: ExplainContext,
  { frameworkId, role, share, offeredOrAllocated, offered }: ShareHolder,
) => ({
  ...(visibleName(context, frameworkId) === undefined ? {} : { framework_id: frameworkId }),
  ...(isVisibleRole(context, role) ? { role } : {}),
  share,
  held: amountsOf(offeredOrAllocated),
  offered: amountsOf(offered),
});

/** The default role is visible to all, as in the documents. */
const isVisibleRole = ({ approver }: ExplainContext, role: string): boolean => role === '*' || approver.role(role);

function visibleName({ state, approver }: ExplainContext, id: FrameworkId): string | undefined {
  const framework = state.frameworks.get(id);
  return framework !== undefined && approver.framework(framework) ? framework.info.name : undefined;
}

/** The state of an agent that is not registered. */
export function describeAgentState({ agents }: MasterState, id: AgentId): string {
  if (agents.unreachable.has(id)) return `Agent ${id} is unreachable.`;
  if (agents.recovered.has(id)) return `Agent ${id} has not re-registered since the master's failover.`;
  if (agents.gone.has(id)) return `Agent ${id} was marked gone by an operator.`;
  return `No agent ${id} is registered.`;
}

function describeInactivity({ state, frameworkId }: ExplainContext): string {
  const framework = state.frameworks.get(frameworkId);
  switch (framework?.status) {
    case 'recovered':
      return 'Its scheduler has not subscribed to this master; agents reported the framework.';
    case 'disconnected':
      return `Its scheduler is disconnected; unless it subscribes again within its failover_timeout (${formatSpan(1000 * (framework.info.failover_timeout ?? 0))} after the disconnection) the framework is torn down.`;
    default:
      return 'It has deactivated itself.';
  }
}

function describeDeactivation(state: MasterState, id: AgentId): string {
  const agent = state.agents.registered.get(id);
  if (agent?.connected === false)
    return 'The agent is disconnected: its tasks run on, and its resources are not offered until it re-registers.';
  if (agent?.drainInfo !== undefined) {
    const tasks = [...agent.tasks.values()].reduce((sum, ids) => sum + ids.size, 0);
    return `The agent is ${agent.drainInfo.state} by an operator (${formatCount(tasks, 'task')} left on it); REACTIVATE_AGENT ends that.`;
  }
  return 'An operator has deactivated the agent; REACTIVATE_AGENT ends that.';
}
