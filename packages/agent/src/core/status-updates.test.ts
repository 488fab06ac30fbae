import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ContainerId, TaskId } from '@meseta/base';
import type { ExitStatus } from '@meseta/containers/types';
import type { FrameworkInfo, StatusUpdate } from '@meseta/wire';
import fc from 'fast-check';
import { executorCall } from './testing/calls.js';
import {
  acknowledge,
  alive,
  containerKilled,
  containerStarted,
  ended,
  exit,
  frameworkIn,
  frameworkOf,
  MASTER,
  registeredWorld,
  rejoin,
  run,
  sentOf,
  states,
  taskOf,
  updates,
  type World,
} from './testing.js';

test('STATUS-UPDATES-3: an unacknowledged update is sent again after 10 s, 20 s, 40 s ... at most 10 min', () => {
  const world = registeredWorld();
  containerStarted(world, run(world, taskOf('t')));
  const uuid = updates(world)[0]?.uuid;
  const at: number[] = [world.nowMs];
  for (let i = 0; i < 9; i++) {
    const before = updates(world).length;
    while (updates(world).length === before) {
      // The master's pings keep the registration alive.
      world.pass(1000);
      world.message({ name: 'PingAgentMessage', body: { connected: true } });
    }
    at.push(world.nowMs);
    assert.equal(updates(world).at(-1)?.uuid, uuid);
  }
  const pauses = at.slice(1).map((time, i) => Math.round((time - (at[i] as number)) / 1000));
  assert.deepEqual(pauses, [10, 20, 40, 80, 160, 320, 600, 600, 600]);
});

test('an UpdateFrameworkMessage sends the first update of every stream again and restarts the pauses', () => {
  const world = registeredWorld();
  containerStarted(world, run(world, taskOf('t')));
  world.pass(35_000);
  assert.equal(updates(world).length, 3);
  world.message({ name: 'UpdateFrameworkMessage', body: { framework_id: { value: 'other' } } });
  assert.equal(updates(world).length, 4);
  world.pass(10_000);
  assert.equal(updates(world).length, 5);
});

test('STATUS-UPDATES-2: an update of a checkpointing framework is on disk before it is sent', () => {
  const world = registeredWorld();
  const containerId = run(world, taskOf('t'));
  world.durable = false;
  containerStarted(world, containerId);
  assert.deepEqual(states(world), []);
  world.flush();
  assert.deepEqual(states(world), ['TASK_STARTING']);
});

test('STATUS-UPDATES-2: an acknowledgement of an update that is not on disk yet has no effect', () => {
  const world = registeredWorld();
  const containerId = run(world, taskOf('t'));
  world.durable = false;
  containerStarted(world, containerId);
  const streamOf = () => frameworkIn(world)?.streams.get('t' as TaskId);
  const [first, second] = streamOf()?.updates ?? [];
  assert.ok(first && second);
  acknowledge(world, first);
  assert.equal(streamOf()?.updates.length, 2);
  world.flush();
  acknowledge(world, first);
  assert.deepEqual(streamOf()?.updates, [second]);
});

test('STATUS-UPDATES-5: the acknowledgement of a terminal update closes the stream with the updates behind it', () => {
  const world = registeredWorld();
  const framework = frameworkOf({ checkpoint: false });
  const executor = { executor_id: { value: 'e' }, command: { value: './e' } };
  const { command: _command, ...task } = taskOf('t', { executor });
  containerStarted(world, run(world, task, framework));
  executorCall(world, 'c1', { type: 'SUBSCRIBE', subscribe: {} });
  for (const state of ['TASK_FINISHED', 'TASK_RUNNING'] as const) {
    executorCall(world, 'c2', {
      type: 'UPDATE',
      update: { status: { task_id: { value: 't' }, state, uuid: `${state}==` } },
    });
  }
  const [finished] = updates(world);
  assert.ok(finished);
  acknowledge(world, finished);
  world.pass(60_000);
  assert.deepEqual(states(world), ['TASK_FINISHED']);
  assert.equal(frameworkIn(world)?.streams.size, 0);
});

