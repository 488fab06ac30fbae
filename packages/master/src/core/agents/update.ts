// UpdateAgentMessage: an agent sends it after each registration and when oversubscribed or providers' resources change.
// If its resource version differs from that of the last registration, one of the two messages was delayed and is out of
// date, so the agent has to re-register.

import { isDeepEqual, type OperationUuid, type Pid } from '@meseta/base';
import { add, isRevocable, merge, subtract, toPostRefinement } from '@meseta/resources';
import type { ReconcileOperationsMessageOperation, UpdateAgentMessage } from '@meseta/wire';
import { type Context, count, send, warn } from '../context.js';
import { agentOf, rescindOffersOf } from '../offers.js';
import { recordReportedOperations } from '../operation-records.js';
import type { Agent, ResourceProviderRecord } from '../state.js';
import { changeAgent, checkReportedResources, requestReregistration } from './records.js';

export function updateAgent(ctx: Context, from: Pid, message: UpdateAgentMessage): void {
  count(ctx, 'master/messages_update_slave');
  const agent = agentOf(ctx, message.agent_id);
  if (agent === undefined || agent.pid !== from) {
    return warn(ctx, `ignoring an update of agent ${message.agent_id.value} by ${from}: it is not registered there`);
  }
  const problem = checkReportedResources('oversubscribed_resources', message.oversubscribed_resources);
  if (problem !== undefined) return warn(ctx, `ignoring an update of agent ${agent.id}: ${problem}`);
  const version = message.resource_version_uuid?.value;
  const isOutdated = version !== undefined && agent.resourceVersion !== undefined && version !== agent.resourceVersion;
  const changed = applyReportedResources(ctx, agent, message);
  if (isOutdated) requestReregistration(ctx, changed);
  if (message.operations === undefined) return;
  recordReportedOperations(ctx, changed, message.operations.operations ?? []);
  reconcileMissingOperations(ctx, changed, message);
}

function applyReportedResources(ctx: Context, agent: Agent, message: UpdateAgentMessage): Agent {
  const replaced = message.update_oversubscribed_resources === true || message.oversubscribed_resources !== undefined;
  const oversubscribed = replaced
    ? merge(toPostRefinement(message.oversubscribed_resources ?? []))
    : agent.oversubscribedResources;
  const providers = providersOf(agent, message);
  const before = add(agent.oversubscribedResources, totalOfProviders(agent.resourceProviders));
  const after = add(oversubscribed, totalOfProviders(providers));
  const totalResources = add(subtract(agent.totalResources, before), after);
  const changed = changeAgent(ctx, agent, {
    oversubscribedResources: oversubscribed,
    resourceProviders: providers,
    totalResources,
    resourceVersion: message.resource_version_uuid?.value ?? agent.resourceVersion,
  });
  if (isDeepEqual(before, after)) return changed;
  rescindOffersOf(ctx, changed, (offer) =>
    offer.resources.some((resource) => isRevocable(resource) || resource.provider_id !== undefined),
  );
  ctx.state.allocator.updateAgent(agent.id, { total: totalResources });
  return changed;
}

function providersOf(agent: Agent, message: UpdateAgentMessage): ReadonlyMap<string, ResourceProviderRecord> {
  if (message.resource_providers === undefined) return agent.resourceProviders;
  const providers = new Map<string, ResourceProviderRecord>();
  for (const { info, total_resources, resource_version_uuid } of message.resource_providers.providers ?? []) {
    if (info?.id === undefined) continue;
    const total = merge(toPostRefinement(total_resources ?? []));
    providers.set(info.id.value, { info, total, resourceVersion: resource_version_uuid.value });
  }
  return providers;
}

const totalOfProviders = (providers: ReadonlyMap<string, ResourceProviderRecord>) =>
  [...providers.values()].flatMap(({ total }) => total);

/** Operations that the agent does not list may not have reached it. It answers this reconciliation with OPERATION_DROPPED. */
function reconcileMissingOperations(ctx: Context, agent: Agent, message: UpdateAgentMessage): void {
  const known = new Set<string>();
  for (const { uuid } of message.operations?.operations ?? []) known.add(uuid.value);
  const missing = [...agent.operations].filter((uuid: OperationUuid) => !known.has(uuid));
  if (missing.length === 0) return;
  const operations = missing.map((value): ReconcileOperationsMessageOperation => ({ operation_uuid: { value } }));
  send(ctx, agent.pid, { name: 'ReconcileOperationsMessage', body: { operations } });
}
