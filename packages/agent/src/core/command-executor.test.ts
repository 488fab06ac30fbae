import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ContainerId } from '@meseta/base';
import type { ExitStatus } from '@meseta/containers/types';
import {
  acknowledge,
  acknowledgeAll,
  containerEnded,
  containerKilled,
  containerStarted,
  ended,
  exit,
  frameworkOf,
  killTask,
  lastStatus,
  launched,
  launchFailed,
  registeredWorld,
  rejoin,
  run,
  runToRunning,
  states,
  taskOf,
  updates,
  type World,
} from './testing.js';

test('EXECUTORS-2: the life of a command task, with one update in flight at a time', () => {
  const world = registeredWorld();
  const containerId = run(world, taskOf('t'));
  containerStarted(world, containerId, 4711);
  assert.deepEqual(states(world), ['TASK_STARTING']);
  acknowledgeAll(world);
  assert.deepEqual(states(world), ['TASK_STARTING', 'TASK_RUNNING']);
  const { uuid, timestamp, ...running } = lastStatus(world);
  assert.equal(Buffer.from(uuid ?? '', 'base64').length, 16);
  assert.equal(typeof timestamp, 'number');
  assert.deepEqual(running, {
    task_id: { value: 't' },
    state: 'TASK_RUNNING',
    agent_id: { value: 'm-S0' },
    executor_id: { value: 't' },
    source: 'SOURCE_EXECUTOR',
    container_status: {
      network_infos: [{ ip_addresses: [{ ip_address: '10.0.0.7' }] }],
      executor_pid: 4711,
      container_id: { value: containerId },
    },
  });
  exit(world, containerId, 0);
  assert.equal(lastStatus(world).state, 'TASK_FINISHED');
  assert.equal(lastStatus(world).message, 'Command exited with status 0');
  assert.equal(world.core.state.frameworks.size, 1);
  acknowledgeAll(world);
  assert.equal(world.core.state.frameworks.size, 1, 'it lingers, for readers and for its next task');
  world.pass(1000);
  assert.equal(world.core.state.frameworks.size, 0);
  assert.equal(world.core.state.completedFrameworks.length, 1);
});

test('the status of a task in a network of its own has its addresses, also after a restart of the agent', () => {
  const world = registeredWorld();
  const containerId = run(world, taskOf('t'));
  const networks = [
    { name: 'n', labels: { labels: [{ key: 'k' }] }, ip_addresses: [{ protocol: 'IPv4', ip_address: '10.1.0.5' }] },
  ] as const;
  world.input({ kind: 'containerEvent', event: { kind: 'started', containerId, pid: 4711, networks } });
  acknowledgeAll(world);
  assert.deepEqual(lastStatus(world).container_status?.network_infos, networks);
  world.restart([{ containerId, state: 'running', pid: 4711, networks }]);
  rejoin(world);
  exit(world, containerId, 0);
  assert.deepEqual(lastStatus(world).container_status?.network_infos, networks);
});

test("what an engine says of a container is in the task's TASK_RUNNING, beside the id of the container", () => {
  const world = registeredWorld();
  const containerId = run(world, taskOf('t'));
  const networkInfos = [{ name: 'bridge', ip_addresses: [{ protocol: 'IPv4', ip_address: '172.17.0.2' }] }] as const;
  const facts = { data: 'W10=', networkInfos };
  world.input({ kind: 'containerEvent', event: { kind: 'started', containerId, pid: 4711, facts } });
  acknowledgeAll(world);
  const { state, data, container_status } = lastStatus(world);
  assert.deepEqual([state, data], ['TASK_RUNNING', 'W10=']);
  assert.deepEqual(container_status?.network_infos, networkInfos);
  assert.deepEqual(container_status?.container_id, { value: containerId });
});

test('the exit status of a command gives the state and the message of its last status', () => {
  const table: readonly (readonly [ExitStatus, string, string])[] = [
    [{ kind: 'exited', code: 3 }, 'TASK_FAILED', 'Command exited with status 3'],
    [{ kind: 'signaled', signal: 9 }, 'TASK_FAILED', 'Command terminated with signal Killed'],
    [{ kind: 'signaled', signal: 11 }, 'TASK_FAILED', 'Command terminated with signal Segmentation fault'],
    [{ kind: 'unknown' }, 'TASK_FAILED', 'Command ended, its exit status is not known'],
  ];
  for (const [status, state, message] of table) {
    const world = registeredWorld();
    const containerId = runToRunning(world, taskOf('t'));
    containerEnded(world, containerId, status);
    assert.deepEqual([lastStatus(world).state, lastStatus(world).message], [state, message]);
  }
});

