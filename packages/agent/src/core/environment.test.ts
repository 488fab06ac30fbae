// What executors and tasks are launched with: environment, user, resources (Mesos: docs/executor-http-api.md).
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type FrameworkId, pidOf } from '@meseta/base';
import type { CommandInfo, EnvironmentVariable, ExecutorInfo, TaskInfo } from '@meseta/wire';
import { DEFAULT_PATH, ipOf, unresolvedVariable, variablesOf } from './environment.js';
import { commandExecutorInfo } from './executors.js';
import type { AgentEffect } from './io.js';
import type { AgentOptions } from './options.js';
import { frameworkOf, optionsOf, registeredWorld, run, taskOf, updates } from './testing.js';

const base64 = (text: string) => Buffer.from(text).toString('base64');
const secret = (text: string): EnvironmentVariable => ({
  name: 'S',
  type: 'SECRET',
  secret: { type: 'VALUE', value: { data: base64(text) } },
});
const commandOf = (...variables: EnvironmentVariable[]): CommandInfo => ({ environment: { variables } });

test('the variables of a command: values and secrets given by value; others have no text', () => {
  const reference: EnvironmentVariable = { name: 'R', secret: { type: 'REFERENCE', reference: { name: 'x' } } };
  const table: readonly (readonly [CommandInfo | undefined, variables: object, problem: string | undefined])[] = [
    [undefined, {}, undefined],
    [{}, {}, undefined],
    [{ environment: {} }, {}, undefined],
    [commandOf({ name: 'A', value: '1' }, { name: 'B', value: '' }), { A: '1', B: '' }, undefined],
    [commandOf(secret('ü'), { name: 'A', value: '1' }), { S: 'ü', A: '1' }, undefined],
    [commandOf({ name: 'A', value: '1' }, { name: 'N' }), { A: '1' }, 'The variable N has no value'],
    [commandOf(reference), {}, 'The variable R refers to a secret, and this agent has no secret resolver'],
  ];
  for (const [command, variables, problem] of table) {
    assert.deepEqual(variablesOf(command), variables);
    assert.equal(unresolvedVariable(command), problem);
  }
});

test("the address of this host is that in the agent's pid", () => {
  const of = (address: string) => ipOf(optionsOf({ pid: pidOf('slave(1)', address) }));
  assert.equal(of('10.0.0.7:5051'), '10.0.0.7');
  assert.equal(of('[fe80::1]:5051'), 'fe80::1');
});

type Launch = Extract<AgentEffect, { kind: 'launch' }>;
const launchOf = (effects: readonly AgentEffect[]): Launch =>
  effects.find((it): it is Launch => it.kind === 'launch') as Launch;

const executor = (changes: Partial<ExecutorInfo> = {}): ExecutorInfo => ({
  executor_id: { value: 'e' },
  framework_id: { value: 'f-1' },
  type: 'CUSTOM',
  ...changes,
});

function launchExecutor(
  config: Partial<AgentOptions>,
  info: ExecutorInfo,
  checkpoint = true,
  task: Partial<TaskInfo> = {},
): Launch {
  const world = registeredWorld(config);
  const { command: _, ...bare } = taskOf('a', task);
  const framework = frameworkOf({ checkpoint });
  world.message({
    name: 'RunTaskMessage',
    body: { framework, task: { ...bare, executor: info }, launch_executor: true },
  });
  return launchOf(world.effects);
}

const cpus = (value: number) => ({
  name: 'cpus',
  type: 'SCALAR' as const,
  scalar: { value },
  allocation_info: { role: '*' },
});

