// Operations with an id request feedback, which some agents and all drivers lack.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { present } from '@meseta/base';
import type { Offer, OfferOperation } from '@meseta/wire';
import { CAPABILITIES, createWorld, messagesTo, resources, sendDriverCall } from '../testing.js';

const capabilities = [{ type: 'MULTI_ROLE' as const }, { type: 'RESERVATION_REFINEMENT' as const }];

const reserve = (offer: Offer, cpus: number): OfferOperation => ({
  type: 'RESERVE',
  id: { value: 'op' },
  reserve: {
    resources: resources(`cpus:${cpus}`, offer).map((each) => ({
      ...each,
      reservations: [{ type: 'DYNAMIC', role: 'web' }],
    })),
  },
});

test('an operation id in use, or on an agent without operation feedback, is an OPERATION_ERROR', () => {
  for (const able of [true, false]) {
    const world = createWorld();
    const agent = world.agent('cpus:4;mem:4096', { unregistered: true });
    const agent_capabilities = CAPABILITIES.filter(({ type }) => able || type !== 'AGENT_OPERATION_FEEDBACK');
    agent.send({ name: 'RegisterAgentMessage', body: { agent: agent.info, version: '1.12.0', agent_capabilities } });
    const scheduler = world.subscribe({ roles: ['web'], capabilities });
    world.wait(1_000);
    const offer = scheduler.offer();
    const operations = [reserve(offer, 1), reserve(offer, 2)];
    scheduler.call({ type: 'ACCEPT', accept: { offer_ids: [offer.id], operations } });
    const states = scheduler.events.flatMap(
      ({ update_operation_status }) => update_operation_status?.status.state ?? [],
    );
    assert.deepEqual(states, able ? ['OPERATION_ERROR'] : ['OPERATION_ERROR', 'OPERATION_ERROR']);
  }
});

test('an operation id of a driver is an error, and nothing is done', () => {
  const world = createWorld();
  const agent = world.agent();
  sendDriverCall(world, {
    type: 'SUBSCRIBE',
    subscribe: { framework_info: { user: 'root', name: 'v0', roles: ['web'], capabilities } },
  });
  world.wait(1_000);
  const offers = messagesTo(world).find((message) => message.name === 'ResourceOffersMessage');
  const offer = present(offers?.body.offers?.[0], 'an offer');
  const [id] = world.master.state.frameworks.keys();
  const framework_id = { value: present(id, 'a framework') };
  sendDriverCall(world, {
    framework_id,
    type: 'ACCEPT',
    accept: { offer_ids: [offer.id], operations: [reserve(offer, 1)] },
  });
  assert.equal(messagesTo(world).at(-1)?.name, 'FrameworkErrorMessage');
  assert.equal(agent.has('ApplyOperationMessage'), false);
});
