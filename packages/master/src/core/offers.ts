// Offers and inverse offers: sent when the allocator decides, kept until they are used, declined, rescinded or timed out.
//
// OFFERS-1: while an offer is in `offers`, the allocator counts its resources as offered to the framework.
// OFFERS-2: an offer is removed together with its timer, and only once.
// OFFERS-3: an agent or framework is active here if and only if it is active in the allocator, which runs within a step.

import type { InverseOfferDecision, OfferDecision, ReturnOptions } from '@meseta/allocator';
import { type AgentId, assert, idOf, type OfferId, parsePid, present } from '@meseta/base';
import { cancelTimer, setTimer } from '@meseta/base/core/timers';
import { offerOrder } from '@meseta/resources';
import type { ExecutorID, InverseOffer, Offer, Resource, URL } from '@meseta/wire';
import { machineKeyOf } from '../registry/state.js';
import { type Context, countFor } from './context.js';
import { sendEvent } from './events.js';
import { type Agent, type Framework, type InverseOfferRecord, isActive, type OfferRecord } from './state.js';

/** Runs the allocator and sends its decisions, one event per framework. */
export function allocate(ctx: Context): void {
  const { state, now } = ctx;
  const decisions = state.allocator.run(now.monoMs);
  const offers = new Map<Framework, Offer[]>();
  for (const decision of decisions.offers) {
    const framework = present(state.frameworks.get(decision.frameworkId), 'the framework of an offer');
    const agent = present(state.agents.registered.get(decision.agentId), 'the agent of an offer');
    // Returning the resources instead would make the allocator offer them again at once, without end.
    assert(
      framework.status === 'active' && isActive(agent),
      'OFFERS-3: the allocator offers active agents to active frameworks',
    );
    push(offers, framework, addOffer(ctx, framework, agent, decision));
  }
  for (const [framework, list] of offers) {
    countFor(framework, 'offers/sent', list.length);
    sendEvent(ctx, framework, { type: 'OFFERS', offers: { offers: list } });
  }
  sendInverseOffers(ctx, decisions.inverseOffers);
}

function push<K, V>(lists: Map<K, V[]>, key: K, item: V): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [item]);
  else list.push(item);
}

function addOffer(ctx: Context, framework: Framework, agent: Agent, decision: OfferDecision): Offer {
  const { state } = ctx;
  const id = nextOfferId(ctx);
  const offer = offerOf(ctx, framework, agent, decision, id);
  const { role, resources } = decision;
  state.offers.set(id, {
    id,
    frameworkId: framework.id,
    agentId: agent.id,
    role,
    resources: resources.resources,
    bundle: resources,
    offer,
  });
  framework.offers.add(id);
  agent.offers.add(id);
  if (state.options.offerTimeoutMs !== undefined) {
    setTimer(ctx, { kind: 'offer', offerId: id }, state.options.offerTimeoutMs);
  }
  return offer;
}

const nextOfferId = (ctx: Context): OfferId => `${ctx.state.identity.info.id}-O${ctx.state.nextOffer++}` as OfferId;

/** The offer in the format that the framework understands. */
function offerOf(ctx: Context, framework: Framework, agent: Agent, decision: OfferDecision, id: OfferId): Offer {
  const { resources: bundle, role, guaranteed } = decision;
  const refined = framework.capabilities.has('RESERVATION_REFINEMENT');
  const multiRole = framework.capabilities.has('MULTI_ROLE');
  const formatted = refined ? bundle.resources : (bundle.preRefinement ?? bundle.resources);
  const shown = multiRole ? formatted : formatted.map(withoutAllocation);
  const resources = offerOrder(bundle.resources, agent.totalResources, guaranteed).flatMap((at) => shown[at] ?? []);
  const executors = [...(framework.executors.get(agent.id)?.values() ?? [])].map(
    (executor): ExecutorID => executor.executor_id,
  );
  const unavailability = unavailabilityOf(ctx, agent);
  return {
    id: { value: id },
    framework_id: framework.wireId,
    agent_id: agent.wireId,
    hostname: agent.info.hostname,
    resources,
    ...(executors.length === 0 ? {} : { executor_ids: executors }),
    ...(agent.info.attributes === undefined ? {} : { attributes: agent.info.attributes }),
    url: urlOf(agent),
    ...(unavailability === undefined ? {} : { unavailability }),
    ...(multiRole ? { allocation_info: { role } } : {}),
    ...(agent.info.domain === undefined ? {} : { domain: agent.info.domain }),
  };
}

function withoutAllocation(resource: Resource): Resource {
  const { allocation_info: _, ...rest } = resource;
  return rest;
}

/** The scheme is always http, as in Mesos. */
function urlOf(agent: Agent): URL {
  const parts = parsePid(agent.pid);
  const [id, address] = parts.ok ? [parts.value.id, parts.value.address] : ['slave(1)', ''];
  const colon = address.lastIndexOf(':');
  return {
    scheme: 'http',
    address: {
      hostname: agent.info.hostname,
      ip: address.slice(0, colon),
      port: Number(address.slice(colon + 1)),
    },
    path: `/${id}`,
  };
}

const unavailabilityOf = (ctx: Context, agent: Agent) =>
  ctx.state.registrar.durable.machines.get(machineKeyOf(agent))?.unavailability;