test("a framework's executor is launched with Mesos' variables below its own, and with what its first tasks have", () => {
  const info = executor({
    command: { value: './run', uris: [{ value: 'http://x/y' }], ...commandOf({ name: 'A', value: '1' }) },
    resources: [cpus(0.5)],
    shutdown_grace_period: { nanoseconds: 7e9 },
  });
  const { spec, executor: own } = launchExecutor({}, info);
  assert.deepEqual(own, { frameworkId: 'f-1', executorId: 'e' });
  const { containerId, sandbox, environment, ...rest } = spec;
  assert.match(sandbox, new RegExp(`/e/runs/${containerId}$`));
  assert.deepEqual(rest, {
    user: undefined,
    command: info.command,
    volumes: [],
    uris: [{ value: 'http://x/y' }],
    rlimits: undefined,
    resources: [cpus(0.5), ...(taskOf('a').resources ?? [])],
    isExecutor: true,
    container: undefined,
  });
  assert.deepEqual(environment, {
    PATH: DEFAULT_PATH,
    LIBPROCESS_PORT: '0',
    LIBPROCESS_IP: '10.0.0.7',
    MESOS_FRAMEWORK_ID: 'f-1',
    MESOS_EXECUTOR_ID: 'e',
    MESOS_DIRECTORY: sandbox,
    ['MESOS_SLAVE_ID']: 'm-S0',
    ['MESOS_SLAVE_PID']: 'slave(1)@10.0.0.7:5051',
    MESOS_AGENT_ENDPOINT: '10.0.0.7:5051',
    MESOS_CHECKPOINT: '1',
    MESOS_HTTP_COMMAND_EXECUTOR: '0',
    MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD: '7secs',
    MESOS_RECOVERY_TIMEOUT: '15mins',
    MESOS_SUBSCRIPTION_BACKOFF_MAX: '2secs',
    MESOS_SANDBOX: sandbox,
    A: '1',
  });
});

test('an executor in a network of its own listens on every address of it', () => {
  const inNetwork = (name?: string) =>
    launchExecutor(
      {},
      executor({
        command: { value: 'x' },
        container: { type: 'MESOS', network_infos: [name === undefined ? {} : { name }] },
      }),
    ).spec.environment['LIBPROCESS_IP'];
  assert.deepEqual([inNetwork('n'), inNetwork()], ['0.0.0.0', '10.0.0.7']);
});

test('some variables depend on the flags, on checkpointing and on an image', () => {
  const plain = launchExecutor({}, executor({ command: { value: 'x' } }), false).spec.environment;
  assert.equal(plain['MESOS_CHECKPOINT'], '0');
  assert.ok(!('MESOS_RECOVERY_TIMEOUT' in plain) && !('MESOS_SUBSCRIPTION_BACKOFF_MAX' in plain));
  assert.equal(plain['MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD'], '5secs');
  const flags = { httpCommandExecutor: true, executorEnvironment: { PATH: '/bin', X: 'y', MESOS_CHECKPOINT: 'no' } };
  const set = launchExecutor(
    flags,
    executor({ command: { value: 'x', ...commandOf({ name: 'X', value: 'own' }) } }),
  ).spec;
  assert.deepEqual(
    ['PATH', 'X', 'MESOS_CHECKPOINT', 'MESOS_HTTP_COMMAND_EXECUTOR'].map((name) => set.environment[name]),
    ['/bin', 'own', '1', '1'],
  );
});

test('a task runs as the user of its command, else of its framework; without --switch_user it has none', () => {
  const table: readonly (readonly [switchUser: boolean, user: string | undefined, wanted: string | undefined])[] = [
    [true, 'alice', 'alice'],
    [true, undefined, 'root'],
    [false, 'alice', undefined],
  ];
  for (const [switchUser, user, wanted] of table) {
    const command = { value: 'x', ...(user && { user }) };
    assert.equal(launchExecutor({ switchUser }, executor({ command })).spec.user, wanted);
    const world = registeredWorld({ switchUser });
    run(world, taskOf('a', { command }));
    assert.equal(launchOf(world.effects).spec.user, wanted);
  }
});

