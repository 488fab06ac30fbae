// The counters of messages and operations, call by call. Their names, and what increments them, are Mesos'.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { present } from '@meseta/base';
import type { OfferOperation, SchedulerCall, TaskInfo } from '@meseta/wire';
import {
  createWorld,
  resources,
  sendDriverCall,
  type TestAgent,
  type TestScheduler,
  task,
  type World,
} from './testing.js';

interface Running {
  readonly world: World;
  readonly agent: TestAgent;
  readonly scheduler: TestScheduler;
}

function running(): Running {
  const world = createWorld();
  const agent = world.agent();
  const scheduler = world.subscribe();
  world.wait(1_000);
  return { world, agent, scheduler };
}

type Changes = Readonly<Record<string, number>>;

/** The counters of master and framework that changed, by how much; `framework/` stands for the framework's own. */
function changesBy(
  { world, scheduler }: Pick<Running, 'world'> & { readonly scheduler?: TestScheduler },
  act: () => void,
): Changes {
  const read = (): ReadonlyMap<string, number> => {
    const own = scheduler && world.master.state.frameworks.get(scheduler.id)?.counters;
    return new Map([
      ...world.master.state.counters,
      ...[...(own ?? [])].map(([name, value]) => [`framework/${name}`, value] as const),
    ]);
  };
  const before = read();
  act();
  const changes = [...read()].map(([name, value]) => [name.replace('master/', ''), value - (before.get(name) ?? 0)]);
  return Object.fromEntries(changes.filter(([, by]) => by !== 0));
}

const accept = ({ scheduler }: Running, operations: readonly OfferOperation[], refused = false): void => {
  const offer = scheduler.offer();
  const offer_ids = [refused ? { value: 'none' } : offer.id];
  scheduler.call({ type: 'ACCEPT', accept: { offer_ids, operations } });
};

const accepted = { 'framework/calls': 1, 'framework/calls/accept': 1, 'framework/offers/accepted': 1 };

test('ACCEPT: accepted operations are counted, and each task of a LAUNCH; only LAUNCH is counted as a message', () => {
  const bad: Partial<TaskInfo> = { resources: resources('cpus:4000') };
  const cases: readonly (readonly [string, (it: Running) => readonly OfferOperation[], Changes])[] = [
    ['no operations', () => [], accepted],
    ['LAUNCH without tasks', () => [{ type: 'LAUNCH', launch: {} }], { ...accepted, messages_decline_offers: 1 }],
    [
      'LAUNCH of three tasks, one bad',
      ({ scheduler }) => {
        const offer = present(scheduler.events.find(({ type }) => type === 'OFFERS')?.offers?.offers?.[0], 'offer');
        return [
          { type: 'LAUNCH', launch: { task_infos: [task('a', offer), task('b', offer, bad), task('c', offer)] } },
        ];
      },
      {
        ...accepted,
        messages_launch_tasks: 1,
        tasks_error: 1,
        'task_error/source_master/reason_task_invalid': 1,
        'framework/operations': 2,
        'framework/operations/launch': 2,
        'framework/events': 1,
        'framework/events/update': 1,
      },
    ],
    [
      'LAUNCH_GROUP without tasks',
      () => [{ type: 'LAUNCH_GROUP', launch_group: { executor: { executor_id: { value: 'e' } }, task_group: {} } }],
      accepted,
    ],
    [
      'RESERVE that is refused',
      () => [{ type: 'RESERVE', reserve: { resources: resources('cpus:1') } }],
      { ...accepted, 'operations/error': 1, 'operations/reserve/error': 1 },
    ],
  ];
  for (const [what, operations, expected] of cases) {
    const it = running();
    assert.deepEqual(
      changesBy(it, () => accept(it, operations(it))),
      expected,
      what,
    );
  }
});

test('ACCEPT of invalid offers counts the refused tasks for the master, not for the framework', () => {
  const it = running();
  const offer = present(it.scheduler.events.find(({ type }) => type === 'OFFERS')?.offers?.offers?.[0], 'offer');
  const launch = { task_infos: [task('a', offer), task('b', offer)] };
  assert.deepEqual(
    changesBy(it, () => accept(it, [{ type: 'LAUNCH', launch }], true)),
    {
      messages_launch_tasks: 1,
      tasks_lost: 2,
      'task_lost/source_master/reason_invalid_offers': 2,
      'framework/calls': 1,
      'framework/calls/accept': 1,
      'framework/events': 2,
      'framework/events/update': 2,
    },
  );
});

