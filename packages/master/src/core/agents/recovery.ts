// A new leader: recovers the registry, marks agents unreachable that do not re-register in time, and prunes old entries.

import type { Quota } from '@meseta/allocator';
import type { AgentId } from '@meseta/base';
import { setTimer } from '@meseta/base/core/timers';
import { limitsFrom, quantitiesFrom } from '@meseta/resources';
import type { QuotaConfig } from '@meseta/wire';
import type { RegistryState } from '../../registry/state.js';
import { type Context, info } from '../context.js';
import { propose } from '../registrar.js';
import { requestUnreachable } from './unreachable.js';

/** The minimum capabilities of a registry that this master supports. */
const CAPABILITIES: ReadonlySet<string> = new Set(['AGENT_UPDATE', 'AGENT_DRAINING', 'QUOTA_V2']);

export function elected(ctx: Context, registry: RegistryState): void {
  const { state, now } = ctx;
  const lacking = [...registry.minimumCapabilities].filter((capability) => !CAPABILITIES.has(capability));
  if (lacking.length > 0) {
    const message = `the registry requires a master with the capabilities ${lacking.join(', ')}`;
    ctx.effects.push({ kind: 'exit', message });
    return;
  }
  state.registrar.durable = registry;
  state.registrar.projected = copyOf(registry);
  propose(ctx, { kind: 'recordMaster', info: state.identity.info }, { kind: 'recovered' });
  if (registry.weights.size === 0 && state.options.weights.size > 0) {
    const weights = [...state.options.weights].map(([role, weight]) => ({ role, weight }));
    propose(ctx, { kind: 'updateWeights', weights }, { kind: 'weightsUpdated', roles: [], request: undefined });
  }
  info(ctx, `elected; the registry has ${registry.agents.size} agents`);
  state.electedAtMs = now.wallMs;
}

const copyOf = (registry: RegistryState): RegistryState => ({
  master: registry.master,
  agents: new Map(registry.agents),
  unreachable: new Map(registry.unreachable),
  gone: new Map(registry.gone),
  machines: new Map(registry.machines),
  schedules: registry.schedules,
  quotas: new Map(registry.quotas),
  weights: new Map(registry.weights),
  minimumCapabilities: new Set(registry.minimumCapabilities),
});

/** The registry names this master: it starts to answer calls. */
export function recovered(ctx: Context): void {
  const { state, now } = ctx;
  const { durable } = state.registrar;
  for (const [id, { info: agentInfo }] of durable.agents) {
    state.agents.recovered.set(id, { id, info: agentInfo });
  }
  for (const [id, { sinceMs }] of durable.unreachable) {
    state.agents.unreachable.set(id, { id, sinceMs, tasks: new Map(), resourceVersion: undefined });
  }
  for (const [id, since] of durable.gone) state.agents.gone.set(id, since);
  state.allocator.updateWeights(durable.weights);
  state.allocator.recover(
    durable.agents.size,
    new Map([...durable.quotas].map(([role, config]) => [role, quotaOf(config)])),
    now.monoMs,
    { factor: state.options.allocatorRecoveryFactor, timeoutMs: state.options.allocatorRecoveryTimeoutMs },
  );
  if (durable.agents.size > 0) {
    setTimer(ctx, { kind: 'missingAgents' }, state.options.agentReregisterTimeoutMs);
  }
  setTimer(ctx, { kind: 'registryGc' }, state.options.registryGcIntervalMs);
  state.recovered = true;
}

export const quotaOf = (config: QuotaConfig): Quota => ({
  guarantees: quantitiesFrom(config.guarantees ?? {}),
  limits: limitsFrom(config.limits ?? {}),
});

/** The time to re-register is over: the missing agents are marked unreachable, subject to the rate limit. */
export function markMissingAgents(ctx: Context): void {
  const { agents, registrar, options } = ctx.state;
  const missing = [...agents.recovered.keys()];
  if (missing.length === 0) return;
  const share = missing.length / Math.max(1, registrar.durable.agents.size);
  if (share > options.recoveryAgentRemovalLimit) {
    const percent = (part: number): string => `${(100 * part).toFixed(1)}%`;
    const message = `${missing.length} agents (${percent(share)}) did not re-register, which is more than the limit of ${percent(options.recoveryAgentRemovalLimit)}`;
    ctx.effects.push({ kind: 'exit', message });
    return;
  }
  ctx.state.jobs.push({ kind: 'markMissing', agentIds: missing, next: 0 });
}

export function markMissingAgent(ctx: Context, id: AgentId): void {
  if (!ctx.state.agents.recovered.has(id)) return;
  requestUnreachable(ctx, id, 'did not re-register after a master failover');
}

/** Proposes to remove entries of unreachable and gone agents that are too old, and the oldest beyond the maximum count. */
export function pruneRegistry(ctx: Context): void {
  const { state, now } = ctx;
  const { options } = state;
  setTimer(ctx, { kind: 'registryGc' }, options.registryGcIntervalMs);
  const prunable = (entries: readonly (readonly [AgentId, number])[]): AgentId[] => {
    const excess = entries.length - options.registryMaxAgentCount;
    const byAge = [...entries].sort((a, b) => a[1] - b[1]);
    return byAge
      .filter(([, since], i) => i < excess || now.wallMs - since > options.registryMaxAgentAgeMs)
      .map(([id]) => id);
  };
  const { projected } = state.registrar;
  const unreachable = prunable([...projected.unreachable].map(([id, { sinceMs }]) => [id, sinceMs] as const));
  const gone = prunable([...projected.gone]);
  if (unreachable.length + gone.length === 0) return;
  propose(ctx, { kind: 'pruneAgents', unreachable, gone }, { kind: 'agentsPruned', unreachable, gone });
}

export function agentsPruned(ctx: Context, unreachable: readonly AgentId[], gone: readonly AgentId[]): void {
  const { agents, frameworks } = ctx.state;
  for (const id of unreachable) {
    for (const [frameworkId, taskIds] of agents.unreachable.get(id)?.tasks ?? []) {
      const tasks = frameworks.get(frameworkId)?.unreachableTasks;
      for (const taskId of taskIds) if (tasks?.get(taskId)?.agent_id.value === id) tasks.delete(taskId);
    }
    agents.unreachable.delete(id);
  }
  for (const id of gone) agents.gone.delete(id);
}
