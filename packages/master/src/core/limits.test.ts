// Calls that are carried out in one step have limits of their own: at the limit they are taken, beyond it they are refused
// with an error that names the field.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS, type LimitName } from '@meseta/base';
import type { LibprocessMessage, MasterCall, OfferOperation, Operation, Resource, SchedulerCall } from '@meseta/wire';
import { bytesOfUuid } from '@meseta/wire/uuid';
import { createWorld, resources, type TestAgent, type World } from './testing.js';

const times = <T>(count: number, item: (i: number) => T): T[] => Array.from({ length: count }, (_, i) => item(i));
const launchOf = (count: number): OfferOperation => ({
  type: 'LAUNCH',
  launch: {
    task_infos: times(count, (i) => ({ name: 't', task_id: { value: `t${i}` }, agent_id: { value: 'a' } })),
  },
});
const acceptOf = (operations: readonly OfferOperation[]): SchedulerCall => ({
  type: 'ACCEPT',
  accept: { offer_ids: [{ value: 'o' }], operations },
});

const acceptances: readonly (readonly [LimitName, (count: number) => SchedulerCall, RegExp])[] = [
  ['acceptedOperations', (n) => acceptOf(times(n, () => ({ type: 'LAUNCH' }))), /accept\.operations: expected at most/],
  [
    'acceptedTasks',
    (n) => acceptOf([launchOf(n - 1), { type: 'LAUNCH_GROUP', launch_group: groupOf(1) }]),
    /accept\.operations: the tasks of all: expected at most/,
  ],
];

function groupOf(count: number): NonNullable<OfferOperation['launch_group']> {
  const executor = { executor_id: { value: 'e' } };
  return { executor, task_group: { tasks: launchOf(count).launch?.task_infos ?? [] } };
}

for (const [name, call, text] of acceptances) {
  test(`an ACCEPT at the limit ${name} is accepted, and a larger one is refused with the field`, () => {
    const scheduler = createWorld().subscribe();
    assert.equal(scheduler.call(call(LIMITS[name].most))?.status, 202);
    const reply = scheduler.call(call(LIMITS[name].most + 1));
    assert.equal(reply?.status, 400);
    assert.match(String(reply?.text), text);
  });
}

const machines = (count: number) => times(count, (i) => ({ hostname: `h${i}` }));
const scheduleOf = (count: number): MasterCall => {
  const unavailability = { start: { nanoseconds: 1n } };
  const windows = [machines(count - 1), [{ hostname: 'other' }]].map((machine_ids) => ({
    machine_ids,
    unavailability,
  }));
  return { type: 'UPDATE_MAINTENANCE_SCHEDULE', update_maintenance_schedule: { schedule: { windows } } };
};
const quotasOf = (count: number): MasterCall => ({
  type: 'UPDATE_QUOTA',
  update_quota: {
    force: true,
    quota_configs: times(count, (i) => ({ role: `r${i}`, limits: { cpus: { value: 1 } } })),
  },
});
const namesOf = (count: number): MasterCall => {
  const limits = Object.fromEntries(times(count, (i) => [`n${i}`, { value: 1 }]));
  return { type: 'UPDATE_QUOTA', update_quota: { force: true, quota_configs: [{ role: 'r', limits }] } };
};

const operatorCalls: readonly (readonly [LimitName, string, (count: number) => MasterCall, RegExp])[] = [
  ['machines', 'a maintenance schedule', scheduleOf, /schedule\.windows: the machines of all: expected at most/],
  [
    'weights',
    'UPDATE_WEIGHTS',
    (n) => ({
      type: 'UPDATE_WEIGHTS',
      update_weights: { weight_infos: times(n, (i) => ({ role: `r${i}`, weight: 2 })) },
    }),
    /weight_infos: expected at most/,
  ],
  ['quotas', 'the roles of UPDATE_QUOTA', quotasOf, /quota_configs: expected at most/],
  ['quotas', 'the names in UPDATE_QUOTA', namesOf, /the names of resources in all quotas: expected at most/],
];

for (const [name, what, call, text] of operatorCalls) {
  test(`${what} at the limit ${name} is accepted, and beyond it refused with the field`, () => {
    const world = createWorld();
    const over = world.operator(call(LIMITS[name].most + 1));
    assert.equal(over?.status, 400);
    assert.match(String(over?.text), text);
    assert.equal(world.operator(call(LIMITS[name].most))?.status, 200);
  });
}

test('the limit of quotas applies to the quotas of all calls together', () => {
  const world = createWorld();
  assert.equal(world.operator(quotasOf(LIMITS.quotas.most))?.status, 200);
  const another = { role: 'another', limits: { cpus: { value: 1 } } };
  const one: MasterCall = { type: 'UPDATE_QUOTA', update_quota: { quota_configs: [another] } };
  assert.match(String(world.operator(one)?.text), /the roles with quota: expected at most/);
});