test('each update contains the latest state of its task', () => {
  const world = registeredWorld();
  const containerId = run(world, taskOf('t'));
  containerStarted(world, containerId);
  exit(world, containerId, 0);
  world.pass(10_000);
  const last = updates(world).at(-1);
  assert.deepEqual([last?.status.state, last?.latest_state], ['TASK_STARTING', 'TASK_FINISHED']);
});

test('a shutdown of the framework ends its tasks without status updates', () => {
  const world = registeredWorld();
  const containerId = run(world, taskOf('t'));
  containerStarted(world, containerId);
  world.message({ name: 'ShutdownFrameworkMessage', body: { framework_id: { value: 'f-1' } } });
  assert(world.effects.some(({ kind }) => kind === 'signal'));
  const reported = updates(world).length;
  world.pass(30_000);
  assert(world.effects.some(({ kind }) => kind === 'destroy'));
  containerKilled(world, containerId);
  world.pass(30_000);
  assert.equal(updates(world).length, reported);
  assert.equal(world.core.state.frameworks.size, 0);
  assert(![...world.disk.keys()].some((key) => /^(task|executor|framework)/.test(key)));
});

test('STATUS-UPDATES-6: a task for a framework that is being shut down is refused once, at launch and when asked for', () => {
  for (const [aware, state] of [
    [true, 'TASK_DROPPED'],
    [false, 'TASK_LOST'],
  ] as const) {
    const world = registeredWorld();
    const framework = frameworkOf(aware ? {} : { capabilities: [] });
    const containerId = run(world, taskOf('t'), framework);
    containerStarted(world, containerId);
    world.message({ name: 'ShutdownFrameworkMessage', body: { framework_id: { value: 'f-1' } } });
    const reported = updates(world).length;
    world.message({ name: 'RunTaskMessage', body: { framework, task: taskOf('late') } });
    rejoinWith(world, framework, 'lost');
    world.pass(30_000);
    assert.deepEqual(
      updates(world)
        .slice(reported)
        .map(({ status }) => [status.task_id.value, status.state, status.reason]),
      [
        ['late', state, 'REASON_FRAMEWORK_REMOVED'],
        ['lost', state, 'REASON_RECONCILIATION'],
      ],
    );
    exit(world, containerId, 0);
    assert.equal(world.core.state.frameworks.size, 0);
  }
});

/** The agent registers again at a master that knows of a task which the agent lacks. */
function rejoinWith(world: World, framework: FrameworkInfo, taskId: string): void {
  world.input({ kind: 'masterDetected', master: undefined });
  world.input({ kind: 'masterDetected', master: MASTER });
  world.pass(1000);
  const status = { task_id: { value: taskId }, state: 'TASK_LOST' as const };
  const body = {
    agent_id: { value: 'm-S0' },
    reconciliations: [{ framework, framework_id: { value: 'f-1' }, statuses: [status] }],
  };
  world.message({ name: 'AgentReregisteredMessage', body });
}

/** What happens to a task while its updates are under way. */
type Event =
  | { readonly kind: 'pass'; readonly ms: number }
  | { readonly kind: 'acknowledge' }
  | { readonly kind: 'acknowledgeAgain' }
  | { readonly kind: 'restart' }
  | { readonly kind: 'masterLost' }
  | { readonly kind: 'health'; readonly healthy: boolean }
  | { readonly kind: 'exit' };

const events = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constant('pass' as const), ms: fc.integer({ min: 0, max: 50_000 }) }),
    fc.record({ kind: fc.constant('acknowledge' as const) }),
    fc.record({ kind: fc.constant('acknowledgeAgain' as const) }),
    fc.record({ kind: fc.constant('restart' as const) }),
    fc.record({ kind: fc.constant('masterLost' as const) }),
    fc.record({ kind: fc.constant('health' as const), healthy: fc.boolean() }),
    fc.record({ kind: fc.constant('exit' as const) }),
  ) as fc.Arbitrary<Event>,
  { maxLength: 40 },
);

