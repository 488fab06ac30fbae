import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '@meseta/base';
import type { OperationStatus, SchedulerCall, TaskStatus } from '@meseta/wire';
import type { MasterEffect, MasterInput, RequestId, StreamId } from './io.js';
import { ITEMS_PER_STEP } from './reconciliation-queue.js';
import { createWorld, type TestScheduler, type World } from './testing.js';

const tasksNamed = (count: number, prefix: string): SchedulerCall => ({
  type: 'RECONCILE',
  reconcile: { tasks: Array.from({ length: count }, (_, i) => ({ task_id: { value: `${prefix}${i}` } })) },
});

const operationsNamed = (count: number, prefix: string): SchedulerCall => ({
  type: 'RECONCILE_OPERATIONS',
  reconcile_operations: {
    operations: Array.from({ length: count }, (_, i) => ({ operation_id: { value: `${prefix}${i}` } })),
  },
});

/** Steps the core without the world, which would let it finish its work. */
function createSteps(world: World) {
  const step = (input: MasterInput): readonly MasterEffect[] => world.master.step(input, world.now());
  const send = (scheduler: TestScheduler, call: SchedulerCall) =>
    step({
      kind: 'schedulerCall',
      request: 'request' as RequestId,
      principal: undefined,
      streamId: scheduler.stream,
      call: { ...call, framework_id: { value: scheduler.id } },
    });
  const proceed = () => step({ kind: 'continue' });
  return { send, proceed };
}

/** The ids of the tasks and operations that are answered. */
const answered = (effects: readonly MasterEffect[]): string[] =>
  effects.flatMap((effect) => {
    if (effect.kind !== 'event') return [];
    const { update, update_operation_status } = effect.event;
    const status: TaskStatus | OperationStatus | undefined = update?.status ?? update_operation_status?.status;
    if (status === undefined) return [];
    return ['task_id' in status ? status.task_id.value : (status.operation_id?.value ?? '')];
  });

const statusOfReply = (effects: readonly MasterEffect[]): number | undefined => {
  const reply = effects.find((effect) => effect.kind === 'reply');
  return reply?.kind === 'reply' ? reply.reply.status : undefined;
};

for (const [what, named] of [
  ['RECONCILE', tasksNamed],
  ['RECONCILE_OPERATIONS', operationsNamed],
] as const) {
  test(`JOBS-1: ${what} with many items is answered in order, a fixed number of items a step`, () => {
    const world = createWorld();
    const scheduler = world.subscribe();
    const { send, proceed } = createSteps(world);
    const steps = [answered(send(scheduler, named(2 * ITEMS_PER_STEP + 1, 'a')))];
    while (world.master.hasWork()) steps.push(answered(proceed()));
    assert.deepEqual(
      steps.map((ids) => ids.length),
      [ITEMS_PER_STEP, ITEMS_PER_STEP, 1],
    );
    assert.deepEqual(
      steps.flat(),
      Array.from({ length: 2 * ITEMS_PER_STEP + 1 }, (_, i) => `a${i}`),
    );
  });
}

test('the reconciliations of one framework are answered in the order of its calls', () => {
  const world = createWorld();
  const scheduler = world.subscribe();
  const { send, proceed } = createSteps(world);
  const ids = [
    ...answered(send(scheduler, tasksNamed(ITEMS_PER_STEP + 1, 'a'))),
    ...answered(send(scheduler, operationsNamed(1, 'b'))),
    ...answered(send(scheduler, tasksNamed(1, 'c'))),
  ];
  while (world.master.hasWork()) ids.push(...answered(proceed()));
  assert.deepEqual(ids.slice(ITEMS_PER_STEP), [`a${ITEMS_PER_STEP}`, 'b0', 'c0']);
});

test("a framework does not wait for the end of another framework's long reconciliation", () => {
  const world = createWorld();
  const [long, short] = [world.subscribe(), world.subscribe()];
  const { send, proceed } = createSteps(world);
  send(long, tasksNamed(10 * ITEMS_PER_STEP, 'a'));
  const first = answered(send(short, tasksNamed(ITEMS_PER_STEP + 1, 'b')));
  assert.equal(first.length, ITEMS_PER_STEP);
  const next = [...answered(proceed()), ...answered(proceed())];
  assert.ok(next.includes(`b${ITEMS_PER_STEP}`));
});

