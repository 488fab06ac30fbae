// Inverse offers ask frameworks to free what they use on an agent with scheduled maintenance.
// INVERSE-OFFERS-1: each framework has at most one outstanding inverse offer of an agent. After its response or timeout
//     the next follows when the filter of the response ends, at least one allocation interval later
//     (Mesos docs/maintenance.md).
import { cancelDeadline, type FrameworkId, setDeadline, takeDueDeadline } from '@meseta/base';
import type { Filters, InverseOfferStatus } from '@meseta/wire';
import { refusalMs } from './refusal.js';
import type { Agent, State } from './state.js';
import type { InverseOfferDecision } from './types.js';

const keyOf = (agent: Agent, frameworkId: FrameworkId): string => `${agent.index} ${frameworkId}`;

export function clearInverseOffers(state: State, agent: Agent): void {
  for (const [key, filter] of [...state.inverseFilterEnds]) {
    if (filter.agent === agent) removeInverseFilter(state, key);
  }
  agent.maintenance = undefined;
  state.inverseOfferDirtyAgents.delete(agent);
}

/** Called on REVIVE and when the framework is activated or deactivated: its next inverse offers are due at once. */
export function removeInverseFilters(state: State, frameworkId: FrameworkId): void {
  for (const [key, filter] of [...state.inverseFilterEnds]) {
    if (filter.frameworkId !== frameworkId) continue;
    removeInverseFilter(state, key);
    state.inverseOfferDirtyAgents.add(filter.agent);
  }
}

function removeInverseFilter(state: State, key: string): void {
  state.inverseFilterEnds.delete(key);
  cancelDeadline(state.inverseFilters, key);
}

export function recordInverseOfferResponse(
  state: State,
  agent: Agent,
  frameworkId: FrameworkId,
  now: number,
  status: InverseOfferStatus | undefined,
  filters: Filters | undefined,
): void {
  const { maintenance } = agent;
  // The maintenance schedule may have changed since: then the response is to an inverse offer that no longer exists.
  if (maintenance === undefined || !maintenance.outstanding.delete(frameworkId)) return;
  if (status !== undefined) maintenance.statuses.set(frameworkId, status);
  const waitMs = filters === undefined ? 0 : refusalMs(filters);
  const untilMs = now + Math.max(state.settings.intervalMs, waitMs);
  const key = keyOf(agent, frameworkId);
  state.inverseFilterEnds.set(key, { agent, frameworkId, untilMs });
  setDeadline(state.inverseFilters, key, untilMs);
}

/** Makes the inverse offers that are due. */
export function makeInverseOffers(state: State, now: number): InverseOfferDecision[] {
  for (
    let key = takeDueDeadline(state.inverseFilters, now);
    key !== undefined;
    key = takeDueDeadline(state.inverseFilters, now)
  ) {
    const filter = state.inverseFilterEnds.get(key);
    state.inverseFilterEnds.delete(key);
    if (filter !== undefined) state.inverseOfferDirtyAgents.add(filter.agent);
  }
  const decisions: InverseOfferDecision[] = [];
  for (const agent of state.inverseOfferDirtyAgents) {
    const { maintenance } = agent;
    if (maintenance === undefined || !agent.active) continue;
    for (const { framework } of agent.allocations.keys()) {
      if (!framework.active || maintenance.outstanding.has(framework.id)) continue;
      if (state.inverseFilterEnds.has(keyOf(agent, framework.id))) continue;
      maintenance.outstanding.add(framework.id);
      decisions.push({ frameworkId: framework.id, agentId: agent.id, unavailability: maintenance.unavailability });
    }
  }
  state.inverseOfferDirtyAgents.clear();
  return decisions;
}