/** A scheduler that receives some of the updates and acknowledges these. */
interface Listener {
  /** In the order in which they were first acknowledged. */
  readonly received: StatusUpdate[];
  read: number;
}

function listen(world: World, listener: Listener, drops: (n: number) => boolean): void {
  for (; listener.read < updates(world).length; listener.read++) {
    if (drops(listener.read)) continue;
    const update = updates(world)[listener.read] as StatusUpdate;
    if (!listener.received.some(({ uuid }) => uuid === update.uuid)) listener.received.push(update);
    acknowledge(world, update);
  }
}

test('STATUS-UPDATES-1: every update arrives in order whatever messages are lost and whichever process restarts', () => {
  fc.assert(
    fc.property(events, fc.infiniteStream(fc.boolean()), (script, losses) => {
      const lost: boolean[] = [];
      const drops = (n: number): boolean => {
        while (lost.length <= n) lost.push(losses.next().value as boolean);
        return lost[n] as boolean;
      };
      const world = registeredWorld();
      const check = {
        health_check: {
          type: 'COMMAND' as const,
          command: { value: 'true' },
          grace_period_seconds: 0,
          consecutive_failures: 1000,
        },
      };
      const containerId = run(world, taskOf('t', check), frameworkOf());
      containerStarted(world, containerId);
      const listener: Listener = { received: [], read: 0 };
      let ended = false;
      const made = (): readonly string[] => {
        const record = frameworkIn(world)?.tasks.get('t' as TaskId);
        return record?.task.statuses?.map(({ uuid }) => uuid ?? '') ?? [];
      };
      const all: string[] = [...made()];
      for (const event of script) {
        step(world, event, containerId, listener, drops, ended);
        ended ||= event.kind === 'exit';
        for (const uuid of made()) if (!all.includes(uuid)) all.push(uuid);
      }
      if (!ended) step(world, { kind: 'exit' }, containerId, listener, drops, false);
      for (const uuid of made()) if (!all.includes(uuid)) all.push(uuid);
      for (let i = 0; i < 200 && world.core.state.frameworks.size > 0; i++) {
        world.pass(10_000);
        world.message({ name: 'PingAgentMessage', body: { connected: true } });
        if (!world.core.state.registration.registered) rejoin(world);
        listen(world, listener, () => false);
      }
      assert.equal(world.core.state.frameworks.size, 0, 'everything was acknowledged');
      assert.deepEqual(
        listener.received.map(({ uuid }) => uuid),
        all,
      );
    }),
    { numRuns: 150 },
  );
});

function step(
  world: World,
  event: Event,
  containerId: ContainerId,
  listener: Listener,
  drops: (n: number) => boolean,
  ended: boolean,
): void {
  switch (event.kind) {
    case 'pass':
      world.pass(event.ms);
      return;
    case 'acknowledge':
      listen(world, listener, drops);
      return;
    case 'acknowledgeAgain':
      for (const update of listener.received) acknowledge(world, update);
      return;
    case 'restart':
      world.restart(ended ? [] : [alive(containerId)]);
      rejoin(world);
      return;
    case 'masterLost':
      world.input({ kind: 'masterDetected', master: undefined });
      rejoin(world);
      return;
    case 'health':
      world.input({
        kind: 'probeResult',
        containerId,
        check: 'health',
        result: { kind: 'command', status: { kind: 'exited', code: event.healthy ? 0 : 1 } },
      });
      return;
    case 'exit':
      if (ended) return;
      world.input({
        kind: 'containerEvent',
        event: { kind: 'exited', containerId, status: { kind: 'exited', code: 0 } },
      });
      return;
  }
}

type CrashEvent = 'write' | 'writeOne' | 'crash' | 'started' | 'exit' | 'pass' | 'acknowledge';

