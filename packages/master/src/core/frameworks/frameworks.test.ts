import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FrameworkInfo, SchedulerCallSubscribe } from '@meseta/wire';
import { createWorld, MASTER_ID, task } from '../testing.js';

const types = (events: readonly { readonly type?: string | undefined }[]) => events.map(({ type }) => type);
const partitionAware = [{ type: 'MULTI_ROLE' }, { type: 'PARTITION_AWARE' }] as const;

test('SUBSCRIBE: ids count from 0000; a heartbeat follows SUBSCRIBED at once, and then every 15 s', () => {
  const world = createWorld();
  const first = world.subscribe();
  const second = world.subscribe();
  assert.equal(first.id, `${MASTER_ID}-0000`);
  assert.equal(second.id, `${MASTER_ID}-0001`);
  const { subscribed } = first.take('SUBSCRIBED');
  assert.equal(subscribed?.heartbeat_interval_seconds, 15);
  assert.equal(subscribed?.master_info?.id, MASTER_ID);
  world.wait(30_000);
  assert.deepEqual(types(first.events), ['HEARTBEAT', 'HEARTBEAT', 'HEARTBEAT']);
});

test('an invalid subscription is an ERROR event on a stream that ends', () => {
  const cases: readonly (readonly [Partial<FrameworkInfo>, Partial<SchedulerCallSubscribe>, RegExp])[] = [
    [{ roles: ['a b'] }, {}, /framework_info\.roles/],
    [{ roles: ['a', 'a'] }, {}, /listed twice/],
    [{ role: 'a', roles: ['b'] }, {}, /framework_info\.role:/],
    [{ roles: ['a'], capabilities: [] }, {}, /MULTI_ROLE/],
    [{ failover_timeout: 1e300 }, {}, /failover_timeout/],
    [{ roles: ['a'] }, { suppressed_roles: ['b'] }, /suppressed_roles/],
    [{ roles: ['a'] }, { offer_constraints: { role_constraints: { b: {} } } }, /offer_constraints/],
    [
      { offer_filters: { a: { min_allocatable_resources: { quantities: [{}] } } } },
      {},
      /offer_filters\["a"\].*quantities\[0\]/,
    ],
  ];
  const world = createWorld();
  for (const [info, more, message] of cases) {
    const scheduler = world.subscribe(info, more);
    assert.deepEqual(types(scheduler.events), ['ERROR'], String(message));
    assert.match(scheduler.take('ERROR').error?.message ?? '', message);
    assert.equal(scheduler.isClosed, true);
  }
  assert.equal(world.master.state.frameworks.size, 0);
  assert.deepEqual(types(world.subscribe({ roles: [] }).events), ['SUBSCRIBED', 'HEARTBEAT']);
  assert.deepEqual(types(world.subscribe({ failover_timeout: -1 }).events), ['SUBSCRIBED', 'HEARTBEAT']);
});

test('SUBSCRIBE-2: an id that a client has claimed is not given to another framework', () => {
  const world = createWorld();
  world.subscribe({ principal: 'evil', id: { value: `${MASTER_ID}-0000` } });
  const claimed = world.subscribe({ principal: 'evil', id: { value: `${MASTER_ID}-0002` } });
  claimed.call({ type: 'TEARDOWN' });
  const victims = [world.subscribe({ principal: 'victim' }), world.subscribe({ principal: 'victim' })];
  assert.deepEqual(
    victims.map(({ id }) => id),
    [`${MASTER_ID}-0001`, `${MASTER_ID}-0003`],
  );
});

test('SUBSCRIBE-1: a second scheduler takes over: the first gets an error, and its offers are removed without RESCIND', () => {
  const world = createWorld();
  const agent = world.agent();
  const first = world.subscribe({ failover_timeout: 60, checkpoint: true });
  world.wait(1_000);
  first.take('OFFERS');
  const info = { id: { value: first.id }, name: 'renamed', user: 'other', checkpoint: false, failover_timeout: 60 };
  const second = world.subscribe(info);
  assert.deepEqual(types(second.events), ['SUBSCRIBED', 'HEARTBEAT', 'OFFERS']);
  assert.equal(second.id, first.id);
  assert.equal(first.take('ERROR').error?.message, 'Framework failed over');
  assert.equal(first.has('RESCIND'), false);
  assert.equal(first.isClosed, true);
  const framework = world.master.state.frameworks.get(first.id);
  assert.deepEqual(
    [framework?.info.name, framework?.info.user, framework?.info.checkpoint],
    ['renamed', 'root', true],
    'user and checkpoint stay',
  );
  assert.equal(agent.take('UpdateFrameworkMessage').framework_info?.name, 'renamed');
  assert.equal(first.call({ type: 'REVIVE' })?.status, 400, 'the stream id of the first scheduler is invalid');
  assert.equal(second.call({ type: 'REVIVE' })?.status, 202);
  world.wait(1_000);
  assert.equal(second.offer().id.value, `${MASTER_ID}-O1`);
  const third = world.subscribe({ ...info, principal: 'x' });
  assert.match(third.take('ERROR').error?.message ?? '', /principal/);
  assert.equal(second.isClosed, false);
});

