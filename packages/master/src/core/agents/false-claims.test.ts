// Agents and drivers that send messages about another agent or its tasks, executors and operations: none has an effect.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Pid } from '@meseta/base';
import type { LibprocessMessage } from '@meseta/wire';
import { bytesOfUuid } from '@meseta/wire/uuid';
import { createWorld, resources, task } from '../testing.js';

const uuid = bytesOfUuid('22222222-2222-4222-8222-222222222222');

/** One agent with a task, an executor and an operation under way; the impostor is registered too. */
function stage() {
  const world = createWorld();
  const victim = world.agent();
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
  const agent_id = { value: victim.id };
  world.operator({ type: 'RESERVE_RESOURCES', reserve_resources: { agent_id, resources: reserved } });
  const impostor = world.agent();
  scheduler.events.splice(0);
  const [operation] = world.master.state.operations.keys();
  assert.ok(operation);
  return { world, victim, impostor, scheduler, operation };
}

const claims: Readonly<Record<string, (at: ReturnType<typeof stage>) => LibprocessMessage>> = {
  "a status of another's task": ({ victim, scheduler }) => ({
    name: 'StatusUpdateMessage',
    body: {
      update: {
        framework_id: { value: scheduler.id },
        agent_id: { value: victim.id },
        status: { task_id: { value: 't' }, state: 'TASK_FINISHED', uuid },
        timestamp: 1,
        uuid,
        latest_state: 'TASK_FINISHED',
      },
      pid: victim.pid,
    },
  }),
  "a status of another's task, in its own name (UPDATES-2)": ({ impostor, scheduler }) => ({
    name: 'StatusUpdateMessage',
    body: {
      update: {
        framework_id: { value: scheduler.id },
        agent_id: { value: impostor.id },
        status: { task_id: { value: 't' }, state: 'TASK_FINISHED', uuid },
        timestamp: 1,
        uuid,
        latest_state: 'TASK_FINISHED',
      },
      pid: impostor.pid,
    },
  }),
  "the end of another's executor": ({ victim, scheduler }) => ({
    name: 'ExitedExecutorMessage',
    body: {
      agent_id: { value: victim.id },
      framework_id: { value: scheduler.id },
      executor_id: { value: 'e' },
      status: 0,
    },
  }),
  "a message of another's executor": ({ victim, scheduler }) => ({
    name: 'ExecutorToFrameworkMessage',
    body: {
      agent_id: { value: victim.id },
      framework_id: { value: scheduler.id },
      executor_id: { value: 'e' },
      data: 'AAAA',
    },
  }),
  "the end of another's operation": ({ victim, operation }) => ({
    name: 'UpdateOperationStatusMessage',
    body: {
      operation_uuid: { value: operation },
      agent_id: { value: victim.id },
      status: { state: 'OPERATION_FAILED', uuid: { value: uuid } },
    },
  }),
  "the end of another's operation, in its own name": ({ impostor, operation }) => ({
    name: 'UpdateOperationStatusMessage',
    body: {
      operation_uuid: { value: operation },
      agent_id: { value: impostor.id },
      status: { state: 'OPERATION_FAILED', uuid: { value: uuid } },
    },
  }),
  "another's unregistration": ({ victim }) => ({
    name: 'UnregisterAgentMessage',
    body: { agent_id: { value: victim.id } },
  }),
  "another's resources": ({ victim }) => ({
    name: 'UpdateAgentMessage',
    body: {
      agent_id: { value: victim.id },
      update_oversubscribed_resources: true,
      oversubscribed_resources: resources('cpus:100').map((resource) => ({ ...resource, revocable: {} })),
    },
  }),
  "another's id": ({ victim, impostor }) => ({
    name: 'ReregisterAgentMessage',
    body: { agent: { ...impostor.info, id: { value: victim.id } }, version: '1.12.0' },
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

for (const [name, claim] of Object.entries(claims)) {
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
    at.impostor.send(claim(at));
    world.feed({ kind: 'message', from: 'slave(9)@10.9.9.9:1' as Pid, message: claim(at) });
    assert.deepEqual(structuredClone(seen()), before);
    assert.deepEqual(scheduler.events, []);
    const logged = world.notes.filter((note) => note.kind === 'log').length;
    const isShutDown = at.impostor.has('ShutdownMessage');
    assert.ok(logged >= 2 || isShutDown, 'it is logged, or the impostor is shut down');
  });
}
