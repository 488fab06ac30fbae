// Inverse offers: frameworks that hold something on an agent with scheduled maintenance are asked to leave it.
// INVERSE-OFFERS-1: at most one is outstanding for each framework and agent; after its answer or timeout the next waits for the
//     answer's filter, and at least one allocation interval (Mesos docs/maintenance.md).
import { cancelDeadline, type FrameworkId, setDeadline, takeDueDeadline } from '@meseta/base';
import type { Filters, InverseOfferStatus } from '@meseta/wire';
import { refusalMs } from './refusal.js';
import type { Agent, State } from './state.js';
import type { InverseOfferDecision } from './types.js';

const keyOf = (agent: Agent, frameworkId: FrameworkId): string => `${agent.index} ${frameworkId}`;

export function forgetInverseOffers(state: State, agent: Agent): void {
  for (const [key, filter] of [...state.inverseFilterEnds]) {
    if (filter.agent === agent) endFilter(state, key);
  }
  agent.maintenance = undefined;
  state.inverseDirty.delete(agent);
}

/** After REVIVE, or when the framework goes or comes: it may be asked again. */
export function forgetInverseFilters(state: State, frameworkId: FrameworkId): void {
  for (const [key, filter] of [...state.inverseFilterEnds]) {
    if (filter.frameworkId !== frameworkId) continue;
    endFilter(state, key);
    state.inverseDirty.add(filter.agent);
  }
}

function endFilter(state: State, key: string): void {
  state.inverseFilterEnds.delete(key);
  cancelDeadline(state.inverseFilters, key);
}

export function answerInverseOffer(
  state: State,
  agent: Agent,
  frameworkId: FrameworkId,
  now: number,
  status: InverseOfferStatus | undefined,
  filters: Filters | undefined,
): void {
  const { maintenance } = agent;
  // The schedule may have changed meanwhile: then the answer is to an offer that is no more.
  if (maintenance === undefined || !maintenance.outstanding.delete(frameworkId)) return;
  if (status !== undefined) maintenance.statuses.set(frameworkId, status);
  const waitMs = filters === undefined ? 0 : refusalMs(filters);
  const untilMs = now + Math.max(state.settings.intervalMs, waitMs);
  const key = keyOf(agent, frameworkId);
  state.inverseFilterEnds.set(key, { agent, frameworkId, untilMs });
  setDeadline(state.inverseFilters, key, untilMs);
}

/** The inverse offers that are due. */
export function makeInverseOffers(state: State, now: number): InverseOfferDecision[] {
  for (
    let key = takeDueDeadline(state.inverseFilters, now);
    key !== undefined;
    key = takeDueDeadline(state.inverseFilters, now)
  ) {
    const filter = state.inverseFilterEnds.get(key);
    state.inverseFilterEnds.delete(key);
    if (filter !== undefined) state.inverseDirty.add(filter.agent);
  }
  const decisions: InverseOfferDecision[] = [];
  for (const agent of state.inverseDirty) {
    const { maintenance } = agent;
    if (maintenance === undefined || !agent.active) continue;
    for (const { framework } of agent.holdings.keys()) {
      if (!framework.active || maintenance.outstanding.has(framework.id)) continue;
      if (state.inverseFilterEnds.has(keyOf(agent, framework.id))) continue;
      maintenance.outstanding.add(framework.id);
      decisions.push({ frameworkId: framework.id, agentId: agent.id, unavailability: maintenance.unavailability });
    }
  }
  state.inverseDirty.clear();
  return decisions;
}