test('a framework ends after its failover timeout unless its scheduler subscribes again in time', () => {
  const world = createWorld();
  const agent = world.agent();
  const scheduler = world.subscribe({ failover_timeout: 10 });
  world.wait(1_000);
  const offer = scheduler.offer();
  scheduler.launch(offer, task('t', offer, { resources: [] }));
  scheduler.disconnect();
  assert.equal(world.master.state.frameworks.get(scheduler.id)?.status, 'disconnected');
  assert.equal(world.scheduler({ type: 'REVIVE', framework_id: { value: scheduler.id } }, 'x')?.status, 403);
  world.wait(9_000);
  const back = world.subscribe({ failover_timeout: 10, id: { value: scheduler.id } });
  world.wait(60_000);
  assert.equal(world.master.state.frameworks.get(scheduler.id)?.status, 'active');
  back.disconnect();
  world.wait(10_000);
  assert.equal(world.master.state.frameworks.size, 0);
  assert.equal(world.master.state.completedFrameworks.size, 1);
  assert.equal(agent.take('ShutdownFrameworkMessage').framework_id.value, scheduler.id);
  const late = world.subscribe({ id: { value: scheduler.id } });
  assert.match(late.take('ERROR').error?.message ?? '', /removed/);
});

test('TEARDOWN: tasks are killed in the records, the stream ends, the framework is unknown', () => {
  const world = createWorld();
  const agent = world.agent();
  const scheduler = world.subscribe();
  world.wait(1_000);
  const offer = scheduler.offer();
  scheduler.launch(offer, task('t', offer));
  agent.update(scheduler, 't', 'TASK_RUNNING');
  scheduler.take('UPDATE');
  assert.equal(scheduler.call({ type: 'TEARDOWN' })?.status, 202);
  assert.equal(scheduler.isClosed, true);
  assert.equal(scheduler.has('UPDATE'), false);
  assert.equal(scheduler.call({ type: 'TEARDOWN' })?.status, 400);
  const ended = world.master.state.completedFrameworks.get(scheduler.id)?.framework;
  assert.deepEqual(
    [...(ended?.completedTasks.values() ?? [])].map(({ state }) => state),
    ['TASK_KILLED'],
  );
  assert.deepEqual(world.master.state.allocator.totals().offeredOrAllocatedTotal.names, []);
});

test('a framework that has ended cannot subscribe again, whatever else is invalid', () => {
  const world = createWorld();
  const { id } = world.subscribe();
  world.operator({ type: 'TEARDOWN', teardown: { framework_id: { value: id } } });
  for (const more of [{}, { suppressed_roles: ['nobodys'] }]) {
    const again = world.subscribe({ id: { value: id } }, more);
    assert.equal(again.take('ERROR').error?.message, 'Framework has been removed');
    assert.equal(again.isClosed, true);
  }
});

test('a framework that subscribes with an unknown id is re-registered', () => {
  const world = createWorld();
  const fresh = world.subscribe();
  const returned = world.subscribe({ id: { value: 'of-another-master' }, failover_timeout: 60 });
  const { frameworks } = world.master.state;
  assert.equal(frameworks.get(fresh.id)?.reregisteredAtMs, undefined);
  assert.notEqual(frameworks.get(returned.id)?.reregisteredAtMs, undefined);
});

test('the most recent completed frameworks are kept, up to the maximum', () => {
  const world = createWorld({ maxCompletedFrameworks: 2 });
  const ids = [0, 1, 2].map(() => {
    const scheduler = world.subscribe();
    scheduler.call({ type: 'TEARDOWN' });
    return scheduler.id;
  });
  assert.deepEqual([...world.master.state.completedFrameworks.keys()], ids.slice(1));
});

