// The resources in use, which the metrics, the endpoints and the estimate of oversubscribed resources show.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ExecutorId } from '@meseta/base';
import type { Resource } from '@meseta/wire';
import { allocatedOf, resourcesOf } from './allocated.js';
import { customExecutor, customTaskOf, executorCall, runCustomTask } from './testing/calls.js';
import {
  containerKilled,
  containerStarted,
  frameworkIn,
  launched,
  registeredWorld,
  taskOf,
  updates,
} from './testing.js';

const cpus = (value: number): Resource => ({
  name: 'cpus',
  type: 'SCALAR',
  scalar: { value },
  allocation_info: { role: '*' },
});
const cpusIn = (resources: readonly Resource[]): readonly (number | undefined)[] =>
  resources.map(({ scalar }) => scalar?.value);

test('in use are the resources of executors and of their tasks until these end, acknowledged or not', () => {
  const world = registeredWorld();
  const executor = { ...customExecutor, resources: [cpus(0.5)] };
  const launch = (id: string, resources: readonly Resource[], launchesExecutor = false) =>
    runCustomTask(world, customTaskOf(id, { executor, resources }), launchesExecutor);
  const containerId = launched(launch('a', [cpus(1)], true));
  containerStarted(world, containerId);
  executorCall(world, 'c', { type: 'SUBSCRIBE', subscribe: {} });
  launch('b', [cpus(2)]);
  const { resources: _, ...bare } = customTaskOf('c', { executor });
  runCustomTask(world, bare, false);
  const inUse = () => cpusIn(allocatedOf(world.core.state));
  assert.deepEqual(inUse(), [3.5]);
  const status = { task_id: { value: 'a' }, state: 'TASK_FINISHED', uuid: 'AAAAAAAAQACAAAAAAAAAAA==' } as const;
  executorCall(world, 'u', { type: 'UPDATE', update: { status } });
  assert.deepEqual(inUse(), [2.5]);
  const record = frameworkIn(world)?.executors.get('e' as ExecutorId);
  assert.ok(record);
  const tasks = [...(frameworkIn(world)?.tasks.values() ?? [])];
  assert.deepEqual(cpusIn(resourcesOf({ executor: record, tasks })), [2.5]);
  containerKilled(world, containerId);
  assert.ok(updates(world).length > 0);
  assert.equal(frameworkIn(world)?.executors.get('e' as ExecutorId)?.state, 'ended');
  assert.deepEqual(inUse(), []);
});

test('an executor without resources and without tasks uses none', () => {
  const world = registeredWorld();
  runCustomTask(world, customTaskOf('a'), true);
  const executor = frameworkIn(world)?.executors.get('e' as ExecutorId);
  assert.ok(executor);
  assert.deepEqual(resourcesOf({ executor, tasks: [] }), []);
  assert.deepEqual(cpusIn(allocatedOf(world.core.state)), cpusIn(taskOf('a').resources ?? []));
});