const crashEvents = fc.array(
  fc.constantFrom<CrashEvent>('write', 'writeOne', 'crash', 'started', 'exit', 'pass', 'acknowledge'),
  { maxLength: 30 },
);

/** The containers of the host, which outlive the agent's process: one, as the launcher would know it. */
interface Launcher {
  container: 'none' | 'launched' | 'running' | 'ended';
  id: ContainerId | undefined;
  seen: number;
}

/** What the effects since the last look did to the container. */
function follow(world: World, launcher: Launcher): void {
  for (; launcher.seen < world.effects.length; launcher.seen++) {
    const effect = world.effects[launcher.seen];
    if (effect?.kind === 'launch') {
      assert.equal(launcher.container, 'none', 'nothing is launched twice');
      launcher.id = effect.spec.containerId;
      launcher.container = 'launched';
    }
    if (effect?.kind === 'removeContainer') launcher.container = 'none';
  }
}

function crash(world: World, launcher: Launcher): void {
  const { id, container } = launcher;
  world.durable = true;
  if (id === undefined || container === 'none') world.restart([]);
  else if (container === 'ended') {
    world.restart([ended(id, { kind: 'exited', code: 0 })]);
  } else {
    launcher.container = 'running';
    world.restart([alive(id)]);
  }
  follow(world, launcher);
  rejoin(world);
  world.durable = false;
}

function crashStep(world: World, launcher: Launcher, listener: Listener, event: CrashEvent): void {
  const { id, container } = launcher;
  if (event === 'write') world.flush();
  else if (event === 'writeOne') world.flush(1);
  else if (event === 'crash') crash(world, launcher);
  else if (event === 'pass') {
    world.pass(12_000);
    // The master is there all the time: without its pings the agent would register anew.
    world.message({ name: 'PingAgentMessage', body: { connected: true } });
  } else if (event === 'acknowledge') listen(world, listener, () => false);
  else if (event === 'started' && container === 'launched' && id !== undefined) {
    launcher.container = 'running';
    containerStarted(world, id);
  } else if (event === 'exit' && container === 'running' && id !== undefined) {
    launcher.container = 'ended';
    const status: ExitStatus = { kind: 'exited', code: 0 };
    world.input({ kind: 'containerEvent', event: { kind: 'exited', containerId: id, status } });
  }
  follow(world, launcher);
}

test('if the agent ends before or after any write, a launched task runs once and its exit status is reported once', () => {
  fc.assert(
    fc.property(crashEvents, (script) => {
      const world = registeredWorld();
      const launcher: Launcher = { container: 'none', id: undefined, seen: world.effects.length };
      const listener: Listener = { received: [], read: 0 };
      world.durable = false;
      world.message({ name: 'RunTaskMessage', body: { framework: frameworkOf(), task: taskOf('t') } });
      for (const event of script) crashStep(world, launcher, listener, event);
      for (let i = 0; i < 60; i++) {
        for (const event of ['write', 'started', 'exit', 'pass', 'acknowledge'] as const) {
          crashStep(world, launcher, listener, event);
        }
      }
      assert.equal(world.core.state.frameworks.size, 0, 'no framework remains');
      const reported = listener.received.map(({ status }) => status.state);
      // An agent that is killed before it has written the launch never had the task; the master finds out by reconciliation.
      if (launcher.id === undefined) assert(['', 'TASK_DROPPED'].includes(reported.join()), reported.join());
      else assert.deepEqual(reported, ['TASK_STARTING', 'TASK_RUNNING', 'TASK_FINISHED']);
    }),
    { numRuns: 300 },
  );
});

test('a second launch with an id in use does not affect the first task', () => {
  const world = registeredWorld();
  run(world, taskOf('t'));
  world.message({ name: 'RunTaskMessage', body: { framework: frameworkOf(), task: taskOf('t') } });
  assert.equal(sentOf(world, 'StatusUpdateMessage').length, 0);
  assert.equal(world.effects.filter(({ kind }) => kind === 'launch').length, 1);
});