/** A framework whose long reconciliation has begun and is held by a backlog. */
function heldReconciliation() {
  const world = createWorld();
  const scheduler = world.subscribe();
  const steps = createSteps(world);
  const sent = answered(steps.send(scheduler, tasksNamed(3 * ITEMS_PER_STEP, 'a')));
  const backlog = (isWaiting: boolean) =>
    answered(
      world.master.step({ kind: 'streamBacklog', stream: scheduler.stream as StreamId, isWaiting }, world.now()),
    );
  sent.push(...backlog(true), ...answered(steps.proceed()));
  return { world, scheduler, sent, backlog, ...steps };
}

test('JOBS-2: a reconciliation goes on only while the stream has no backlog, and answers every item once', () => {
  const { world, sent, backlog, proceed } = heldReconciliation();
  assert.equal(sent.length, ITEMS_PER_STEP);
  assert.equal(world.master.hasWork(), false);
  sent.push(...backlog(false));
  while (world.master.hasWork()) sent.push(...answered(proceed()));
  assert.deepEqual(
    sent,
    Array.from({ length: 3 * ITEMS_PER_STEP }, (_, i) => `a${i}`),
  );
});

test('JOBS-2: calls during a backlog are answered in their order after it, also one that comes first then', () => {
  const { world, scheduler, backlog, send, proceed } = heldReconciliation();
  assert.deepEqual(answered(send(scheduler, tasksNamed(1, 'b'))), []);
  assert.equal(world.master.hasWork(), false);
  const ids = [...backlog(false)];
  while (world.master.hasWork()) ids.push(...answered(proceed()));
  assert.equal(ids.at(-1), 'b0');
  backlog(true);
  assert.deepEqual(answered(send(scheduler, tasksNamed(1, 'c'))), []);
  assert.deepEqual(backlog(false), ['c0']);
});

test('JOBS-2: a backlog ends with its stream, and holds no other framework', () => {
  const { world, scheduler, send } = heldReconciliation();
  const other = world.subscribe();
  assert.deepEqual(answered(send(other, tasksNamed(1, 'b'))), ['b0']);
  scheduler.disconnect();
  const { streamsWithBacklog, heldJobs, jobs } = world.master.state;
  assert.deepEqual([streamsWithBacklog.size, heldJobs.size, jobs], [0, 0, []]);
});

test('a reconciliation ends with its framework', () => {
  const world = createWorld();
  const scheduler = world.subscribe();
  const { send, proceed } = createSteps(world);
  send(scheduler, tasksNamed(10 * ITEMS_PER_STEP, 'a'));
  send(scheduler, { type: 'TEARDOWN' });
  assert.deepEqual(answered(proceed()), []);
  assert.deepEqual(world.master.state.jobs, []);
});

test('KILL of an unknown task is answered at once, so that kills do not wait behind a long reconciliation', () => {
  const world = createWorld();
  const scheduler = world.subscribe();
  const { send } = createSteps(world);
  send(scheduler, tasksNamed(10 * ITEMS_PER_STEP, 'a'));
  const kill = send(scheduler, { type: 'KILL', kill: { task_id: { value: 'unknown' } } });
  assert.deepEqual(answered(kill), ['unknown']);
  const [job] = world.master.state.jobs;
  assert.equal(job?.kind === 'reconcile' && job.calls.length, 1);
});

test('a framework with too many unanswered reconciliations gets 503 for another one, and not for other calls', () => {
  const world = createWorld();
  const [busy, other] = [world.subscribe(), world.subscribe()];
  const { send, proceed } = createSteps(world);
  const { most } = LIMITS.waitingReconciliations;
  assert.equal(statusOfReply(send(busy, tasksNamed(most, 'a'))), 202);
  // A small call costs a step, too.
  const small = Math.ceil(most / ITEMS_PER_STEP);
  let taken = 0;
  while (taken <= small && statusOfReply(send(busy, operationsNamed(1, 'b'))) === 202) taken++;
  assert.ok(taken > 0 && taken <= small, `${taken} small calls`);
  assert.equal(statusOfReply(send(busy, { type: 'RECONCILE', reconcile: {} })), 503);
  assert.equal(statusOfReply(send(busy, { type: 'REVIVE' })), 202);
  assert.equal(statusOfReply(send(other, tasksNamed(1, 'c'))), 202);
  while (world.master.hasWork()) proceed();
  assert.equal(statusOfReply(send(busy, tasksNamed(1, 'd'))), 202);
});