test('a failed fetch is TASK_FAILED of the agent, without TASK_STARTING', () => {
  const world = registeredWorld();
  const containerId = run(world, taskOf('t'));
  launchFailed(world, containerId, 'http://x/y: status 404', 'fetch');
  assert.deepEqual(states(world), ['TASK_FAILED']);
  assert.equal(lastStatus(world).source, 'SOURCE_AGENT');
  assert.equal(lastStatus(world).reason, 'REASON_CONTAINER_LAUNCH_FAILED');
  assert.equal(lastStatus(world).message, 'Failed to launch container: http://x/y: status 404');
});

test('RUN-END-1: a kill sends SIGTERM and, after the grace period, SIGKILL; a later kill can only shorten the grace period', () => {
  const world = registeredWorld();
  const containerId = runToRunning(world, taskOf('t', { kill_policy: { grace_period: { nanoseconds: 10e9 } } }));
  assert.deepEqual(
    killTask(world, 't').filter((it) => it.kind === 'signal'),
    [{ kind: 'signal', containerId, signal: 15 }],
  );
  world.pass(2000);
  killTask(world, 't', 60_000);
  world.pass(1000);
  killTask(world, 't', 5000);
  const before = world.effects.length;
  world.pass(1999);
  assert(!world.effects.slice(before).some(({ kind }) => kind === 'destroy'));
  world.pass(1);
  assert(world.effects.slice(before).some(({ kind }) => kind === 'destroy'));
  containerKilled(world, containerId);
  assert.deepEqual(
    [lastStatus(world).state, lastStatus(world).message],
    ['TASK_KILLED', 'Command terminated with signal Killed'],
  );
});

test('RUN-END-2: the end that a signal causes is that of a kill, also for an agent that was killed before the end was reported to it', () => {
  for (const kill_policy of [undefined, { grace_period: { nanoseconds: 0 } }]) {
    const world = registeredWorld();
    const containerId = runToRunning(world, taskOf('t'));
    const signals = () => world.effects.filter(({ kind }) => kind === 'signal' || kind === 'destroy').length;
    world.durable = false;
    const kill = { framework_id: { value: 'f-1' }, task_id: { value: 't' }, ...(kill_policy && { kill_policy }) };
    world.message({ name: 'KillTaskMessage', body: kill });
    assert.equal(signals(), 0);
    world.flush();
    assert.equal(signals(), 1);
    world.durable = true;
    world.restart([ended(containerId, { kind: 'signaled', signal: 15 })]);
    rejoin(world);
    acknowledgeAll(world);
    assert.equal(states(world).at(-1), 'TASK_KILLED');
  }
});

test('RUN-END-2: a container that ends while the kill is written gets no signal', () => {
  const world = registeredWorld();
  const containerId = runToRunning(world, taskOf('t'));
  world.durable = false;
  killTask(world, 't');
  exit(world, containerId, 0);
  world.durable = true;
  world.flush();
  assert.ok(!world.effects.some(({ kind }) => kind === 'signal' || kind === 'destroy'));
});

test('TASK_KILLING is sent only to frameworks with the capability TASK_KILLING_STATE', () => {
  for (const knows of [false, true]) {
    const world = registeredWorld();
    const capabilities = knows ? [{ type: 'TASK_KILLING_STATE' as const }] : [];
    runToRunning(world, taskOf('t'), frameworkOf({ capabilities }));
    killTask(world, 't');
    assert.equal(states(world).includes('TASK_KILLING'), knows);
  }
});

test('a task that exits 0 after a kill is TASK_KILLED', () => {
  const world = registeredWorld();
  const containerId = runToRunning(world, taskOf('t'));
  killTask(world, 't');
  exit(world, containerId, 0);
  assert.equal(lastStatus(world).state, 'TASK_KILLED');
});