test('a command task is launched with its own and its executor’s resources, and has its role among its variables', () => {
  const world = registeredWorld();
  const rlimit_info = { rlimits: [{ type: 'RLMT_NOFILE' as const, hard: 5, soft: 5 }] };
  const container = { type: 'MESOS' as const, rlimit_info };
  run(
    world,
    taskOf('a', {
      container,
      command: { value: 'x', uris: [{ value: 'u' }], ...commandOf({ name: 'A', value: '1' }) },
    }),
  );
  const { spec, executor: own } = launchOf(world.effects);
  assert.equal(own, undefined);
  assert.deepEqual(spec.uris, [{ value: 'u' }]);
  assert.deepEqual(spec.rlimits, rlimit_info);
  assert.deepEqual(spec.container, container);
  assert.deepEqual(spec.resources, [
    ...(taskOf('a').resources ?? []),
    cpus(0.1),
    { name: 'mem', type: 'SCALAR', scalar: { value: 32 }, allocation_info: { role: '*' } },
  ]);
  assert.equal(spec.environment['MESOS_ALLOCATION_ROLE'], '*');
  assert.equal(spec.environment['A'], '1');
  assert.equal(spec.environment['MESOS_EXECUTOR_ID'], 'a');
  assert.ok(!('MESOS_CONTAINER_IP' in spec.environment));
  const unallocated = { name: 'cpus', type: 'SCALAR' as const, scalar: { value: 1 } };
  const other = registeredWorld();
  run(other, taskOf('b', { resources: [unallocated] }));
  assert.ok(!('MESOS_ALLOCATION_ROLE' in launchOf(other.effects).spec.environment));
  assert.deepEqual(launchOf(other.effects).spec.uris, []);
});

test('the executor info that the agent makes for a command task has the fields of the task', () => {
  const info = (task: Partial<TaskInfo>) => commandExecutorInfo('f' as FrameworkId, { ...taskOf('t'), ...task });
  const summary = (command: CommandInfo | undefined) => {
    const { command: _, ...bare } = taskOf('t');
    return commandExecutorInfo('f' as FrameworkId, { ...bare, ...(command && { command }) }).name;
  };
  const named = (what: string) => `Command Executor (Task: t) (Command: ${what})`;
  const table: readonly (readonly [CommandInfo | undefined, string])[] = [
    [undefined, 'NO COMMAND'],
    [{}, 'NO COMMAND'],
    [{ value: '123456789012345' }, "sh -c '123456789012345'"],
    [{ value: '1234567890123456' }, "sh -c '123456789012...'"],
    [{ shell: true, value: 'x' }, "sh -c 'x'"],
    [{ shell: false }, 'NO EXECUTABLE'],
    [{ shell: false, value: 'x' }, '[x]'],
    [{ shell: false, value: 'x', arguments: ['y', 'z'] }, '[x, y, z]'],
    [{ shell: false, value: 'x', arguments: ['123456789012345'] }, '[x, 123456789...]'],
  ];
  for (const [command, wanted] of table) assert.equal(summary(command), named(wanted));
  const role = { allocation_info: { role: 'web' } };
  const scalar = (name: string, value: number) => ({ name, type: 'SCALAR', scalar: { value } });
  assert.deepEqual(info({ resources: [{ ...cpus(1), ...role }] }).resources, [
    { ...scalar('cpus', 0.1), ...role },
    { ...scalar('mem', 32), ...role },
  ]);
  assert.deepEqual(info({ resources: [] }).resources, [scalar('cpus', 0.1), scalar('mem', 32)]);
  const { resources: _r, name: _n, ...bare } = info({});
  assert.deepEqual(bare, {
    executor_id: { value: 't' },
    command: { value: 'sleep 60' },
    framework_id: { value: 'f' },
    source: 't',
  });
  const {
    resources: _r2,
    name: _n2,
    command: _c2,
    ...full
  } = info({
    container: { type: 'MESOS' },
    discovery: { visibility: 'CLUSTER' },
    labels: { labels: [{ key: 'k' }] },
    kill_policy: { grace_period: { nanoseconds: 5e9 } },
  });
  assert.deepEqual(full, {
    executor_id: { value: 't' },
    framework_id: { value: 'f' },
    source: 't',
    container: { type: 'MESOS' },
    discovery: { visibility: 'CLUSTER' },
    shutdown_grace_period: { nanoseconds: 7e9 },
    labels: { labels: [{ key: 'k' }] },
  });
  assert.ok(!('shutdown_grace_period' in info({ kill_policy: {} })));
});

test('a variable without a value that the agent can provide fails the task with the reason', () => {
  const world = registeredWorld();
  const command = { value: 'x', ...commandOf({ name: 'N' }) };
  world.message({ name: 'RunTaskMessage', body: { framework: frameworkOf(), task: taskOf('a', { command }) } });
  const reported = updates(world).at(-1)?.status;
  assert.match(reported?.message ?? '', /The variable N has no value/);
  assert.equal(
    world.effects.some(({ kind }) => kind === 'launch'),
    false,
  );
});
