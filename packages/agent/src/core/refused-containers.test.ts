// A property that an agent can't provide is refused for tasks, executors, pods, nested and standalone containers alike. The
// launcher decides on most (containers/src/plan/supported.ts), so they must reach it; the core refuses what it does not pass on.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { planLinks } from '@meseta/containers/isolators/volume-sandbox-path';
import type { CommandInfo, ContainerInfo, EnvironmentVariable, ExecutorInfo, TaskInfo } from '@meseta/wire';
import type { AgentEffect } from './io.js';
import { containerCall } from './testing/calls.js';
import { frameworkOf, launchFailed, registeredWorld, runToRunning, taskOf, updates, type World } from './testing.js';

const container: ContainerInfo = { type: 'MESOS', hostname: 'web1' };
const launchOf = (effects: readonly AgentEffect[]) => {
  const launch = effects.find((effect) => effect.kind === 'launch');
  assert.ok(launch?.kind === 'launch');
  return launch;
};
/** The links of SANDBOX_PATH volumes. */
const linksOf = ({ spec }: ReturnType<typeof launchOf>) => {
  const patch = planLinks(spec);
  assert.ok(patch.ok);
  return patch.value.links;
};
const runTask = (world: World, task: TaskInfo) =>
  world.message({ name: 'RunTaskMessage', body: { framework: frameworkOf(), task } });
const nest = (world: World, more: object, value = runToRunning(world, taskOf('parent'))) =>
  containerCall(world, {
    type: 'LAUNCH_NESTED_CONTAINER',
    launch_nested_container: { container_id: { value: 'c', parent: { value } }, command: { value: 'true' }, ...more },
  });
const standalone = (world: World, more: object) =>
  containerCall(world, {
    type: 'LAUNCH_CONTAINER',
    launch_container: { container_id: { value: 'c' }, command: { value: 'true' }, ...more },
  });

const pod = (world: World, executor: Partial<ExecutorInfo>, task: Partial<TaskInfo> = {}) =>
  world.message({
    name: 'RunTaskGroupMessage',
    body: {
      framework: frameworkOf(),
      executor: { type: 'DEFAULT', executor_id: { value: 'pod' }, ...executor },
      task_group: { tasks: [taskOf('t', task)] },
    },
  });

const custom: ExecutorInfo = { type: 'CUSTOM', executor_id: { value: 'e' }, command: { value: 'true' }, container };

test('what each kind of container asks for reaches the launcher', () => {
  const launches = [
    runTask(registeredWorld(), taskOf('t', { container })),
    runTask(registeredWorld(), taskOf('t', { command: undefined, executor: custom })),
    pod(registeredWorld(), {}, { container }),
    nest(registeredWorld(), { container }),
    standalone(registeredWorld(), { container }),
  ].map((effects) => launchOf(effects).spec);
  for (const spec of launches) assert.deepEqual(spec.container, container);
  assert.deepEqual(
    launches.map(({ outer }) => outer !== undefined),
    [false, false, true, true, false],
  );
  assert.deepEqual(launchOf(pod(registeredWorld(), { container })).spec.outer?.pod?.container, container);
});

test('a launch that the launcher refuses fails the task for that reason', () => {
  for (const effects of [
    (world: World) => runTask(world, taskOf('t', { container })),
    (world: World) => pod(world, { container }),
  ]) {
    const world = registeredWorld();
    const { containerId } = launchOf(effects(world)).spec;
    const message = 'container.hostname: needs the isolator network/cni';
    launchFailed(world, containerId, message);
    const { status } = updates(world)[0] ?? assert.fail('no update');
    assert.deepEqual([status.state, status.reason], ['TASK_FAILED', 'REASON_CONTAINER_LAUNCH_FAILED']);
    assert.equal(status.message, `Failed to launch container: ${message}`);
  }
});

const shared = (type: 'SELF' | 'PARENT', path: string): ContainerInfo => ({
  type: 'MESOS',
  volumes: [{ container_path: 'v', mode: 'RW', source: { type: 'SANDBOX_PATH', sandbox_path: { type, path } } }],
});

