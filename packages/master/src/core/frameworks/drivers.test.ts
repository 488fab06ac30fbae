import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Pid, present } from '@meseta/base';
import type { FrameworkInfo, LibprocessMessage, SchedulerV0Call } from '@meseta/wire';
import { createWorld, task, type World } from '../testing.js';

const pid = 'scheduler-1@10.0.0.9:7000' as Pid;
const info: FrameworkInfo = { user: 'root', name: 'v0', roles: ['*'], capabilities: [{ type: 'MULTI_ROLE' }] };

function say(world: World, body: SchedulerV0Call, from = pid): void {
  world.feed({ kind: 'message', from, message: { name: 'SchedulerCall', body } });
}

const heard = (world: World, to = pid): LibprocessMessage[] =>
  world.effects.flatMap((effect) => (effect.kind === 'send' && effect.to.includes(to) ? [effect.message] : []));

test("a v0 driver registers, gets an offer, launches a task and gets its update with the agent's pid", () => {
  const world = createWorld();
  const agent = world.agent();
  say(world, { type: 'SUBSCRIBE', subscribe: { framework_info: info } });
  const [registered] = heard(world);
  assert.equal(registered?.name, 'FrameworkRegisteredMessage');
  const [id] = world.master.state.frameworks.keys();
  const framework_id = { value: present(id, 'a framework') };
  world.wait(1_000);
  const offers = heard(world).find((message) => message.name === 'ResourceOffersMessage');
  assert.deepEqual(offers?.body.pids, [agent.pid]);
  const offer = present(offers?.body.offers?.[0], 'an offer');
  const launch = { task_infos: [task('t', offer)] };
  say(world, {
    framework_id,
    type: 'ACCEPT',
    accept: { offer_ids: [offer.id], operations: [{ type: 'LAUNCH', launch }] },
  });
  assert.equal(agent.take('RunTaskMessage').pid, pid);
  agent.update({ id: framework_id.value } as never, 't', 'TASK_RUNNING');
  const update = heard(world).find((message) => message.name === 'StatusUpdateMessage');
  assert.equal(update?.body.pid, agent.pid);
  assert.equal(update?.body.update.status.state, 'TASK_RUNNING');
  assert.equal(
    heard(world).some((message) => (message.name as string) === 'HEARTBEAT'),
    false,
  );
});

test('calls from another pid are dropped; a broken connection starts the failover timeout', () => {
  const world = createWorld();
  say(world, { type: 'SUBSCRIBE', subscribe: { framework_info: { ...info, failover_timeout: 5 } } });
  const [id] = world.master.state.frameworks.keys();
  const framework_id = { value: present(id, 'a framework') };
  say(world, { framework_id, type: 'TEARDOWN' }, 'scheduler-2@10.0.0.8:7000' as Pid);
  assert.equal(world.master.state.frameworks.size, 1);
  world.feed({ kind: 'peerLost', address: '10.0.0.9:7000' });
  assert.equal(world.master.state.frameworks.get(framework_id.value)?.status, 'disconnected');
  const again = { ...info, failover_timeout: 5, id: framework_id };
  say(world, { framework_id, type: 'SUBSCRIBE', subscribe: { framework_info: again } });
  assert.equal(heard(world).at(-1)?.name, 'FrameworkReregisteredMessage');
  world.wait(10_000);
  assert.equal(world.master.state.frameworks.get(framework_id.value)?.status, 'active');
});

test("another driver takes over only with `force`; otherwise it gets 'Framework failed over'", () => {
  const world = createWorld();
  const other = 'scheduler-2@10.0.0.8:7000' as Pid;
  say(world, { type: 'SUBSCRIBE', subscribe: { framework_info: info } });
  const [id] = world.master.state.frameworks.keys();
  const framework_id = { value: present(id, 'a framework') };
  const subscribe = { framework_info: { ...info, id: framework_id } };
  say(world, { framework_id, type: 'SUBSCRIBE', subscribe }, other);
  assert.equal(heard(world, other).at(-1)?.name, 'FrameworkErrorMessage');
  say(world, { framework_id, type: 'SUBSCRIBE', subscribe: { ...subscribe, force: true } }, other);
  assert.equal(heard(world, other).at(-1)?.name, 'FrameworkRegisteredMessage');
  assert.equal(heard(world).at(-1)?.name, 'FrameworkErrorMessage');
});

test('a deactivated driver gets no offers until it subscribes again', () => {
  const world = createWorld();
  world.agent();
  say(world, { type: 'SUBSCRIBE', subscribe: { framework_info: info } });
  const [id] = world.master.state.frameworks.keys();
  const framework_id = { value: present(id, 'a framework') };
  world.wait(1_000);
  world.feed({ kind: 'message', from: pid, message: { name: 'DeactivateFrameworkMessage', body: { framework_id } } });
  assert.equal(heard(world).at(-1)?.name, 'RescindResourceOfferMessage');
  const before = heard(world).length;
  world.wait(5_000);
  assert.equal(heard(world).length, before);
  say(world, { framework_id, type: 'SUBSCRIBE', subscribe: { framework_info: { ...info, id: framework_id } } });
  world.wait(2_000);
  assert.equal(heard(world).at(-1)?.name, 'ResourceOffersMessage');
});

const errors = (world: World, to = pid): readonly string[] =>
  heard(world, to).flatMap((message) => (message.name === 'FrameworkErrorMessage' ? [message.body.message] : []));

test('errors that end a driver have the texts that drivers compare', () => {
  const world = createWorld();
  say(world, { type: 'SUBSCRIBE', subscribe: { framework_info: { ...info, failover_timeout: 60 } } });
  const [id] = world.master.state.frameworks.keys();
  const framework_id = { value: present(id, 'a framework') };
  world.feed({ kind: 'peerLost', address: '10.0.0.9:7000' });
  say(world, { framework_id, type: 'REVIVE' });
  assert.deepEqual(errors(world), ['Framework disconnected'], 'a call of one that has to subscribe again');
  const subscribe = { framework_info: { ...info, id: framework_id } };
  say(world, { framework_id, type: 'SUBSCRIBE', subscribe });
  const other = 'scheduler-2@10.0.0.8:7000' as Pid;
  say(world, { framework_id, type: 'SUBSCRIBE', subscribe: { ...subscribe, force: true } }, other);
  assert.deepEqual(errors(world).slice(1), ['Framework failed over']);
  say(world, { framework_id, type: 'TEARDOWN' }, other);
  say(world, { framework_id, type: 'SUBSCRIBE', subscribe }, other);
  assert.deepEqual(errors(world, other), ['Framework has been removed']);
});

test('a driver gets the pids of agents only if agents accept messages of drivers', () => {
  const world = createWorld({ agentsAcceptDriverMessages: false });
  world.agent();
  say(world, { type: 'SUBSCRIBE', subscribe: { framework_info: info } });
  world.wait(1_000);
  const offers = heard(world).find((message) => message.name === 'ResourceOffersMessage');
  assert.deepEqual(offers?.body.pids, ['']);
});
