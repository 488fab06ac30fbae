// ACCEPT of real offers with operations in which one field has a hostile value. Each operation also needs more resources than
// the offer has, so none may be performed, and no resource may be lost or created.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { summarize } from '@meseta/resources';
import type { OfferOperation } from '@meseta/wire';
import { OfferOperationCodec } from '@meseta/wire/codecs';
import { hostileValues, writeJson } from '@meseta/wire/testing/hostile-values';
import { createSchemaPlaces, type Place, type Plain } from '@meseta/wire/testing/schema-places';
import { createWorld, type TestAgent, type TestScheduler, type World } from './testing.js';

const places = createSchemaPlaces();
const all = places.placesOf('OfferOperation');
const OPERATIONS_AT_ONCE = 25;
const TOO_MUCH = 1e6;

const scalar = (name: string, value: number, more: Plain = {}) => ({
  name,
  type: 'SCALAR',
  scalar: { value },
  ...more,
});
const list = (more: Plain = {}) => [scalar('cpus', 0.1, more), scalar('mem', TOO_MUCH, more)];
const reservations = [{ type: 'DYNAMIC', role: 'web' }];
const volumes = ['a', 'b'].map((id, i) =>
  scalar('disk', i === 0 ? 1 : TOO_MUCH, {
    reservations,
    disk: { persistence: { id }, volume: { container_path: 'v', mode: 'RW' } },
  }),
);

/** An operation, and the list in it whose second element needs more than the offer has; empty for other reasons. */
type Subject = readonly [operation: Plain, excessiveList: string];

function subjects(agentId: string): readonly Subject[] {
  const task = { name: 't', task_id: { value: 't' }, agent_id: { value: agentId }, command: { value: 'true' } };
  const executor = { type: 'DEFAULT', executor_id: { value: 'e' }, resources: list() };
  const { command, ...withExecutor } = task;
  const custom = { executor_id: { value: 'c' }, command, resources: list() };
  const small = [scalar('cpus', 0.1), scalar('mem', 32)];
  return [
    [{ type: 'LAUNCH', launch: { task_infos: [{ ...task, resources: list() }] } }, 'launch.task_infos.resources'],
    [
      { type: 'LAUNCH', launch: { task_infos: [{ ...withExecutor, executor: custom, resources: small }] } },
      'launch.task_infos.executor.resources',
    ],
    [
      { type: 'LAUNCH_GROUP', launch_group: { executor, task_group: { tasks: [{ ...task, resources: small }] } } },
      'launch_group.executor.resources',
    ],
    [{ type: 'RESERVE', reserve: { resources: list({ reservations }) } }, 'reserve.resources'],
    [{ type: 'UNRESERVE', unreserve: { resources: list({ reservations }) } }, 'unreserve.resources'],
    [{ type: 'CREATE', create: { volumes } }, 'create.volumes'],
    [{ type: 'DESTROY', destroy: { volumes } }, 'destroy.volumes'],
    [{ type: 'GROW_VOLUME', grow_volume: { volume: volumes[1], addition: scalar('disk', 1, { reservations }) } }, ''],
    [{ type: 'SHRINK_VOLUME', shrink_volume: { volume: volumes[1], subtract: { value: 1 } } }, ''],
  ];
}

/** The fields that get hostile values: neither the type, nor a field that contains the excessive list. */
function mutableFields([operation, excessiveList]: Subject): Place[] {
  const body = Object.keys(operation).find((name) => name !== 'type');
  const containsList = (text: string): boolean => excessiveList === text || excessiveList.startsWith(`${text}.`);
  return all.filter(
    ({ text }) => text !== 'type' && (text === 'id' || text.startsWith(`${body}.`)) && !containsList(text),
  );
}

function* mutationsOf(subject: Subject, oneIn: number): Generator<OfferOperation> {
  let turn = 0;
  for (const place of mutableFields(subject)) {
    const field = place.steps.at(-1);
    if (field === undefined) continue;
    turn++;
    for (const [i, { value, mistyped }] of hostileValues(places, field).entries()) {
      // A value of a wrong type cannot be read as an operation; the tests of wire cover that.
      if (mistyped || (i + turn) % oneIn !== 0) continue;
      const read = OfferOperationCodec.parse(writeJson(places.put(subject[0], place, value)));
      if (read.ok) yield read.value;
    }
  }
}

function accept(scheduler: TestScheduler, world: World, agent: TestAgent, operations: readonly OfferOperation[]): void {
  world.wait(1_000);
  const offer = scheduler.offer();
  assert.deepEqual(summarize(offer.resources ?? []), {
    cpus: 4,
    mem: 4096,
    disk: 8192,
    gpus: 0,
    ports: '[31000-31999]',
  });
  const accepted = scheduler.call({
    type: 'ACCEPT',
    accept: { offer_ids: [offer.id], operations, filters: { refuse_seconds: 0 } },
  });
  assert.equal(accepted?.status, 202);
  const {
    tasks,
    executors,
    operations: pending,
    checkpointedResources,
  } = world.master.state.agents.registered.get(agent.id) ?? assert.fail('the agent is registered');
  const text = (): string => JSON.stringify(operations).slice(0, 2_000);
  assert.deepEqual([tasks.size, executors.size, pending.size, checkpointedResources], [0, 0, 0, []], text());
  const states = scheduler.events.flatMap(({ update }) => (update === undefined ? [] : [update.status.state]));
  assert.ok(states.every((state) => state === 'TASK_ERROR'));
  scheduler.events.splice(0);
  agent.received.splice(0);
}

test('a malformed operation has no effect, and all resources of the offer are returned', () => {
  const world = createWorld();
  const agent = world.agent();
  const scheduler = world.subscribe({
    roles: ['web'],
    capabilities: [{ type: 'MULTI_ROLE' }, { type: 'RESERVATION_REFINEMENT' }],
  });
  let done = 0;
  for (const subject of subjects(agent.id)) {
    let batch: OfferOperation[] = [];
    for (const operation of mutationsOf(subject, 4)) {
      done++;
      batch.push(operation);
      if (batch.length < OPERATIONS_AT_ONCE) continue;
      accept(scheduler, world, agent, batch);
      batch = [];
    }
    accept(scheduler, world, agent, batch);
  }
  assert.ok(done > 5_000, `${done} operations`);
  assert.deepEqual(world.exits, []);
});