test('refused scheduler calls are counted for the framework; KILL of an unknown task is also counted as a reconciliation', () => {
  const unknown = { task_id: { value: 'unknown' } };
  const uuid = 'AAAAAAAAQACAAAAAAAAAAA==';
  const update = { 'framework/events': 1, 'framework/events/update': 1 };
  const cases: readonly (readonly [SchedulerCall, Changes])[] = [
    [
      { type: 'KILL', kill: unknown },
      { messages_kill_task: 1, messages_reconcile_tasks: 1, ...update },
    ],
    [
      { type: 'RECONCILE', reconcile: { tasks: [unknown, unknown] } },
      { messages_reconcile_tasks: 1, 'framework/events': 2, 'framework/events/update': 2 },
    ],
    [{ type: 'RECONCILE', reconcile: {} }, { messages_reconcile_tasks: 1 }],
    [{ type: 'REVIVE', revive: { roles: ['another'] } }, { messages_revive_offers: 1 }],
    [{ type: 'SUPPRESS' }, { messages_suppress_offers: 1 }],
    [{ type: 'REQUEST', request: {} }, { messages_resource_request: 1 }],
    [{ type: 'DECLINE', decline: { offer_ids: [{ value: 'x' }] } }, { messages_decline_offers: 1 }],
    [
      { type: 'ACKNOWLEDGE', acknowledge: { agent_id: { value: 'x' }, ...unknown, uuid } },
      { messages_status_update_acknowledgement: 1, invalid_status_update_acknowledgements: 1 },
    ],
    [
      {
        type: 'ACKNOWLEDGE_OPERATION_STATUS',
        acknowledge_operation_status: { agent_id: { value: 'x' }, operation_id: { value: 'o' }, uuid },
      },
      {
        messages_operation_status_update_acknowledgement: 1,
        invalid_operation_status_update_acknowledgements: 1,
      },
    ],
    [
      { type: 'MESSAGE', message: { agent_id: { value: 'x' }, executor_id: { value: 'e' }, data: '' } },
      { messages_framework_to_executor: 1, invalid_framework_to_executor_messages: 1 },
    ],
    [{ type: 'RECONCILE_OPERATIONS', reconcile_operations: {} }, { messages_reconcile_operations: 1 }],
  ];
  for (const [call, expected] of cases) {
    const it = running();
    const calls = { 'framework/calls': 1, [`framework/calls/${call.type?.toLowerCase()}`]: 1 };
    assert.deepEqual(
      changesBy(it, () => void it.scheduler.call(call)),
      { ...calls, ...expected },
      call.type,
    );
    const refused = changesBy(it, () =>
      assert.equal(it.world.scheduler({ framework_id: { value: it.scheduler.id }, ...call }, 'another')?.status, 400),
    );
    assert.deepEqual(refused, calls, `${call.type} on another stream`);
  }
});

test('TEARDOWN by HTTP is not counted as messages_unregister_framework', () => {
  const it = running();
  const { world, scheduler } = it;
  assert.deepEqual(
    changesBy({ world }, () => void scheduler.call({ type: 'TEARDOWN' })),
    {},
  );
});

test('calls of drivers: SUBSCRIBE is not counted for the framework, malformed calls are counted as invalid', () => {
  const world = createWorld();
  const framework_info = { user: 'root', name: 'v0' };
  const subscribed = changesBy({ world }, () =>
    sendDriverCall(world, { type: 'SUBSCRIBE', subscribe: { framework_info } }),
  );
  assert.deepEqual(subscribed, { messages_register_framework: 1 });
  const [framework] = world.master.state.frameworks.values();
  assert.deepEqual(
    [...present(framework, 'a framework').counters],
    [
      ['events', 1],
      ['events/subscribed', 1],
    ],
  );
  const framework_id = { value: present(framework, 'a framework').id };
  const acknowledge = { agent_id: { value: 'x' }, task_id: { value: 't' }, uuid: 'none' };
  assert.deepEqual(
    changesBy({ world }, () => sendDriverCall(world, { framework_id, type: 'ACKNOWLEDGE', acknowledge })),
    { invalid_status_update_acknowledgements: 1 },
  );
  assert.deepEqual(
    changesBy({ world }, () =>
      sendDriverCall(world, { framework_id, type: 'RECONCILE_OPERATIONS', reconcile_operations: {} }),
    ),
    {},
    'drivers know no operations',
  );
  assert.deepEqual(
    changesBy({ world }, () => sendDriverCall(world, { framework_id, type: 'TEARDOWN' })),
    { messages_unregister_framework: 1 },
  );
});

test('a status update is valid only if it was sent to the scheduler; an acknowledgement of an update that was not sent is invalid', () => {
  const it = running();
  const { agent, scheduler, world } = it;
  const offer = scheduler.offer();
  scheduler.launch(offer, task('t', offer));
  const uuid = 'AAAAAAAAQACAAAAAAAAAAA==';
  const acknowledge = { agent_id: { value: agent.id }, task_id: { value: 't' }, uuid };
  assert.deepEqual(
    changesBy({ world }, () => void scheduler.call({ type: 'ACKNOWLEDGE', acknowledge })),
    { messages_status_update_acknowledgement: 1, invalid_status_update_acknowledgements: 1 },
  );
  assert.equal(agent.has('StatusUpdateAcknowledgementMessage'), false);
  const update = () => void agent.update(scheduler, 't', 'TASK_RUNNING');
  assert.deepEqual(changesBy({ world }, update), { messages_status_update: 1, valid_status_updates: 1 });
  const unknown = () => void agent.update(scheduler, 'unknown', 'TASK_RUNNING');
  assert.deepEqual(changesBy({ world }, unknown), { messages_status_update: 1, invalid_status_updates: 1 });
  assert.equal(scheduler.events.filter(({ type }) => type === 'UPDATE').length, 2, 'it is passed on all the same');
  scheduler.disconnect();
  const away = () => void agent.update(scheduler, 't', 'TASK_KILLING');
  assert.deepEqual(changesBy({ world }, away), { messages_status_update: 1, invalid_status_updates: 1 });
});

test('offers of a disconnected framework are counted as rescinded', () => {
  const it = running();
  const counters = present(it.world.master.state.frameworks.get(it.scheduler.id), 'the framework').counters;
  it.scheduler.disconnect();
  assert.deepEqual([counters.get('offers/rescinded'), counters.get('events/rescind')], [1, 1]);
});
