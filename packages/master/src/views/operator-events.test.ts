import assert from 'node:assert/strict';
import { test } from 'node:test';
import { present } from '@meseta/base';
import type { MasterEvent } from '@meseta/wire';
import { createWorld, task, type World } from '../core/testing.js';
import { type Approver, approveAll } from './approver.js';
import { dependsOnViewer, isSeen, operatorEventOf } from './operator-events.js';

/** The events that a viewer gets for the notes from `begin` on. */
function eventsSince(world: World, begin: number, approver: Approver = approveAll): readonly MasterEvent[] {
  const { state } = world.master;
  return world.notes
    .slice(begin)
    .filter((note) => note.kind !== 'log' && isSeen(state, note, approver))
    .flatMap((note) => operatorEventOf(state, note, approver) ?? []);
}

/** The events that a viewer gets for what `act` does. */
function eventsOf(world: World, act: () => void, approver: Approver = approveAll): readonly MasterEvent[] {
  const begin = world.notes.length;
  act();
  return eventsSince(world, begin, approver);
}

const typesOf = (events: readonly MasterEvent[]) => events.map(({ type }) => type);

test('AGENT_ADDED follows a registration, and AGENT_REMOVED only a removal', () => {
  const world = createWorld();
  const agent = world.agent('cpus:4;mem:4096');
  const came = eventsSince(world, 0);
  assert.deepEqual(typesOf(came), ['AGENT_ADDED']);
  assert.equal(came[0]?.agent_added?.agent.agent_info.id?.value, agent.id);
  assert.deepEqual(typesOf(eventsOf(world, () => agent.breakConnection())), []);
  assert.deepEqual(typesOf(eventsOf(world, () => world.wait(600_001))), [], 'unreachable');
  assert.deepEqual(typesOf(eventsOf(world, () => agent.reregister())), ['AGENT_ADDED']);
  const left = eventsOf(world, () =>
    agent.send({ name: 'UnregisterAgentMessage', body: { agent_id: { value: agent.id } } }),
  );
  assert.deepEqual(left, [{ type: 'AGENT_REMOVED', agent_removed: { agent_id: { value: agent.id } } }]);
});

test('the events of a framework and its tasks are in the order of the changes', () => {
  const world = createWorld();
  const agent = world.agent('cpus:4;mem:4096');
  const begin = world.notes.length;
  const scheduler = world.subscribe({ roles: ['r'] });
  const came = eventsSince(world, begin);
  assert.deepEqual(typesOf(came), ['FRAMEWORK_ADDED']);
  const added = came[0]?.framework_added?.framework;
  assert.equal('offer_constraints' in (added ?? {}), false, 'it has none');
  assert.equal('allocated_resources' in (added ?? {}), false, 'no resources are allocated to it yet');
  const offer = scheduler.offer();
  const launched = eventsOf(world, () => scheduler.launch(offer, task('t', offer)));
  assert.deepEqual(typesOf(launched), ['TASK_ADDED']);
  assert.equal(launched[0]?.task_added?.task.state, 'TASK_STAGING');
  const running = eventsOf(world, () => agent.update(scheduler, 't', 'TASK_RUNNING'));
  assert.deepEqual(typesOf(running), ['TASK_UPDATED']);
  assert.equal(running[0]?.task_updated?.state, 'TASK_RUNNING');
  assert.equal(running[0]?.task_updated?.status.task_id.value, 't');
  const more = eventsOf(world, () => {
    agent.update(scheduler, 't', 'TASK_RUNNING');
    agent.update(scheduler, 't', 'TASK_KILLING', 'TASK_KILLED');
    agent.update(scheduler, 't', 'TASK_KILLED');
  });
  assert.deepEqual(
    more.map(({ task_updated }) => [task_updated?.status.state, task_updated?.state]),
    [
      ['TASK_KILLING', 'TASK_KILLED'],
      ['TASK_KILLED', 'TASK_KILLED'],
    ],
    'one for each new state that the agent reported, with the latest that it knows',
  );
  const gone = eventsOf(world, () =>
    world.operator({ type: 'TEARDOWN', teardown: { framework_id: { value: scheduler.id } } }),
  );
  assert.equal(typesOf(gone).at(-1), 'FRAMEWORK_REMOVED');
});

test('a viewer gets no event of a role, framework or task that it may not see', () => {
  const world = createWorld();
  const withoutRole: Approver = { ...approveAll, key: 'no r', role: (role) => role !== 'r' };
  const reserved = 'cpus(r):3;cpus:1;mem:4096';
  const all = eventsOf(world, () => world.agent(reserved));
  const some = eventsOf(world, () => world.agent(reserved), withoutRole);
  const cpusOf = (events: readonly MasterEvent[]) =>
    (events[0]?.agent_added?.agent.total_resources ?? [])
      .filter(({ name }) => name === 'cpus')
      .map(({ scalar }) => scalar?.value)
      .sort();
  assert.deepEqual(cpusOf(all), [1, 3]);
  assert.deepEqual(cpusOf(some), [1]);

  const withoutFrameworks: Approver = { ...approveAll, key: 'no frameworks', framework: () => false };
  const begin = world.notes.length;
  const scheduler = world.subscribe({ roles: ['r'] });
  assert.deepEqual(eventsSince(world, begin, withoutFrameworks), []);
  const withoutTasks: Approver = { ...approveAll, key: 'no tasks', task: () => false };
  const offer = scheduler.offer();
  assert.deepEqual(
    eventsOf(world, () => scheduler.launch(offer, task('t', offer)), withoutTasks),
    [],
  );
});

test('of tasks with the same id, the latest one decides whether a viewer sees an event', () => {
  const world = createWorld();
  const agent = world.agent('cpus:4;mem:4096');
  const scheduler = world.subscribe({ roles: ['r'] });
  const ofPublicTasks: Approver = { ...approveAll, key: 'public', task: ({ name }) => name === 'public' };
  const launch = (name: string): void => {
    const offer = scheduler.offer();
    scheduler.launch(offer, task('t', offer, { name }));
  };
  launch('public');
  const ended = eventsOf(world, () => agent.update(scheduler, 't', 'TASK_FINISHED'), ofPublicTasks);
  assert.deepEqual(typesOf(ended), ['TASK_UPDATED']);
  const status = scheduler.events.flatMap(({ update }) => update?.status ?? []).at(-1);
  scheduler.acknowledge(present(status, 'the last status'));
  world.wait(1_000);
  launch('secret');
  const teardown = { type: 'TEARDOWN', teardown: { framework_id: { value: scheduler.id } } } as const;
  const torndown = eventsOf(world, () => world.operator(teardown), ofPublicTasks);
  assert.deepEqual(typesOf(torndown), ['FRAMEWORK_REMOVED']);
});

test('only AGENT_ADDED has a content that depends on the viewer', () => {
  const world = createWorld();
  world.agent('cpus:1;mem:64');
  world.subscribe({ roles: ['r'] });
  const kinds = new Set(world.notes.filter(dependsOnViewer).map(({ kind }) => kind));
  assert.deepEqual(kinds, new Set(['agentAdded']));
});