test('a task that is killed while its container is made is destroyed and reported as killed', () => {
  const world = registeredWorld();
  const containerId = run(world, taskOf('t'));
  assert.deepEqual(
    killTask(world, 't').filter((it) => it.kind === 'destroy'),
    [{ kind: 'destroy', containerId }],
  );
  containerStarted(world, containerId);
  containerKilled(world, containerId);
  assert.deepEqual(states(world), ['TASK_KILLED']);
  assert.equal(lastStatus(world).reason, 'REASON_TASK_KILLED_DURING_LAUNCH');
});

test('a task that is killed before it is on disk is never launched', () => {
  const world = registeredWorld();
  world.durable = false;
  world.message({ name: 'RunTaskMessage', body: { framework: frameworkOf(), task: taskOf('t') } });
  killTask(world, 't');
  world.flush();
  assert(!world.effects.some(({ kind }) => kind === 'launch'));
  assert.deepEqual(states(world), ['TASK_KILLED']);
});

test('a task that runs for max_completion_time is destroyed and TASK_FAILED; after a kill the time has no effect', () => {
  const world = registeredWorld();
  const limit = { max_completion_time: { nanoseconds: 5e9 } };
  const containerId = runToRunning(world, taskOf('t', limit));
  world.pass(4999);
  assert(!world.effects.some(({ kind }) => kind === 'destroy'));
  world.pass(1);
  assert(world.effects.some(({ kind }) => kind === 'destroy'));
  assert(!world.effects.some(({ kind }) => kind === 'signal'));
  containerKilled(world, containerId);
  assert.deepEqual(
    [lastStatus(world).state, lastStatus(world).reason],
    ['TASK_FAILED', 'REASON_MAX_COMPLETION_TIME_REACHED'],
  );
  const other = runToRunning(world, taskOf('u', { ...limit, kill_policy: { grace_period: { nanoseconds: 60e9 } } }));
  killTask(world, 'u');
  world.pass(30_000);
  exit(world, other, 0);
  assert.equal(lastStatus(world).state, 'TASK_KILLED');
});

const health = (changes = {}) => ({
  health_check: {
    type: 'COMMAND' as const,
    command: { value: 'true' },
    delay_seconds: 1,
    interval_seconds: 2,
    grace_period_seconds: 0,
    consecutive_failures: 2,
    ...changes,
  },
});

const probed = (world: World, containerId: ContainerId, check: 'health' | 'check', code: number) =>
  world.input({
    kind: 'probeResult',
    containerId,
    check,
    result: { kind: 'command', status: { kind: 'exited', code } },
  });

test('CHECKS-2: a health check runs after its delay and at its interval, and consecutive failures end the task', () => {
  const world = registeredWorld();
  const containerId = runToRunning(world, taskOf('t', health()));
  const probes = () => world.effects.filter(({ kind }) => kind === 'probe').length;
  world.pass(999);
  assert.equal(probes(), 0);
  world.pass(1);
  assert.equal(probes(), 1);
  probed(world, containerId, 'health', 0);
  acknowledgeAll(world);
  assert.deepEqual(
    [lastStatus(world).healthy, lastStatus(world).reason],
    [true, 'REASON_TASK_HEALTH_CHECK_STATUS_UPDATED'],
  );
  const reported = updates(world).length;
  world.pass(2000);
  assert.equal(probes(), 2);
  probed(world, containerId, 'health', 0);
  assert.equal(updates(world).length, reported, 'a repeated success is no news');
  for (const kills of [false, true]) {
    probed(world, containerId, 'health', 1);
    acknowledgeAll(world);
    assert.equal(lastStatus(world).healthy, false);
    assert.equal(
      world.effects.some(({ kind }) => kind === 'signal'),
      kills,
    );
  }
  exit(world, containerId, 0);
  assert.deepEqual(
    [lastStatus(world).state, lastStatus(world).healthy, lastStatus(world).reason],
    ['TASK_KILLED', false, undefined],
  );
});

test('health check failures count after the grace period or after the first success', () => {
  const world = registeredWorld();
  const containerId = runToRunning(world, taskOf('t', health({ grace_period_seconds: 10, consecutive_failures: 1 })));
  world.pass(9000);
  probed(world, containerId, 'health', 1);
  assert.equal(lastStatus(world).state, 'TASK_RUNNING');
  assert.equal(lastStatus(world).healthy, undefined);
  world.pass(1001);
  probed(world, containerId, 'health', 1);
  acknowledgeAll(world);
  assert.equal(lastStatus(world).healthy, false);
});

