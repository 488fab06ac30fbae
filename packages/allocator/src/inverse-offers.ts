// Inverse offers ask frameworks to free what they use on an agent with scheduled maintenance.
// INVERSE-OFFERS-1: each framework has at most one outstanding inverse offer of an agent. After its response or timeout
//     the next follows when the filter of the response ends, at least one allocation interval later
//     (Mesos docs/maintenance.md).
import { cancelDeadline, type FrameworkId, setDeadline, takeDueDeadline } from '@meseta/base';
import type { Filters, InverseOfferStatus, Unavailability } from '@meseta/wire';
import { refusalMs } from './refusal.js';
import type { Agent, InverseFilter, State } from './state.js';
import type { InverseOfferDecision } from './types.js';

export function startMaintenance(state: State, agent: Agent, unavailability: Unavailability): void {
  agent.maintenance = { unavailability, outstanding: new Set(), statuses: new Map(), filters: new Map() };
  state.agentsInMaintenance.add(agent);
  state.inverseOfferDirtyAgents.add(agent);
}

export function endMaintenance(state: State, agent: Agent): void {
  for (const filter of agent.maintenance?.filters.values() ?? []) cancelDeadline(state.inverseFilters, filter);
  agent.maintenance = undefined;
  state.agentsInMaintenance.delete(agent);
  state.inverseOfferDirtyAgents.delete(agent);
}

/** Called on REVIVE and when the framework is activated or deactivated: its next inverse offers are due at once. */
export function removeInverseFilters(state: State, frameworkId: FrameworkId): void {
  for (const { maintenance } of state.agentsInMaintenance) {
    const filter = maintenance?.filters.get(frameworkId);
    if (filter === undefined) continue;
    cancelDeadline(state.inverseFilters, filter);
    endFilter(state, filter);
  }
}

function endFilter(state: State, { agent, frameworkId }: InverseFilter): void {
  agent.maintenance?.filters.delete(frameworkId);
  state.inverseOfferDirtyAgents.add(agent);
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
  const filter: InverseFilter = { agent, frameworkId };
  maintenance.filters.set(frameworkId, filter);
  setDeadline(state.inverseFilters, filter, now + Math.max(state.settings.intervalMs, waitMs));
}

/** Makes the inverse offers that are due. */
export function makeInverseOffers(state: State, now: number): InverseOfferDecision[] {
  for (
    let filter = takeDueDeadline(state.inverseFilters, now);
    filter !== undefined;
    filter = takeDueDeadline(state.inverseFilters, now)
  ) {
    endFilter(state, filter);
  }
  const decisions: InverseOfferDecision[] = [];
  for (const agent of state.inverseOfferDirtyAgents) {
    const { maintenance } = agent;
    if (maintenance === undefined || !agent.active) continue;
    for (const { framework } of agent.allocations.keys()) {
      if (!framework.active || maintenance.outstanding.has(framework.id)) continue;
      if (maintenance.filters.has(framework.id)) continue;
      maintenance.outstanding.add(framework.id);
      decisions.push({ frameworkId: framework.id, agentId: agent.id, unavailability: maintenance.unavailability });
    }
  }
  state.inverseOfferDirtyAgents.clear();
  return decisions;
}
