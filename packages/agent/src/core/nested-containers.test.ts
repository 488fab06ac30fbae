// Containers that are launched by calls (Mesos' docs/standalone-container.md, docs/nested-container-and-task-group.md).
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ContainerId, type ExecutorId, LIMITS, type TaskId } from '@meseta/base';
import type { AgentCall, ContainerID } from '@meseta/wire';
import type { AgentEffect, ConnectionId } from './io.js';
import { callRepliesOf, containerCall } from './testing/calls.js';
import {
  acknowledgeAll,
  alive,
  containerKilled,
  containerStarted,
  ended,
  exit,
  frameworkIn,
  frameworkOf,
  launched,
  launchFailed,
  registeredWorld,
  runToRunning,
  sandboxesRemovedFor,
  taskOf,
  type World,
} from './testing.js';

const launchSolo = (world: World, container_id: ContainerID = { value: 'solo' }) =>
  containerCall(world, {
    type: 'LAUNCH_CONTAINER',
    launch_container: { container_id, command: { value: 'sleep 60' } },
  });

const statusesOf = (effects: readonly AgentEffect[]) => callRepliesOf(effects).map(({ status }) => status);

const wait = (world: World, container_id: ContainerID) =>
  containerCall(world, { type: 'WAIT_CONTAINER', wait_container: { container_id } }, 'w');
const remove = (world: World, container_id: ContainerID) =>
  containerCall(world, { type: 'REMOVE_CONTAINER', remove_container: { container_id } });

test('NESTED-2: a standalone container is launched once, waited for, and removed when it has ended', () => {
  const world = registeredWorld();
  const solo = { value: 'solo' };
  const containerId = launched(launchSolo(world));
  assert.deepEqual(statusesOf(containerStarted(world, containerId)), [200]);
  assert.deepEqual(statusesOf(launchSolo(world)), [202]);
  assert.deepEqual(statusesOf(wait(world, solo)), []);
  assert.deepEqual(statusesOf(remove(world, solo)), [500]);
  const kill = containerCall(world, { type: 'KILL_CONTAINER', kill_container: { container_id: solo } });
  assert(kill.some((it) => it.kind === 'destroy' && it.containerId === containerId));
  const [answer] = callRepliesOf(containerKilled(world, containerId));
  assert.deepEqual(answer?.response, { type: 'WAIT_CONTAINER', wait_container: { exit_status: 9 } });
  assert.deepEqual(statusesOf(wait(world, solo)), [404], 'its end was reported');
  assert.deepEqual(statusesOf(remove(world, solo)), [200]);
  assert.deepEqual(statusesOf(remove(world, solo)), [200]);
  assert(![...world.disk.keys()].some((key) => key.startsWith('nested-container/')));
});

test('KILL_CONTAINER with another signal than SIGKILL signals the container', () => {
  const world = registeredWorld();
  const containerId = launched(launchSolo(world));
  containerStarted(world, containerId);
  const kill = { container_id: { value: 'solo' }, signal: 15 };
  const effects = containerCall(world, { type: 'KILL_CONTAINER', kill_container: kill });
  assert(effects.some((it) => it.kind === 'signal' && it.containerId === containerId && it.signal === 15));
});

test('NESTED-1: a nested container is launched when it is on disk; a failed launch is reported and its record deleted', () => {
  const world = registeredWorld();
  world.durable = false;
  assert(!launchSolo(world).some(({ kind }) => kind === 'launch'));
  world.durable = true;
  world.flush();
  const containerId = launched(world.effects);
  const [answer] = callRepliesOf(launchFailed(world, containerId, 'no such user'));
  assert.equal(answer?.status, 400);
  assert.match(answer?.text ?? '', /no such user/);
  assert.equal(world.core.state.nestedContainers.size, 0);
});

test('NESTED-3: a nested container needs its running task, is in its sandbox and ends with it', () => {
  const world = registeredWorld();
  const id = { value: 'dbg', parent: { value: 'nobody' } };
  assert.deepEqual(statusesOf(launchSolo(world, id)), [400]);
  const task = runToRunning(world, taskOf('t'));
  const nested = { value: 'dbg', parent: { value: task } };
  const effects = launchSolo(world, nested);
  const launch = effects.find(({ kind }) => kind === 'launch');
  assert(launch?.kind === 'launch');
  const framework = frameworkIn(world);
  const sandbox = framework?.executors.get('t' as ExecutorId)?.sandbox;
  assert.equal(launch.spec.sandbox, `${sandbox}/containers/dbg`);
  containerStarted(world, launch.spec.containerId);
  const ending = exit(world, task, 0);
  assert(ending.some((it) => it.kind === 'destroy' && it.containerId === launch.spec.containerId));
  acknowledgeAll(world);
});