test('UPDATE_FRAMEWORK: offers of removed roles are rescinded; a change of a fixed field is a 400', () => {
  const world = createWorld();
  const agent = world.agent();
  const scheduler = world.subscribe({ roles: ['a'] });
  world.wait(1_000);
  const offer = scheduler.offer();
  const update = (more: Partial<FrameworkInfo>, suppressed_roles: string[] = []) =>
    scheduler.call({
      type: 'UPDATE_FRAMEWORK',
      update_framework: {
        framework_info: { ...scheduler.info, id: { value: scheduler.id }, ...more },
        suppressed_roles,
      },
    });
  assert.equal(update({ roles: ['b'], name: 'changed' })?.status, 200);
  assert.equal(scheduler.take('RESCIND').rescind?.offer_id.value, offer.id.value);
  assert.equal(agent.take('UpdateFrameworkMessage').framework_info?.name, 'changed');
  world.wait(2_000);
  assert.equal(scheduler.offer().allocation_info?.role, 'b');
  const refused: readonly (readonly [Partial<FrameworkInfo>, string[], RegExp])[] = [
    [{ id: { value: 'x' } }, [], /id/],
    [{ roles: ['a b'] }, [], /roles/],
    [{ user: 'nobody' }, [], /user/],
    [{ checkpoint: true }, [], /checkpoint/],
    [{ principal: 'p' }, [], /principal/],
    [{ roles: ['b'] }, ['z'], /suppressed_roles/],
  ];
  for (const [info, suppressed, text] of refused) {
    const reply = update(info, suppressed);
    assert.equal(reply?.status, 400, String(text));
    assert.match(reply?.text ?? '', text);
  }
  assert.equal(world.master.state.frameworks.get(scheduler.id)?.info.name, 'changed');
});

test("calls from others than the framework's scheduler are refused, with checks in Mesos' order", () => {
  const world = createWorld();
  const scheduler = world.subscribe();
  const call = { type: 'REVIVE', framework_id: { value: scheduler.id } } as const;
  const cases = [
    [{ type: 'REVIVE', framework_id: { value: 'nobody' } }, scheduler.stream, 400, /unknown/],
    [{ type: 'REVIVE' }, scheduler.stream, 400, /framework_id: is missing/],
    [call, undefined, 400, /missing/],
    [call, 'wrong', 400, /expected that of/],
    [{ ...call, type: 'ACCEPT' }, scheduler.stream, 400, /accept: is missing/],
    [{ ...call, type: 'KILL' }, scheduler.stream, 400, /kill: is missing/],
    [{ ...call, type: 'DANCE' as never }, scheduler.stream, 400, /type/],
    [call, scheduler.stream, 202, /^$/],
  ] as const;
  for (const [body, stream, status, text] of cases) {
    const reply = world.scheduler(body, stream);
    assert.equal(reply?.status, status);
    assert.match(reply?.text ?? '', text);
  }
});

test('uuids of acknowledgements have 16 bytes and a version from 1 to 5', () => {
  const world = createWorld();
  const scheduler = world.subscribe();
  const acknowledge = (uuid: string) =>
    scheduler.call({
      type: 'ACKNOWLEDGE',
      acknowledge: { agent_id: { value: 'a' }, task_id: { value: 't' }, uuid },
    })?.status;
  assert.equal(acknowledge('AQEBAQEBAQEBAQEBAQEBAQ=='), 400, 'version 0');
  assert.equal(acknowledge('AAAA'), 400, 'short');
  assert.equal(acknowledge('DN1KXCiXRXGIg9pO8WEyig=='), 202, 'version 4');
});

test('REVIVE and SUPPRESS with a foreign role do nothing', () => {
  const world = createWorld();
  const scheduler = world.subscribe({ roles: ['a'], capabilities: partitionAware });
  const suppressed = () => [...(world.master.state.frameworks.get(scheduler.id)?.suppressedRoles ?? [])];
  assert.equal(scheduler.call({ type: 'SUPPRESS', suppress: { roles: ['a', 'zzz'] } })?.status, 202);
  assert.deepEqual(suppressed(), []);
  scheduler.call({ type: 'SUPPRESS', suppress: {} });
  assert.deepEqual(suppressed(), ['a']);
  scheduler.call({ type: 'REVIVE', revive: { roles: ['a b'] } });
  assert.deepEqual(suppressed(), ['a']);
  scheduler.call({ type: 'REVIVE' });
  assert.deepEqual(suppressed(), []);
});