/** Removes an offer. Its resources count as offered in the allocator until they are used or returned. */
export function removeOffer(ctx: Context, offer: OfferRecord): void {
  const { state } = ctx;
  state.offers.delete(offer.id);
  cancelTimer(ctx, { kind: 'offer', offerId: offer.id });
  state.frameworks.get(offer.frameworkId)?.offers.delete(offer.id);
  state.agents.registered.get(offer.agentId)?.offers.delete(offer.id);
}

export type HowReturned = 'silently' | 'rescinded';

/** Removes an unused offer and returns its resources to the allocator. */
export function returnOffer(ctx: Context, offer: OfferRecord, how: HowReturned, returned?: ReturnOptions): void {
  const { state, now } = ctx;
  removeOffer(ctx, offer);
  state.allocator.recoverResources(offer.frameworkId, offer.agentId, offer.bundle, now.monoMs, returned);
  const framework = state.frameworks.get(offer.frameworkId);
  if (how === 'silently' || framework === undefined) return;
  countFor(framework, 'offers/rescinded');
  sendEvent(ctx, framework, { type: 'RESCIND', rescind: { offer_id: offer.offer.id } });
}

/** Returns the offers of a framework that `which` selects; without `which`, all offers and inverse offers. */
export function returnOffers(
  ctx: Context,
  framework: Framework,
  how: HowReturned,
  which?: (offer: OfferRecord) => boolean,
): void {
  for (const id of [...framework.offers]) {
    const offer = ctx.state.offers.get(id);
    if (offer !== undefined && (which === undefined || which(offer))) returnOffer(ctx, offer, how);
  }
  if (which !== undefined) return;
  for (const id of [...framework.inverseOffers]) returnInverseOffer(ctx, id, how);
}

/** Rescinds the offers of an agent that `which` selects; without `which`, all. */
export function rescindOffersOf(ctx: Context, agent: Agent, which?: (offer: OfferRecord) => boolean): void {
  for (const id of [...agent.offers]) {
    const offer = ctx.state.offers.get(id);
    if (offer !== undefined && (which === undefined || which(offer))) returnOffer(ctx, offer, 'rescinded');
  }
}

export function offerTimedOut(ctx: Context, id: OfferId): void {
  const offer = ctx.state.offers.get(id);
  if (offer !== undefined) returnOffer(ctx, offer, 'rescinded');
}

function sendInverseOffers(ctx: Context, decisions: readonly InverseOfferDecision[]): void {
  const { state, now } = ctx;
  const offers = new Map<Framework, InverseOffer[]>();
  for (const { frameworkId, agentId, unavailability } of decisions) {
    const framework = state.frameworks.get(frameworkId);
    const agent = state.agents.registered.get(agentId);
    if (framework?.status !== 'active' || agent === undefined) {
      state.allocator.updateInverseOffer(agentId, frameworkId, now.monoMs, undefined, undefined);
      continue;
    }
    const id = nextOfferId(ctx);
    const offer: InverseOffer = {
      id: { value: id },
      url: urlOf(agent),
      framework_id: framework.wireId,
      agent_id: agent.wireId,
      unavailability,
    };
    state.inverseOffers.set(id, { id, frameworkId, agentId, offer });
    framework.inverseOffers.add(id);
    agent.inverseOffers.add(id);
    if (state.options.offerTimeoutMs !== undefined) {
      setTimer(ctx, { kind: 'inverseOffer', offerId: id }, state.options.offerTimeoutMs);
    }
    push(offers, framework, offer);
  }
  for (const [framework, list] of offers) {
    sendEvent(ctx, framework, { type: 'INVERSE_OFFERS', inverse_offers: { inverse_offers: list } });
  }
}

export function removeInverseOffer(ctx: Context, offer: InverseOfferRecord): void {
  const { state } = ctx;
  state.inverseOffers.delete(offer.id);
  cancelTimer(ctx, { kind: 'inverseOffer', offerId: offer.id });
  state.frameworks.get(offer.frameworkId)?.inverseOffers.delete(offer.id);
  state.agents.registered.get(offer.agentId)?.inverseOffers.delete(offer.id);
}

export function returnInverseOffer(ctx: Context, id: OfferId, how: HowReturned): void {
  const { state, now } = ctx;
  const offer = state.inverseOffers.get(id);
  if (offer === undefined) return;
  removeInverseOffer(ctx, offer);
  state.allocator.updateInverseOffer(offer.agentId, offer.frameworkId, now.monoMs, undefined, undefined);
  const framework = state.frameworks.get(offer.frameworkId);
  if (how === 'silently' || framework === undefined) return;
  const inverse_offer_id = offer.offer.id;
  sendEvent(ctx, framework, { type: 'RESCIND_INVERSE_OFFER', rescind_inverse_offer: { inverse_offer_id } });
}

/** Rescinds the inverse offers of an agent. */
export function rescindInverseOffersOf(ctx: Context, agent: Agent): void {
  for (const id of [...agent.inverseOffers]) returnInverseOffer(ctx, id, 'rescinded');
}

export const offerIdOf = (id: { readonly value: string }): OfferId => idOf<OfferId>(id);
export const agentOf = (ctx: Context, id: { readonly value: string }): Agent | undefined =>
  ctx.state.agents.registered.get(idOf<AgentId>(id));