test('SANDBOXES-2: a sandbox stays until every container nested in it has ended, however full the disk', () => {
  const world = registeredWorld();
  const task = runToRunning(world, taskOf('t'));
  const nested = launched(launchSolo(world, { value: 'dbg', parent: { value: task } }));
  containerStarted(world, nested);
  exit(world, task, 0);
  acknowledgeAll(world);
  assert.deepEqual(sandboxesRemovedFor(world), []);
  containerKilled(world, nested);
  assert.deepEqual(sandboxesRemovedFor(world), [task]);
});

test('NESTED-3: a container nested in one without a record is destroyed after a restart', () => {
  const world = registeredWorld();
  const task = runToRunning(world, taskOf('t'), frameworkOf({ checkpoint: false }));
  const nested = launched(launchSolo(world, { value: 'dbg', parent: { value: task } }));
  containerStarted(world, nested);
  for (const containers of [[task, nested], [nested]]) {
    world.effects.length = 0;
    world.restart(containers.map((containerId) => alive(containerId)));
    const destroyed = world.effects.flatMap((effect) => (effect.kind === 'destroy' ? [effect.containerId] : []));
    assert.deepEqual(destroyed, containers);
  }
  containerKilled(world, nested);
  assert.equal(world.core.state.nestedContainers.size, 0);
});

test('a container is not removed while one that is nested in it ends', () => {
  const world = registeredWorld();
  const task = runToRunning(world, taskOf('t'));
  const outer = { value: 'outer', parent: { value: task } };
  const parent = launched(launchSolo(world, outer));
  containerStarted(world, parent);
  const child = launched(launchSolo(world, { value: 'in', parent: outer }));
  containerStarted(world, child);
  containerKilled(world, parent);
  assert.deepEqual(statusesOf(remove(world, outer)), [500]);
  containerKilled(world, child);
  assert.deepEqual(statusesOf(remove(world, outer)), [200]);
});

test('container ids that are no valid names of directories are refused', () => {
  const world = registeredWorld();
  for (const value of ['', '..', 'a/b', 'a b', '.hidden']) {
    assert.deepEqual(statusesOf(launchSolo(world, { value })), [400], value);
  }
});

test('NESTED-1: a standalone container continues across a restart of the agent, and its exit status is known', () => {
  const world = registeredWorld();
  const containerId = launched(launchSolo(world));
  containerStarted(world, containerId);
  world.restart([alive(containerId)]);
  assert(!world.effects.some(({ kind }) => kind === 'destroy'));
  assert.deepEqual(statusesOf(launchSolo(world)), [202]);
  world.restart([ended(containerId, { kind: 'exited', code: 3 })]);
  const [answer] = callRepliesOf(wait(world, { value: 'solo' }));
  assert.deepEqual(answer?.response?.wait_container, { exit_status: 3 << 8 });
});

test('NESTED-2: the end of a standalone container is reported to the first WAIT after it, once', () => {
  const world = registeredWorld();
  const containerId = launched(launchSolo(world));
  containerStarted(world, containerId);
  containerKilled(world, containerId);
  world.restart([]);
  assert.deepEqual(statusesOf(wait(world, { value: 'solo' })), [200]);
  world.restart([]);
  assert.deepEqual(statusesOf(wait(world, { value: 'solo' })), [404]);
});

const specsOf = (effects: readonly AgentEffect[]) => effects.flatMap((it) => (it.kind === 'launch' ? [it.spec] : []));

const nest = (world: World, container_id: ContainerID, user?: string) => {
  const command = { value: 'sleep 60', ...(user === undefined ? {} : { user }) };
  const effects = containerCall(world, {
    type: 'LAUNCH_NESTED_CONTAINER',
    launch_nested_container: { container_id, command },
  });
  const [spec] = specsOf(effects);
  assert.ok(spec);
  containerStarted(world, spec.containerId);
  return spec;
};

