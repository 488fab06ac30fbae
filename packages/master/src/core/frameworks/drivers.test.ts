import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Pid, present } from '@meseta/base';
import type { FrameworkInfo } from '@meseta/wire';
import { createWorld, DRIVER, messagesTo, sendDriverCall, task, type World } from '../testing.js';

const info: FrameworkInfo = { user: 'root', name: 'v0', roles: ['*'], capabilities: [{ type: 'MULTI_ROLE' }] };

test("a v0 driver registers, gets an offer, launches a task and gets its update with the agent's pid", () => {
  const world = createWorld();
  const agent = world.agent();
  sendDriverCall(world, { type: 'SUBSCRIBE', subscribe: { framework_info: info } });
  const [registered] = messagesTo(world);
  assert.equal(registered?.name, 'FrameworkRegisteredMessage');
  const [id] = world.master.state.frameworks.keys();
  const framework_id = { value: present(id, 'a framework') };
  world.wait(1_000);
  const offers = messagesTo(world).find((message) => message.name === 'ResourceOffersMessage');
  assert.deepEqual(offers?.body.pids, [agent.pid]);
  const offer = present(offers?.body.offers?.[0], 'an offer');
  const launch = { task_infos: [task('t', offer)] };
  sendDriverCall(world, {
    framework_id,
    type: 'ACCEPT',
    accept: { offer_ids: [offer.id], operations: [{ type: 'LAUNCH', launch }] },
  });
  assert.equal(agent.take('RunTaskMessage').pid, DRIVER);
  agent.update({ id: framework_id.value }, 't', 'TASK_RUNNING');
  const update = messagesTo(world).find((message) => message.name === 'StatusUpdateMessage');
  assert.equal(update?.body.pid, agent.pid);
  assert.equal(update?.body.update.status.state, 'TASK_RUNNING');
  assert.equal(
    messagesTo(world).some((message) => (message.name as string) === 'HEARTBEAT'),
    false,
  );
});

test('calls from another pid are dropped; a broken connection starts the failover timeout', () => {
  const world = createWorld();
  sendDriverCall(world, { type: 'SUBSCRIBE', subscribe: { framework_info: { ...info, failover_timeout: 5 } } });
  const [id] = world.master.state.frameworks.keys();
  const framework_id = { value: present(id, 'a framework') };
  sendDriverCall(world, { framework_id, type: 'TEARDOWN' }, 'scheduler-2@10.0.0.8:7000' as Pid);
  assert.equal(world.master.state.frameworks.size, 1);
  world.feed({ kind: 'peerLost', address: '10.0.0.9:7000' });
  assert.equal(world.master.state.frameworks.get(framework_id.value)?.status, 'disconnected');
  const again = { ...info, failover_timeout: 5, id: framework_id };
  sendDriverCall(world, { framework_id, type: 'SUBSCRIBE', subscribe: { framework_info: again } });
  assert.equal(messagesTo(world).at(-1)?.name, 'FrameworkReregisteredMessage');
  world.wait(10_000);
  assert.equal(world.master.state.frameworks.get(framework_id.value)?.status, 'active');
});

test("another driver takes over only with `force`; otherwise it gets 'Framework failed over'", () => {
  const world = createWorld();
  const other = 'scheduler-2@10.0.0.8:7000' as Pid;
  sendDriverCall(world, { type: 'SUBSCRIBE', subscribe: { framework_info: info } });
  const [id] = world.master.state.frameworks.keys();
  const framework_id = { value: present(id, 'a framework') };
  const subscribe = { framework_info: { ...info, id: framework_id } };
  sendDriverCall(world, { framework_id, type: 'SUBSCRIBE', subscribe }, other);
  assert.equal(messagesTo(world, other).at(-1)?.name, 'FrameworkErrorMessage');
  sendDriverCall(world, { framework_id, type: 'SUBSCRIBE', subscribe: { ...subscribe, force: true } }, other);
  assert.equal(messagesTo(world, other).at(-1)?.name, 'FrameworkRegisteredMessage');
  assert.equal(messagesTo(world).at(-1)?.name, 'FrameworkErrorMessage');
});

test('a deactivated driver gets no offers until it subscribes again', () => {
  const world = createWorld();
  world.agent();
  sendDriverCall(world, { type: 'SUBSCRIBE', subscribe: { framework_info: info } });
  const [id] = world.master.state.frameworks.keys();
  const framework_id = { value: present(id, 'a framework') };
  world.wait(1_000);
  world.feed({
    kind: 'message',
    from: DRIVER,
    message: { name: 'DeactivateFrameworkMessage', body: { framework_id } },
  });
  assert.equal(messagesTo(world).at(-1)?.name, 'RescindResourceOfferMessage');
  const before = messagesTo(world).length;
  world.wait(5_000);
  assert.equal(messagesTo(world).length, before);
  sendDriverCall(world, {
    framework_id,
    type: 'SUBSCRIBE',
    subscribe: { framework_info: { ...info, id: framework_id } },
  });
  world.wait(2_000);
  assert.equal(messagesTo(world).at(-1)?.name, 'ResourceOffersMessage');
});

const errors = (world: World, to = DRIVER): readonly string[] =>
  messagesTo(world, to).flatMap((message) => (message.name === 'FrameworkErrorMessage' ? [message.body.message] : []));

test('errors that end a driver have the texts that drivers compare', () => {
  const world = createWorld();
  sendDriverCall(world, { type: 'SUBSCRIBE', subscribe: { framework_info: { ...info, failover_timeout: 60 } } });
  const [id] = world.master.state.frameworks.keys();
  const framework_id = { value: present(id, 'a framework') };
  world.feed({ kind: 'peerLost', address: '10.0.0.9:7000' });
  sendDriverCall(world, { framework_id, type: 'REVIVE' });
  assert.deepEqual(errors(world), ['Framework disconnected'], 'a call of one that has to subscribe again');
  const subscribe = { framework_info: { ...info, id: framework_id } };
  sendDriverCall(world, { framework_id, type: 'SUBSCRIBE', subscribe });
  const other = 'scheduler-2@10.0.0.8:7000' as Pid;
  sendDriverCall(world, { framework_id, type: 'SUBSCRIBE', subscribe: { ...subscribe, force: true } }, other);
  assert.deepEqual(errors(world).slice(1), ['Framework failed over']);
  sendDriverCall(world, { framework_id, type: 'TEARDOWN' }, other);
  sendDriverCall(world, { framework_id, type: 'SUBSCRIBE', subscribe }, other);
  assert.deepEqual(errors(world, other), ['Framework has been removed']);
});

test('a driver gets the pids of agents only if agents accept messages of drivers', () => {
  const world = createWorld({ agentsAcceptDriverMessages: false });
  world.agent();
  sendDriverCall(world, { type: 'SUBSCRIBE', subscribe: { framework_info: info } });
  world.wait(1_000);
  const offers = messagesTo(world).find((message) => message.name === 'ResourceOffersMessage');
  assert.deepEqual(offers?.body.pids, ['']);
});
