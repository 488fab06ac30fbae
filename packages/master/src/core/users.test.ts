import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CommandInfo, ExecutorInfo, OfferOperation, TaskInfo } from '@meseta/wire';
import { createWorld, resources, task } from './testing.js';

const asRoot: CommandInfo = { value: 'true', user: 'root' };
const asNobody: CommandInfo = { value: 'true', user: 'nobody' };
const executor: ExecutorInfo = { type: 'CUSTOM', executor_id: { value: 'e' }, command: asRoot };

/** Tasks that name the user root in one field. */
const denied: readonly (readonly [string, Partial<TaskInfo>])[] = [
  ["the task's own", { command: asRoot }],
  ["its executor's", { command: undefined, executor }],
  ["its check's", { command: asNobody, check: { type: 'COMMAND', command: { command: asRoot } } }],
  ["its health check's", { command: asNobody, health_check: { type: 'COMMAND', command: asRoot } }],
  ["a health check's that is of another type", { health_check: { type: 'TCP', tcp: { port: 1 }, command: asRoot } }],
];

const world = () =>
  createWorld({ authorize: ({ action, value }) => action !== 'RUN_TASK' || value === 'nobody' || value === 'web' });

test('every user that a task, its executor or its checks name must be authorized', () => {
  const one = world();
  one.agent();
  const scheduler = one.subscribe({ user: 'nobody' });
  for (const [where, more] of denied) {
    one.wait(1_000);
    const offer = scheduler.offer();
    scheduler.launch(offer, { ...task('t', offer), ...more } as TaskInfo);
    const { state, reason, message } = scheduler.status();
    assert.deepEqual([state, reason], ['TASK_ERROR', 'REASON_TASK_UNAUTHORIZED'], where);
    assert.equal(message, "not authorized to launch tasks as user 'root'");
  }
  one.wait(1_000);
  const offer = scheduler.offer();
  const health = { type: 'COMMAND', command: { value: 'true', user: 'web' } } as const;
  scheduler.launch(offer, { ...task('t', offer), health_check: health });
  assert.equal(scheduler.events.filter(({ type }) => type === 'UPDATE').length, 0);
});

test("the framework's user need not be authorized if the task names another user", () => {
  const one = world();
  one.agent();
  const scheduler = one.subscribe({ user: 'root' });
  const offer = scheduler.offer();
  scheduler.launch(offer, { ...task('t', offer), command: asNobody });
  assert.equal(scheduler.events.filter(({ type }) => type === 'UPDATE').length, 0);
});

test('a group is refused as a whole if one of its tasks names a user that is not authorized', () => {
  for (const [where, more] of denied.filter(([, { executor: own }]) => own === undefined)) {
    const one = world();
    one.agent();
    const scheduler = one.subscribe({ user: 'nobody' });
    const offer = scheduler.offer();
    const tasks = [task('good', offer), { ...task('bad', offer), ...more } as TaskInfo];
    const own = resources('cpus:0.1;mem:32;disk:10', offer);
    const group: OfferOperation = {
      type: 'LAUNCH_GROUP',
      launch_group: {
        executor: { type: 'DEFAULT', executor_id: { value: 'e' }, resources: own },
        task_group: { tasks },
      },
    };
    scheduler.call({ type: 'ACCEPT', accept: { offer_ids: [offer.id], operations: [group] } });
    for (const id of ['good', 'bad']) {
      const { task_id, reason } = scheduler.status();
      assert.deepEqual([task_id.value, reason], [id, 'REASON_TASK_GROUP_UNAUTHORIZED'], where);
    }
  }
});

test('a group is refused if the user of its executor, or by default of the framework, is not authorized', () => {
  for (const [user, command] of [
    ['nobody', asRoot],
    ['root', { value: 'true' }],
  ] as const) {
    const one = world();
    one.agent();
    const scheduler = one.subscribe({ user });
    const offer = scheduler.offer();
    const own = resources('cpus:0.1;mem:32;disk:10', offer);
    const group: OfferOperation = {
      type: 'LAUNCH_GROUP',
      launch_group: {
        executor: { ...executor, command, framework_id: { value: scheduler.id }, resources: own },
        task_group: { tasks: [task('t', offer, { command: asNobody })] },
      },
    };
    scheduler.call({ type: 'ACCEPT', accept: { offer_ids: [offer.id], operations: [group] } });
    const { reason, message } = scheduler.status();
    assert.equal(reason, 'REASON_TASK_GROUP_UNAUTHORIZED');
    assert.equal(message, "not authorized to launch tasks as user 'root'");
  }
});