test("a nested container runs as its parent's user at any depth and after a restart, unless it names one", () => {
  const world = registeredWorld({ switchUser: true });
  const task = taskOf('t', { command: { value: 'sleep 60', user: 'nobody' } });
  const value = runToRunning(world, task);
  const child = { value: 'child', parent: { value } };
  const childSpec = nest(world, child);
  assert.equal(childSpec.user, 'nobody');
  const grandchild = { value: 'grandchild', parent: child };
  assert.equal(nest(world, grandchild).user, 'nobody');
  const named = { value: 'named', parent: child };
  assert.equal(nest(world, named, 'web').user, 'web');
  assert.equal(nest(world, { value: 'in-named', parent: named }).user, 'web');
  const running = [value, ...[...world.core.state.nestedContainers.values()].map(({ record }) => record.containerId)];
  world.restart(
    running.map((containerId, pid) => ({ containerId: containerId as ContainerId, state: 'running', pid })),
  );
  assert.equal(nest(world, { value: 'later', parent: grandchild }).user, 'nobody');
  assert.equal(nest(world, { value: 'later-in-named', parent: named }).user, 'web');
});

test('a record from before users were kept has the user of its parent', () => {
  const world = registeredWorld({ switchUser: true });
  const value = runToRunning(world, taskOf('t', { command: { value: 'sleep 60', user: 'nobody' } }));
  const child = { value: 'child', parent: { value } };
  nest(world, child);
  for (const nested of world.core.state.nestedContainers.values()) {
    const { user: _, ...record } = nested.record;
    world.core.state.nestedContainers.set(`${value}/child`, { ...nested, record });
  }
  assert.equal(nest(world, { value: 'grandchild', parent: child }).user, 'nobody');
});

test('without switch_user no container gets a user', () => {
  const world = registeredWorld({ switchUser: false });
  const value = runToRunning(world, taskOf('t', { command: { value: 'sleep 60', user: 'nobody' } }));
  assert.equal(nest(world, { value: 'child', parent: { value } }, 'web').user, undefined);
});

test("NESTED-5: a standalone container can't have the id of a task's container", () => {
  const world = registeredWorld();
  const value = runToRunning(world, taskOf('t'));
  const effects = launchSolo(world, { value });
  assert.deepEqual(statusesOf(effects), [202]);
  assert.ok(effects.every(({ kind }) => kind !== 'launch'));
});

type Act = 'launch' | 'wait' | 'kill' | 'remove' | 'attach';

/** The status of the answer; undefined: the call waits. */
function respondTo(world: World, act: Act, container_id: ContainerID): number | undefined {
  const calls: { readonly [key in Act]: AgentCall } = {
    launch: { type: 'LAUNCH_NESTED_CONTAINER', launch_nested_container: { container_id } },
    wait: { type: 'WAIT_NESTED_CONTAINER', wait_nested_container: { container_id } },
    kill: { type: 'KILL_NESTED_CONTAINER', kill_nested_container: { container_id } },
    remove: { type: 'REMOVE_NESTED_CONTAINER', remove_nested_container: { container_id } },
    attach: { type: 'ATTACH_CONTAINER_OUTPUT', attach_container_output: { container_id } },
  };
  return statusesOf(containerCall(world, calls[act]))[0];
}

const ACTS = ['launch', 'wait', 'kill', 'remove', 'attach'] as const;

const answersTo = (make: () => World, id: ContainerID, acts: readonly Act[]) =>
  Object.fromEntries(acts.map((act) => [act, respondTo(make(), act, id)]));

test('the replies to calls for unknown, running and ended nested containers', () => {
  let parent = '';
  const world = (): World => {
    const made = registeredWorld();
    parent = runToRunning(made, taskOf('t'));
    return made;
  };
  world();
  const nested = { value: 'n', parent: { value: parent } };
  const running = (): World => {
    const made = world();
    nest(made, nested);
    return made;
  };
  const ended = (): World => {
    const made = world();
    containerKilled(made, nest(made, nested).containerId);
    return made;
  };
  const elsewhere = { value: 'n', parent: { value: 'nobody' } };
  const inElsewhere = { value: 'n', parent: { value: 'c', parent: { value: parent } } };
  const none = { launch: 400, wait: 400, kill: 400, remove: 400 };
  const cases: readonly (readonly [string, () => World, ContainerID, Readonly<Record<string, number | undefined>>])[] =
    [
      ['without a parent', world, { value: 'n' }, none],
      ['an id that is none', world, { value: 'a.b', parent: { value: parent } }, { ...none, attach: 400 }],
      ['in no container', world, elsewhere, { launch: 400, wait: 404, kill: 404, remove: 500, attach: 404 }],
      [
        'in a nested one that is not here',
        world,
        inElsewhere,
        { launch: 400, wait: 404, kill: 404, remove: 200, attach: 500 },
      ],
      ['never launched', world, nested, { wait: 404, kill: 404, remove: 200, attach: 500 }],
      ['running', running, nested, { launch: 202, wait: undefined, kill: 200, remove: 500, attach: 500 }],
      ['ended', ended, nested, { launch: undefined, wait: 200, kill: 404, remove: 200, attach: 500 }],
    ];
  for (const [what, make, id, expected] of cases) {
    const acts = ACTS.filter((act) => act in expected);
    assert.deepEqual(answersTo(make, id, acts), expected, what);
  }
});