test('CHECKS-1: a task that is being ended is not probed, and results of its probes are ignored', () => {
  const world = registeredWorld();
  const tcp = { type: 'TCP' as const, tcp: { port: 1 }, delay_seconds: 1 };
  const containerId = runToRunning(world, taskOf('t', { check: tcp, health_check: tcp }));
  killTask(world, 't', 60_000);
  acknowledgeAll(world);
  const [reported, before] = [updates(world).length, world.effects.length];
  world.pass(30_000);
  for (const check of ['health', 'check'] as const) {
    world.input({ kind: 'probeResult', containerId, check, result: { kind: 'tcp', succeeded: true } });
  }
  assert.equal(updates(world).length, reported);
  assert(!world.effects.slice(before).some(({ kind }) => kind === 'probe'));
});

test('CHECKS-2: a check reports changes, and an empty status if its probe fails', () => {
  const world = registeredWorld();
  const check = {
    type: 'COMMAND' as const,
    command: { command: { value: 'exit 7' } },
    delay_seconds: 0,
    interval_seconds: 1,
  };
  const containerId = runToRunning(world, taskOf('t', { check }));
  const empty = { type: 'COMMAND', command: {} };
  assert.deepEqual(
    updates(world).map(({ status }) => status.check_status),
    [empty, empty],
  );
  for (const code of [7, 7, 8]) {
    probed(world, containerId, 'check', code);
    acknowledgeAll(world);
  }
  world.input({ kind: 'probeResult', containerId, check: 'check', result: { kind: 'timedOut' } });
  acknowledgeAll(world);
  assert.deepEqual(
    updates(world)
      .slice(2)
      .map(({ status }) => status.check_status?.command?.exit_code),
    [7, 8, undefined],
  );
});

test('EXECUTORS-3: the container of an ended task is removed from the launcher, and its sandbox when it is old enough', () => {
  const world = registeredWorld({ gcDelayMs: 600_000 });
  const containerId = runToRunning(world, taskOf('t'));
  const path = `/var/meseta/slaves/m-S0/frameworks/f-1/executors/t/runs/${containerId}`;
  assert(exit(world, containerId, 0).some(({ kind }) => kind === 'removeContainer'));
  acknowledgeAll(world);
  const usage = (usedShare: number) => world.input({ kind: 'diskUsage', usedShare });
  world.pass(300_000);
  assert(!usage(0.3).some(({ kind }) => kind === 'removeSandbox'));
  const removal = { kind: 'removeSandbox', containerId, path } as const;
  assert.deepEqual(
    usage(0.5).filter(({ kind }) => kind === 'removeSandbox'),
    [removal],
  );
  assert.equal(usage(0.5).length, 0, 'a removal under way is not begun again');
  world.input({ kind: 'sandboxRemoved', containerId, error: undefined });
  assert.deepEqual([...world.disk.keys()], ['agent']);
});

test('a task of a framework that does not checkpoint is launched at once and not written', () => {
  const world = registeredWorld();
  world.durable = false;
  const framework = frameworkOf({ checkpoint: false });
  const effects = world.message({ name: 'RunTaskMessage', body: { framework, task: taskOf('t') } });
  const containerId = launched(effects);
  containerStarted(world, containerId);
  assert.deepEqual(states(world), ['TASK_STARTING']);
  world.flush();
  assert.deepEqual([...world.disk.keys()].sort(), ['agent', `sandbox/${containerId}`]);
});

test('an acknowledgement of an unknown update changes nothing', () => {
  const world = registeredWorld();
  const containerId = run(world, taskOf('t'));
  containerStarted(world, containerId);
  const [first] = updates(world);
  assert(first !== undefined);
  acknowledge(world, { ...first, uuid: 'AAAAAAAAAAAAAAAAAAAAAA==' });
  assert.deepEqual(states(world), ['TASK_STARTING']);
  acknowledge(world, first);
  acknowledge(world, first);
  assert.deepEqual(states(world), ['TASK_STARTING', 'TASK_RUNNING']);
});