test('a part of the own or of the parent sandbox is shown elsewhere, and no path that leads out of it', () => {
  const task = launchOf(runTask(registeredWorld(), taskOf('t', { container: shared('SELF', 'q') })));
  assert.deepEqual(linksOf(task), [
    { containerPath: 'v', place: { root: task.spec.sandbox, names: ['q'] }, isPersistent: false },
  ]);
  for (const launch of [
    launchOf(pod(registeredWorld(), {}, { container: shared('PARENT', 'q') })),
    launchOf(nest(registeredWorld(), { container: shared('PARENT', 'q') })),
  ]) {
    const place = { root: launch.spec.outer?.sandbox, names: ['q'] };
    assert.deepEqual(linksOf(launch), [{ containerPath: 'v', place, isPersistent: false }]);
  }
  for (const escaping of [shared('PARENT', '../../x'), shared('SELF', '..'), shared('PARENT', '')]) {
    assert.deepEqual(linksOf(launchOf(pod(registeredWorld(), {}, { container: escaping }))), []);
  }
});

test("a persistent volume of a pod's executor is what its tasks see at that path of the parent's sandbox", () => {
  const world = registeredWorld();
  const reservation = { type: 'DYNAMIC', role: 'r', principal: 'p' } as const;
  const volume = {
    ...({ name: 'disk', type: 'SCALAR', scalar: { value: 8192 }, reservations: [reservation] } as const),
    disk: { persistence: { id: 'data' }, volume: { container_path: 'db', mode: 'RW' } } as const,
  };
  const plain = { ...volume, disk: undefined };
  for (const [at, operation_info] of [
    { type: 'RESERVE', reserve: { resources: [plain] } } as const,
    { type: 'CREATE', create: { volumes: [volume] } } as const,
  ].entries()) {
    const resource_version_uuid = { uuid: { value: world.core.state.resourceVersion } };
    const body = { operation_info, operation_uuid: { value: `AAAAAAAAQAC${at}AAAAAAAAAA==` }, resource_version_uuid };
    world.message({ name: 'ApplyOperationMessage', body });
  }
  const place = { root: '/var/meseta', names: ['volumes', 'roles', 'r', 'data', 'x'] };
  const link = { containerPath: 'v', place, isPersistent: false };
  const launch = launchOf(pod(world, { resources: [volume] }, { container: shared('PARENT', 'db/x') }));
  assert.deepEqual(linksOf(launch), [link]);
  // A task's own, of which its sandbox only holds a link.
  const own = taskOf('own', { container: shared('SELF', 'db/x') });
  const resources = [...(own.resources ?? []), { ...volume, allocation_info: { role: 'r' } }];
  const launched = launchOf(runTask(world, { ...own, resources }));
  assert.deepEqual(launched.spec.volumes, [
    { containerPath: 'db', place: { ...place, names: place.names.slice(0, -1) } },
  ]);
  assert.deepEqual(linksOf(launched), [link]);
});

const reference: EnvironmentVariable = {
  name: 'S',
  type: 'SECRET',
  secret: { type: 'REFERENCE', reference: { name: '/s' } },
};
const withSecret: CommandInfo = { value: 'true', environment: { variables: [reference] } };

test('a secret by reference in the command, the executor or a check of a task fails the task, as the agent has no resolver', () => {
  const tasks: readonly Partial<TaskInfo>[] = [
    { command: withSecret },
    { command: undefined, executor: { ...custom, command: withSecret } },
    { check: { type: 'COMMAND', command: { command: withSecret } } },
    { health_check: { type: 'COMMAND', command: withSecret } },
  ];
  for (const more of tasks) {
    const world = registeredWorld();
    runTask(world, taskOf('t', more));
    const { status } = updates(world)[0] ?? assert.fail('no update');
    assert.deepEqual([status.state, status.reason], ['TASK_FAILED', 'REASON_CONTAINER_LAUNCH_FAILED']);
    assert.match(status.message ?? '', /^The variable S refers to a secret/);
  }
});

test('nested and standalone containers are refused secrets by reference, limits and volumes', () => {
  const volume = {
    ...({ name: 'disk', type: 'SCALAR', scalar: { value: 1 } } as const),
    reservations: [{ type: 'STATIC', role: 'r' }] as const,
    disk: { persistence: { id: 'v' }, volume: { container_path: 'p', mode: 'RW' } } as const,
  };
  const requests: readonly (readonly [object, RegExp])[] = [
    [{ command: withSecret }, /^command\.environment: The variable S refers to a secret/],
    [{ limits: { mem: { value: 1 } } }, /^limits: /],
    [{ resources: [volume] }, /^resources: /],
  ];
  for (const [request, expected] of requests) {
    for (const effects of [nest(registeredWorld(), request), standalone(registeredWorld(), request)]) {
      assert.ok(effects.every(({ kind }) => kind !== 'launch'));
      const [reply] = effects.filter((effect) => effect.kind === 'callReply');
      assert.deepEqual([reply?.status], [400]);
      assert.match(reply?.text ?? '', expected);
    }
  }
});