test('WAIT and KILL calls accept the container of a task', () => {
  const world = registeredWorld();
  const value = runToRunning(world, taskOf('t'));
  const launch = { container_id: { value }, command: { value: 'true' } };
  assert.deepEqual(statusesOf(containerCall(world, { type: 'LAUNCH_CONTAINER', launch_container: launch })), [202]);
  assert.deepEqual(statusesOf(remove(world, { value })), [500]);
  const effects = containerCall(world, { type: 'KILL_CONTAINER', kill_container: { container_id: { value } } });
  assert.deepEqual(statusesOf(effects), [200]);
  assert(effects.some((it) => it.kind === 'destroy' && it.containerId === value));
});

test('NESTED-2: the exit status of a nested container is kept until the outermost container has ended', () => {
  const world = registeredWorld();
  const root = runToRunning(world, taskOf('t'));
  const outer = { value: 'outer', parent: { value: root } };
  const inner = { value: 'inner', parent: outer };
  const outerId = nest(world, outer).containerId;
  const innerId = nest(world, inner).containerId;
  containerKilled(world, innerId);
  containerKilled(world, outerId);
  assert.deepEqual([respondTo(world, 'wait', inner), respondTo(world, 'wait', outer)], [200, 200]);
  assert.equal(respondTo(world, 'remove', outer), 200);
  assert.equal(respondTo(world, 'wait', inner), 404, 'removed with the container around it');
  const late = { value: 'late', parent: { value: root } };
  const lateId = nest(world, late).containerId;
  assert.equal(respondTo(world, 'wait', late), undefined);
  exit(world, root, 0);
  assert.deepEqual(statusesOf(containerKilled(world, lateId)), [200], 'the waiting call is answered');
  assert.equal(respondTo(world, 'wait', late), 404);
  assert.equal(world.core.state.nestedContainers.size, 0);
  acknowledgeAll(world);
});

test('NESTED-4: the id of an ended container can be launched again', () => {
  const world = registeredWorld();
  const parent = { value: runToRunning(world, taskOf('t')) };
  const id = { value: 'again', parent };
  const first = nest(world, id);
  containerKilled(world, first.containerId);
  const second = nest(world, id);
  assert.notEqual(second.containerId, first.containerId);
  assert.equal(second.sandbox, first.sandbox);
  assert.equal(respondTo(world, 'wait', id), undefined);
});

test("NESTED-5: no container is launched with the id of a task's container before it runs and while it ends", () => {
  const world = registeredWorld();
  const body = {
    framework: frameworkOf(),
    executor: { type: 'DEFAULT', executor_id: { value: 'pod' } } as const,
    task_group: { tasks: [taskOf('t')] },
  };
  const value = launched(world.message({ name: 'RunTaskGroupMessage', body }));
  const parent = { value: frameworkIn(world)?.podTasks.get('t' as TaskId)?.parent ?? '' };
  const solo = launched(
    world.message({ name: 'RunTaskMessage', body: { framework: frameworkOf(), task: taskOf('u') } }),
  );
  for (const container_id of [{ value, parent }, { value: solo }, parent]) {
    const effects = containerCall(world, {
      type: 'LAUNCH_CONTAINER',
      launch_container: { container_id, command: { value: 'x' } },
    });
    assert.deepEqual([statusesOf(effects), specsOf(effects)], [[202], []]);
  }
});

test('a failed nested launch gets 400 and keeps an exit status like one that ran', () => {
  const world = registeredWorld();
  const id = { value: 'n', parent: { value: runToRunning(world, taskOf('t')) } };
  const effects = containerCall(world, {
    type: 'LAUNCH_NESTED_CONTAINER',
    launch_nested_container: { container_id: id },
  });
  const [spec] = specsOf(effects);
  assert.ok(spec);
  const { containerId } = spec;
  assert.deepEqual(statusesOf(launchFailed(world, containerId, 'no such user')), [400]);
  assert.equal(respondTo(world, 'wait', id), 200);
});

