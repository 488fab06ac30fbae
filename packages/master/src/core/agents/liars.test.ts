// Agents and drivers that speak for others: nothing that they say about others' agents, tasks, executors and operations
// is believed.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Pid } from '@meseta/base';
import type { LibprocessMessage } from '@meseta/wire';
import { bytesOfUuid } from '@meseta/wire/uuid';
import { createWorld, resources, task } from '../testing.js';

const uuid = bytesOfUuid('22222222-2222-4222-8222-222222222222');

/** One agent with a task, an executor and an operation under way; the liar is registered too. */
function stage() {
  const world = createWorld();
  const honest = world.agent();
  const scheduler = world.subscribe({ capabilities: [{ type: 'MULTI_ROLE' }, { type: 'RESERVATION_REFINEMENT' }] });
  world.wait(1_000);
  const offer = scheduler.offer();
  const plain = task('t', offer);
  const { command: _, ...rest } = task('with-executor', offer);
  const executor = {
    executor_id: { value: 'e' },
    command: { value: 'true' },
    resources: resources('cpus:0.1;mem:32', offer),
  };
  scheduler.launch(offer, plain, { ...rest, executor });
  assert.equal(world.master.state.frameworks.get(scheduler.id)?.tasks.size, 2);
  world.wait(10_000);
  const reserved = resources('cpus:1').map((resource) => ({
    ...resource,
    reservations: [{ type: 'DYNAMIC' as const, role: 'web' }],
  }));
  const agent_id = { value: honest.id };
  world.operator({ type: 'RESERVE_RESOURCES', reserve_resources: { agent_id, resources: reserved } });
  const liar = world.agent();
  scheduler.events.splice(0);
  const [operation] = world.master.state.operations.keys();
  assert.ok(operation);
  return { world, honest, liar, scheduler, operation };
}

const lies: Readonly<Record<string, (at: ReturnType<typeof stage>) => LibprocessMessage>> = {
  "a status of another's task": ({ honest, scheduler }) => ({
    name: 'StatusUpdateMessage',
    body: {
      update: {
        framework_id: { value: scheduler.id },
        agent_id: { value: honest.id },
        status: { task_id: { value: 't' }, state: 'TASK_FINISHED', uuid },
        timestamp: 1,
        uuid,
        latest_state: 'TASK_FINISHED',
      },
      pid: honest.pid,
    },
  }),
  "a status of another's task, in its own name (UPDATES-2)": ({ liar, scheduler }) => ({
    name: 'StatusUpdateMessage',
    body: {
      update: {
        framework_id: { value: scheduler.id },
        agent_id: { value: liar.id },
        status: { task_id: { value: 't' }, state: 'TASK_FINISHED', uuid },
        timestamp: 1,
        uuid,
        latest_state: 'TASK_FINISHED',
      },
      pid: liar.pid,
    },
  }),
  "the end of another's executor": ({ honest, scheduler }) => ({
    name: 'ExitedExecutorMessage',
    body: {
      agent_id: { value: honest.id },
      framework_id: { value: scheduler.id },
      executor_id: { value: 'e' },
      status: 0,
    },
  }),
  "a message of another's executor": ({ honest, scheduler }) => ({
    name: 'ExecutorToFrameworkMessage',
    body: {
      agent_id: { value: honest.id },
      framework_id: { value: scheduler.id },
      executor_id: { value: 'e' },
      data: 'AAAA',
    },
  }),
  "the end of another's operation": ({ honest, operation }) => ({
    name: 'UpdateOperationStatusMessage',
    body: {
      operation_uuid: { value: operation },
      agent_id: { value: honest.id },
      status: { state: 'OPERATION_FAILED', uuid: { value: uuid } },
    },
  }),
  "the end of another's operation, in its own name": ({ liar, operation }) => ({
    name: 'UpdateOperationStatusMessage',
    body: {
      operation_uuid: { value: operation },
      agent_id: { value: liar.id },
      status: { state: 'OPERATION_FAILED', uuid: { value: uuid } },
    },
  }),
  "another's unregistration": ({ honest }) => ({
    name: 'UnregisterAgentMessage',
    body: { agent_id: { value: honest.id } },
  }),
  "another's resources": ({ honest }) => ({
    name: 'UpdateAgentMessage',
    body: {
      agent_id: { value: honest.id },
      update_oversubscribed_resources: true,
      oversubscribed_resources: resources('cpus:100').map((resource) => ({ ...resource, revocable: {} })),
    },
  }),
  "another's id": ({ honest, liar }) => ({
    name: 'ReregisterAgentMessage',
    body: { agent: { ...liar.info, id: { value: honest.id } }, version: '1.12.0' },
  }),
  "a framework's call": ({ scheduler }) => ({
    name: 'SchedulerCall',
    body: { type: 'TEARDOWN', framework_id: { value: scheduler.id } },
  }),
  "a framework's deactivation": ({ scheduler }) => ({
    name: 'DeactivateFrameworkMessage',
    body: { framework_id: { value: scheduler.id } },
  }),
};

for (const [name, lie] of Object.entries(lies)) {
  test(`a false claim of an agent has no effect: ${name}`, () => {
    const at = stage();
    const { world, scheduler } = at;
    const { state } = world.master;
    const seen = (): unknown => ({
      agents: [...state.agents.registered.values()],
      tasks: [...(state.frameworks.get(scheduler.id)?.tasks.values() ?? [])],
      frameworks: [...state.frameworks.values()].map(({ counters: _, completedTasks, ...rest }) => [
        rest,
        completedTasks.size,
      ]),
      operations: [...state.operations.values()],
      registry: world.persisted.length,
    });
    const before = structuredClone(seen());
    world.notes.splice(0);
    at.liar.say(lie(at));
    world.feed({ kind: 'message', from: 'slave(9)@10.9.9.9:1' as Pid, message: lie(at) });
    assert.deepEqual(structuredClone(seen()), before);
    assert.deepEqual(scheduler.events, []);
    const logged = world.notes.filter((note) => note.kind === 'log').length;
    const told = at.liar.has('ShutdownMessage');
    assert.ok(logged >= 2 || told, 'an operator or the liar hears of it');
  });
}
