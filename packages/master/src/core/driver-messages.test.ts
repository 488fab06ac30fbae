import assert from 'node:assert/strict';
import { test } from 'node:test';
import { present } from '@meseta/base';
import type { LibprocessMessage, SchedulerEvent } from '@meseta/wire';
import { driverMessageOf } from './driver-messages.js';
import { createWorld } from './testing.js';

function messageOf(event: SchedulerEvent, agentsAcceptDriverMessages = true): LibprocessMessage | undefined {
  const world = createWorld({ agentsAcceptDriverMessages });
  world.agent();
  const scheduler = world.subscribe();
  const { state } = world.master;
  const framework = present(state.frameworks.get(scheduler.id), 'the framework');
  return driverMessageOf({ state, now: world.now(), effects: [] }, framework, event);
}

const agent_id = { value: '00000000-0000-4000-8000-000000000001-S0' };
const unknown = { value: 'S9' };
const framework_id = { value: '00000000-0000-4000-8000-000000000001-0000' };
const pid = 'slave(1)@10.0.1.0:5051';
const offer = (of: { readonly value: string }) => ({ id: { value: 'o' }, framework_id, agent_id: of, hostname: 'h' });
const unavailability = { start: { nanoseconds: 5n } };
const inverse = { id: { value: 'i' }, framework_id, unavailability };
const executor_id = { value: 'e' };

const cases: readonly (readonly [event: SchedulerEvent, message: LibprocessMessage | undefined])[] = [
  [
    { type: 'OFFERS', offers: { offers: [offer(agent_id), offer(unknown)] } },
    { name: 'ResourceOffersMessage', body: { offers: [offer(agent_id), offer(unknown)], pids: [pid, ''] } },
  ],
  [{ type: 'OFFERS' }, { name: 'ResourceOffersMessage', body: { offers: [], pids: [] } }],
  [
    { type: 'INVERSE_OFFERS', inverse_offers: { inverse_offers: [inverse, { ...inverse, agent_id }] } },
    { name: 'InverseOffersMessage', body: { inverse_offers: [inverse, { ...inverse, agent_id }], pids: ['', pid] } },
  ],
  [{ type: 'INVERSE_OFFERS' }, { name: 'InverseOffersMessage', body: { inverse_offers: [], pids: [] } }],
  [
    { type: 'RESCIND', rescind: { offer_id: { value: 'o' } } },
    { name: 'RescindResourceOfferMessage', body: { offer_id: { value: 'o' } } },
  ],
  [
    { type: 'RESCIND_INVERSE_OFFER', rescind_inverse_offer: { inverse_offer_id: { value: 'i' } } },
    { name: 'RescindInverseOfferMessage', body: { inverse_offer_id: { value: 'i' } } },
  ],
  [
    { type: 'FAILURE', failure: { agent_id } },
    { name: 'LostAgentMessage', body: { agent_id } },
  ],
  [
    { type: 'FAILURE', failure: { agent_id, executor_id, status: 9 } },
    { name: 'ExitedExecutorMessage', body: { agent_id, framework_id, executor_id, status: 9 } },
  ],
  [
    { type: 'FAILURE', failure: { agent_id, executor_id } },
    { name: 'ExitedExecutorMessage', body: { agent_id, framework_id, executor_id, status: -1 } },
  ],
  [{ type: 'FAILURE', failure: { executor_id } }, undefined],
  [{ type: 'FAILURE' }, undefined],
  [
    { type: 'ERROR', error: { message: 'm' } },
    { name: 'FrameworkErrorMessage', body: { message: 'm' } },
  ],
  [{ type: 'ERROR' }, { name: 'FrameworkErrorMessage', body: { message: '' } }],
  [
    { type: 'MESSAGE', message: { agent_id, executor_id, data: 'AA==' } },
    { name: 'ExecutorToFrameworkMessage', body: { agent_id, executor_id, data: 'AA==', framework_id } },
  ],
  [{ type: 'HEARTBEAT' }, undefined],
  [{ type: 'SUBSCRIBED' }, undefined],
];

for (const [event, message] of cases) {
  test(`${event.type} becomes ${message?.name ?? 'no message'} for a driver: ${JSON.stringify(Object.keys(event))}`, () => {
    assert.deepEqual(messageOf(event), message);
  });
}

test('a driver gets no pids of agents that do not accept messages of drivers', () => {
  const message = messageOf({ type: 'OFFERS', offers: { offers: [offer(agent_id)] } }, false);
  assert.deepEqual(message?.name === 'ResourceOffersMessage' && message.body.pids, ['']);
});