test("resources and cgroup settings that a container can't have get 400", () => {
  const cpus = { name: 'cpus', type: 'SCALAR', scalar: { value: 1 } } as const;
  const reserved = { ...cpus, reservations: [{ type: 'DYNAMIC', role: 'r' }] } as const;
  const solo = { value: 'solo' };
  const deep = { value: 'deep', parent: { value: 'a', parent: { value: 'b' } } };
  const container = (share_cgroups: boolean) => ({ type: 'MESOS', linux_info: { share_cgroups } }) as const;
  const cases: readonly (readonly [AgentCall['launch_container'], RegExp])[] = [
    [{ container_id: solo, resources: [reserved] }, /resources: expected neither reserved/],
    [{ container_id: solo, resources: [{ ...cpus, revocable: {} }] }, /nor revocable/],
    [{ container_id: solo, resources: [{ ...cpus, scalar: { value: -1 } }] }, /resources\[0\]/],
    [{ container_id: solo, container: container(true) }, /share_cgroups: must not be true/],
    [{ container_id: deep, resources: [cpus] }, /resources: must not be set/],
    [{ container_id: deep, container: container(false) }, /share_cgroups: must not be false/],
  ];
  for (const [launch_container, text] of cases) {
    const [answer] = callRepliesOf(
      containerCall(registeredWorld(), { type: 'LAUNCH_CONTAINER', launch_container } as AgentCall),
    );
    assert.equal(answer?.status, 400, String(text));
    assert.match(answer?.text ?? '', text);
  }
});

test("WAIT_CONTAINER of a task's container is answered with its exit status", () => {
  const world = registeredWorld();
  const containerId = runToRunning(world, taskOf('t'));
  assert.deepEqual(statusesOf(wait(world, { value: containerId })), []);
  const [answer, ...more] = callRepliesOf(exit(world, containerId, 3));
  assert.deepEqual(answer?.response, { type: 'WAIT_CONTAINER', wait_container: { exit_status: 3 << 8 } });
  assert.deepEqual(more, []);
  assert.deepEqual(statusesOf(wait(world, { value: containerId })), [404]);
});

test('NESTED-6: a limited number of containers is kept in one outermost container; the oldest ended one makes room', () => {
  const world = registeredWorld();
  const parent = { value: runToRunning(world, taskOf('t')) };
  const launchIn = (value: string) =>
    containerCall(world, {
      type: 'LAUNCH_NESTED_CONTAINER',
      launch_nested_container: { container_id: { value, parent }, command: { value: 'sleep 60' } },
    });
  const first = launched(launchIn('first'));
  containerStarted(world, first);
  for (let number = 1; number < LIMITS.nestedContainers.most; number++) {
    containerStarted(world, launched(launchIn(`n${number}`)));
  }
  const [refused] = callRepliesOf(launchIn('more'));
  assert.equal(refused?.status, 500);
  assert.match(refused?.text ?? '', /^Failed to launch container: containers: expected at most 1000 items, got 1001$/);
  containerKilled(world, first);
  assert.deepEqual(statusesOf(containerStarted(world, launched(launchIn('more')))), [200]);
  assert.deepEqual(statusesOf(wait(world, { value: 'first', parent })), [404]);
  // Other containers have limits of their own.
  assert.deepEqual(statusesOf(containerStarted(world, launched(launchSolo(world)))), [200]);
});

test('a WAIT call whose client has disconnected is forgotten: it uses up neither the limit nor an exit status', () => {
  const world = registeredWorld();
  const containerId = runToRunning(world, taskOf('t'));
  const solo = launched(launchSolo(world));
  containerStarted(world, solo);
  for (const id of [{ value: containerId }, { value: 'solo' }]) {
    for (let i = 0; i < 1001; i++) {
      assert.deepEqual(statusesOf(wait(world, id)), []);
      world.input({ kind: 'containerCallClosed', connection: 'w' as ConnectionId, id });
    }
  }
  assert.deepEqual(statusesOf(exit(world, containerId, 3)), []);
  assert.deepEqual(statusesOf(containerKilled(world, solo)), []);
  assert.deepEqual(statusesOf(wait(world, { value: 'solo' })), [200]);
});

test('no more than 1000 calls wait for one container', () => {
  const world = registeredWorld();
  const containerId = runToRunning(world, taskOf('t'));
  containerStarted(world, launched(launchSolo(world)));
  for (const id of [containerId, 'solo']) {
    for (let i = 0; i < 1000; i++) assert.deepEqual(statusesOf(wait(world, { value: id })), []);
    assert.deepEqual(statusesOf(wait(world, { value: id })), [500]);
  }
});
