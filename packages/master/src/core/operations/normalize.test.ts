// An operation as frameworks may write it, and as the core works with it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ExecutorInfo, HealthCheck, OfferOperation, Resource, TaskInfo } from '@meseta/wire';
import type { Framework } from '../state.js';
import { normalize } from './normalize.js';

const framework = { wireId: { value: 'F' } } as Framework;
const normalized = (operation: OfferOperation): OfferOperation => normalize(framework, 'web', operation);

const cpus = (more: Partial<Resource> = {}): Resource => ({
  name: 'cpus',
  type: 'SCALAR',
  scalar: { value: 1 },
  ...more,
});
/** As an older framework writes it, and what it means. */
const plain = cpus({ role: '*' });
const allocated = cpus({ allocation_info: { role: 'web' } });
const elsewhere = cpus({ allocation_info: { role: 'db' } });
const reserved = cpus({ role: 'web', reservation: { principal: 'p' } });
const refined = cpus({
  allocation_info: { role: 'web' },
  reservations: [{ type: 'DYNAMIC', role: 'web', principal: 'p' }],
});
const invalid = cpus({ scalar: { value: -1 }, role: 'x' });

const task = (more: Partial<TaskInfo> = {}): TaskInfo => ({
  name: 't',
  task_id: { value: 't' },
  agent_id: { value: 'S' },
  ...more,
});
const executor = (more: Partial<ExecutorInfo> = {}): ExecutorInfo => ({ executor_id: { value: 'e' }, ...more });
const launchOf = (info: TaskInfo): OfferOperation => ({ type: 'LAUNCH', launch: { task_infos: [info] } });

test('resources are in the post-refinement format and allocated to the role of the offers, unless they name another', () => {
  const table: readonly (readonly [sent: readonly Resource[], normalized: readonly Resource[]])[] = [
    [[plain], [allocated]],
    [[cpus()], [allocated]],
    [[elsewhere], [elsewhere]],
    [[reserved], [refined]],
    [[cpus({ allocation_info: {} })], [allocated]],
    [[], []],
  ];
  for (const [sent, list] of table) {
    const operations: readonly (readonly [OfferOperation, OfferOperation])[] = [
      [
        { type: 'RESERVE', reserve: { resources: sent, source: sent } },
        { type: 'RESERVE', reserve: { resources: list, source: list } },
      ],
      [
        { type: 'RESERVE', reserve: { resources: sent } },
        { type: 'RESERVE', reserve: { resources: list } },
      ],
      [
        { type: 'UNRESERVE', unreserve: { resources: sent } },
        { type: 'UNRESERVE', unreserve: { resources: list } },
      ],
      [
        { type: 'CREATE', create: { volumes: sent } },
        { type: 'CREATE', create: { volumes: list } },
      ],
      [
        { type: 'DESTROY', id: { value: 'op' }, destroy: { volumes: sent } },
        { type: 'DESTROY', id: { value: 'op' }, destroy: { volumes: list } },
      ],
      [launchOf(task({ resources: sent })), launchOf(task({ resources: list }))],
      [
        launchOf(task({ resources: sent, executor: executor({ resources: sent }) })),
        launchOf(task({ resources: list, executor: executor({ resources: list, framework_id: { value: 'F' } }) })),
      ],
      [
        {
          type: 'LAUNCH_GROUP',
          launch_group: {
            executor: executor({ resources: sent }),
            task_group: { tasks: [task({ resources: sent, executor: executor() })] },
          },
        },
        {
          type: 'LAUNCH_GROUP',
          launch_group: {
            executor: executor({ resources: list }),
            task_group: { tasks: [task({ resources: list, executor: executor() })] },
          },
        },
      ],
    ];
    for (const [operation, expected] of operations) assert.deepEqual(normalized(operation), expected);
  }
});

test('a volume that grows or shrinks, and what it grows by, are normalized; other fields stay', () => {
  assert.deepEqual(normalized({ type: 'GROW_VOLUME', grow_volume: { volume: reserved, addition: plain } }), {
    type: 'GROW_VOLUME',
    grow_volume: { volume: refined, addition: allocated },
  });
  assert.deepEqual(normalized({ type: 'SHRINK_VOLUME', shrink_volume: { volume: reserved, subtract: { value: 1 } } }), {
    type: 'SHRINK_VOLUME',
    shrink_volume: { volume: refined, subtract: { value: 1 } },
  });
});

test('invalid resources keep their format, so validation can report them', () => {
  assert.deepEqual(
    normalized({ type: 'UNRESERVE', unreserve: { resources: [invalid, reserved] } }).unreserve?.resources,
    [
      { ...invalid, allocation_info: { role: 'web' } },
      { ...reserved, allocation_info: { role: 'web' } },
    ],
  );
});

test('missing lists become empty; an operation without its body stays so', () => {
  assert.deepEqual(normalized({ type: 'LAUNCH', launch: {} }), { type: 'LAUNCH', launch: { task_infos: [] } });
  assert.deepEqual(normalized(launchOf(task())), launchOf(task({ resources: [] })));
  assert.deepEqual(normalized({ type: 'LAUNCH_GROUP', launch_group: { executor: executor(), task_group: {} } }), {
    type: 'LAUNCH_GROUP',
    launch_group: { executor: executor(), task_group: { tasks: [] } },
  });
  for (const type of ['RESERVE', 'LAUNCH', 'CREATE_DISK'] as const) assert.deepEqual(normalized({ type }), { type });
});

test("the executor of a LAUNCH gets its framework's id unless it names one; a group's executor is not changed", () => {
  const other = { value: 'G' };
  const executorOf = (operation: OfferOperation) => normalized(operation).launch?.task_infos?.[0]?.executor;
  assert.deepEqual(executorOf(launchOf(task({ executor: executor() })))?.framework_id, { value: 'F' });
  assert.deepEqual(executorOf(launchOf(task({ executor: executor({ framework_id: other }) })))?.framework_id, other);
  assert.equal(executorOf(launchOf(task())), undefined);
});

test('a health check of a LAUNCH without a type gets the type of its only body', () => {
  const command = { command: { value: 'true' } };
  const http = { http: { port: 80 } };
  const tcp = { tcp: { port: 80 } };
  const table: readonly (readonly [HealthCheck | undefined, HealthCheck['type']])[] = [
    [command, 'COMMAND'],
    [http, 'HTTP'],
    [{ ...command, ...http }, undefined],
    [tcp, undefined],
    [{}, undefined],
    [{ ...command, type: 'TCP' }, 'TCP'],
    [{ ...http, type: 'COMMAND' }, 'COMMAND'],
    [undefined, undefined],
  ];
  for (const [health_check, type] of table) {
    const sent = task(health_check === undefined ? {} : { health_check });
    const [found] = normalized(launchOf(sent)).launch?.task_infos ?? [];
    const expected = type === undefined ? health_check : { ...health_check, type };
    assert.deepEqual(found?.health_check, expected);
    const group = { executor: executor(), task_group: { tasks: [sent] } };
    const [member] = normalized({ type: 'LAUNCH_GROUP', launch_group: group }).launch_group?.task_group.tasks ?? [];
    assert.deepEqual(member?.health_check, health_check, 'a group has to say it itself');
  }
});