test('a call that removes quotas is not limited', () => {
  const world = createWorld();
  assert.equal(world.operator(quotasOf(LIMITS.quotas.most))?.status, 200);
  const quota_configs = [{ role: 'r0' }, { role: 'another', limits: { cpus: { value: 1 } } }];
  assert.equal(world.operator({ type: 'UPDATE_QUOTA', update_quota: { quota_configs } })?.status, 200);
});

test('START_MAINTENANCE and STOP_MAINTENANCE limit their machines', () => {
  const world = createWorld();
  const tooMany = machines(LIMITS.machines.most + 1);
  for (const call of [
    { type: 'START_MAINTENANCE', start_maintenance: { machines: tooMany } },
    { type: 'STOP_MAINTENANCE', stop_maintenance: { machines: tooMany } },
  ] as const) {
    assert.match(String(world.operator(call)?.text), /machines: expected at most/);
  }
});

test('an agent with too many frameworks is not registered', () => {
  const world = createWorld();
  const agent = world.agent();
  const frameworks = times(LIMITS.agentFrameworks.most + 1, (i) => ({ user: 'u', name: 'f', id: { value: `f${i}` } }));
  for (const more of [
    { frameworks },
    { completed_frameworks: frameworks.map((framework_info) => ({ framework_info, tasks: [], pid: 'p' })) },
  ]) {
    agent.breakConnection();
    agent.reregister(more);
    assert.equal(agent.has('AgentReregisteredMessage'), false);
  }
  agent.reregister();
  assert.equal(agent.has('AgentReregisteredMessage'), true);
});

const RESERVING = [{ type: 'MULTI_ROLE' as const }, { type: 'RESERVATION_REFINEMENT' as const }];
const reservedForWeb = (resource: Resource): Resource => ({
  ...resource,
  reservations: [{ type: 'DYNAMIC', role: 'web' }],
});
const reportedOperation = (i: number): Operation => ({
  info: { type: 'RESERVE' },
  latest_status: { state: 'OPERATION_PENDING' },
  uuid: { value: bytesOfUuid(`22222222-2222-4222-8222-${i.toString(16).padStart(12, '0')}`) },
});
const operationsReport = (agent: TestAgent, operations: readonly Operation[]): LibprocessMessage => ({
  name: 'UpdateAgentMessage',
  body: { agent_id: { value: agent.id }, operations: { operations } },
});
const warningsOf = ({ notes }: World): readonly string[] =>
  notes.flatMap((note) => (note.kind === 'log' && note.level === 'warning' ? [note.text] : []));

test('operations that an agent reports beyond the limit agentOperations are not listed, and its next operation is refused', () => {
  const world = createWorld();
  const agent = world.agent();
  const scheduler = world.subscribe({ roles: ['web'], capabilities: RESERVING });
  world.wait(1_000);
  const { most } = LIMITS.agentOperations;
  const reported = times(most + 2, (i) => reportedOperation(i));
  agent.send(operationsReport(agent, reported.slice(0, 1)));
  agent.send(operationsReport(agent, reported));
  const { operations } = world.master.state;
  assert.equal(operations.size, most);
  const expected = `expected at most ${most} items, got`;
  assert.deepEqual(warningsOf(world), [
    `not listing 2 operations that agent ${agent.id} reports: operations: ${expected} ${most + 2}`,
  ]);
  const refusal = `operations of the agent that are not acknowledged: ${expected} ${most + 1}`;
  const offer = scheduler.offer();
  const reserve = { resources: resources('cpus:1', offer).map(reservedForWeb) };
  const operation: OfferOperation = { type: 'RESERVE', id: { value: 'op' }, reserve };
  scheduler.call({ type: 'ACCEPT', accept: { offer_ids: [offer.id], operations: [operation] } });
  const [status] = scheduler.events.flatMap(({ update_operation_status: it }) => (it === undefined ? [] : [it.status]));
  assert.deepEqual([status?.state, status?.message], ['OPERATION_ERROR', refusal]);
  const reply = world.operator({
    type: 'RESERVE_RESOURCES',
    reserve_resources: { agent_id: { value: agent.id }, resources: resources('cpus:1').map(reservedForWeb) },
  });
  assert.deepEqual([reply?.status, reply?.text], [409, refusal]);
  const ended = { state: 'OPERATION_FINISHED' as const, uuid: reported[0]?.uuid };
  agent.send({
    name: 'UpdateOperationStatusMessage',
    body: { agent_id: { value: agent.id }, operation_uuid: reportedOperation(0).uuid, status: ended },
  });
  agent.send(operationsReport(agent, reported.slice(1)));
  assert.equal(operations.size, most, 'room that an acknowledged operation leaves is used');
});
