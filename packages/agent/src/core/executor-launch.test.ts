// What the containers of executors and tasks may use (Mesos: docs/isolators/cgroups-cpu.md, TaskInfo.limits).
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ok } from '@meseta/base';
import { defaultCapabilities } from '@meseta/containers/testing/capabilities';
import type { ExecutorInfo, Resource, TaskInfo } from '@meseta/wire';
import type { AgentEffect } from './io.js';
import { customExecutor, customTaskOf, executorCall, runCustomTask } from './testing/calls.js';
import { containerStarted, frameworkOf, launched, registeredWorld, taskOf, type World } from './testing.js';

const worldWithLimits = (): World =>
  registeredWorld({ capabilities: { ...defaultCapabilities, cpusLimits: ok(undefined), memLimits: ok(undefined) } });

const cpus = (value: number): Resource => ({
  name: 'cpus',
  type: 'SCALAR',
  scalar: { value },
  allocation_info: { role: '*' },
});
const LIMITS = { cpus: { value: 2 } };

const specsIn = (effects: readonly AgentEffect[]) =>
  effects.flatMap((effect) => (effect.kind === 'launch' ? [effect.spec] : []));
const cpusOf = (resources: readonly Resource[]): readonly (number | undefined)[] =>
  resources.map(({ scalar }) => scalar?.value);

test('the limits of an executor and its tasks that have not ended add up; those without a limit count with their resources', () => {
  const executor: ExecutorInfo = { ...customExecutor, resources: [cpus(0.5)] };
  const launch = (id: string, changes: Partial<TaskInfo>, launchesExecutor: boolean) =>
    runCustomTask(world, customTaskOf(id, { executor, resources: [cpus(1)], ...changes }), launchesExecutor);
  const world = worldWithLimits();
  const first = launch('a', { limits: LIMITS }, true);
  assert.deepEqual(specsIn(first)[0]?.limits, { cpus: { value: 2.5 } });
  containerStarted(world, launched(first));
  executorCall(world, 'c', { type: 'SUBSCRIBE', subscribe: {} });
  const containersIn = (effects: readonly AgentEffect[]) =>
    effects.flatMap((it) => (it.kind === 'updateContainer' ? [{ cpus: cpusOf(it.resources), limits: it.limits }] : []));
  assert.deepEqual(containersIn(launch('b', {}, false)), [{ cpus: [0.5, 1, 1], limits: { cpus: { value: 3.5 } } }]);
  const status = { task_id: { value: 'a' }, state: 'TASK_FINISHED', uuid: 'AAAAAAAAQACAAAAAAAAAAA==' } as const;
  executorCall(world, 'u', { type: 'UPDATE', update: { status } });
  // The end of `a` is not acknowledged, but it uses nothing.
  assert.deepEqual(containersIn(launch('c', {}, false)).at(-1), { cpus: [0.5, 1, 1], limits: undefined });
});

test('the container of a command task may use its limits and the resources of its executor; of a Docker container the agent is the executor', () => {
  const specOf = (changes: Partial<TaskInfo>) => {
    const task = taskOf('t', { resources: [cpus(1)], ...changes });
    const [spec] = specsIn(
      worldWithLimits().message({ name: 'RunTaskMessage', body: { framework: frameworkOf(), task } }),
    );
    return {
      cpus: spec?.resources.filter(({ name }) => name === 'cpus').map(({ scalar }) => scalar?.value),
      limits: spec?.limits,
    };
  };
  // Mesos' command executor has 0.1 cpus.
  assert.deepEqual(specOf({}), { cpus: [1, 0.1], limits: undefined });
  assert.deepEqual(specOf({ limits: LIMITS }), { cpus: [1, 0.1], limits: { cpus: { value: 2.1 } } });
  const container = { type: 'DOCKER', docker: { image: 'alpine' } } as const;
  assert.deepEqual(specOf({ container, limits: LIMITS }), { cpus: [1], limits: LIMITS });
  assert.deepEqual(specOf({ container }), { cpus: [1], limits: undefined });
});

test('an executor is not launched if its framework was shut down while its launch was written, also if that launches another', () => {
  const world = registeredWorld();
  world.durable = false;
  const launch = (id: string) =>
    world.message({ name: 'RunTaskMessage', body: { framework: frameworkOf(), task: taskOf(id) } });
  launch('a');
  world.message({ name: 'ShutdownFrameworkMessage', body: { framework_id: { value: 'f-1' } } });
  launch('b');
  world.message({ name: 'ShutdownFrameworkMessage', body: { framework_id: { value: 'f-1' } } });
  world.durable = true;
  const before = world.effects.length;
  world.flush();
  assert.deepEqual(specsIn(world.effects.slice(before)), []);
  world.durable = false;
  launch('c');
  world.message({ name: 'ShutdownFrameworkMessage', body: { framework_id: { value: 'f-1' } } });
  launch('d');
  world.durable = true;
  world.flush();
  assert.equal(specsIn(world.effects.slice(before)).length, 1);
});
