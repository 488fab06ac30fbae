import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { StreamId } from '@meseta/master/core/io';
import { DEFAULT_MASTER_OPTIONS } from '@meseta/master/core/options';
import type { Offer, SchedulerCall, SchedulerEvent, TaskInfo, TaskState } from '@meseta/wire';
import { type End, QUIET_NETWORK } from '../engine/network.js';
import { createWorld } from '../world.js';
import { createMemory, type Memory, type TaskView } from './framework-memory.js';
import type { HttpRequest, HttpResponse } from './http.js';
import { createMasters } from './masters.js';
import { type Script, startScheduler } from './scheduler.js';

const SCHEDULER_ADDRESS = '10.0.3.1:4000';
const framework_id = { value: 'framework' };
const agent_id = { value: 'agent' };

/** A scheduler, and a stand-in for the master that accepts every call and sends heartbeats and what the test sends. */
function startWithMaster(memory: Memory, script: Script, reconciles: boolean) {
  const world = createWorld({ seed: 1, encoded: false, network: QUIET_NETWORK });
  const { timeline, network } = world;
  const masters = createMasters(world, 1, DEFAULT_MASTER_OPTIONS, [1]);
  masters.crash(0, 'reset', Number.POSITIVE_INFINITY);
  const masterAddress = masters.machines[0]?.address ?? '';
  let stream: End | undefined;
  const write = (end: End | undefined, answer: HttpResponse): void => end?.write(answer);
  const send = (event: SchedulerEvent): void => write(stream, { kind: 'event', event });
  network.listen(masterAddress, {
    accepted: (end) => ({
      data(payload) {
        const request = payload as HttpRequest;
        if (request.kind === 'schedulerCall' && request.call.type === 'SUBSCRIBE') {
          stream = end;
          write(end, { kind: 'opened', stream: 'stream' as StreamId });
          send({ type: 'SUBSCRIBED', subscribed: { framework_id } });
        } else {
          write(end, { kind: 'reply', reply: { status: 202 } });
          end.close();
        }
      },
      ended: () => {},
    }),
  });
  const client = startScheduler({
    world,
    masters,
    name: 'framework',
    address: SCHEDULER_ADDRESS,
    memory,
    info: { user: 'nobody', name: 'framework' },
    acknowledges: true,
    reconciles,
    script,
  });
  client.every(15_000, () => send({ type: 'HEARTBEAT' }));
  return {
    world,
    send,
    runUntil: timeline.runUntil,
    breakConnection: () => assert(network.breakConnections(SCHEDULER_ADDRESS, masterAddress) > 0),
  };
}

const OFFER: Offer = { id: { value: 'offer' }, framework_id, agent_id, hostname: 'agent' };

const taskInfo = (id: string): TaskInfo => ({ name: id, task_id: { value: id }, agent_id });

test('SIMULATED-SCHEDULER-1: a task is in memory when its ACCEPT is sent, an update when its ACKNOWLEDGE is sent', () => {
  const memory = createMemory();
  const { world, send, runUntil } = startWithMaster(
    memory,
    {
      offers: (client, offers) =>
        client.accept(offers, [
          { type: 'LAUNCH', launch: { task_infos: [taskInfo('single')] } },
          {
            type: 'LAUNCH_GROUP',
            launch_group: {
              executor: { executor_id: { value: 'executor' } },
              task_group: { tasks: [taskInfo('pod')] },
            },
          },
        ]),
    },
    false,
  );
  const atCalls: unknown[] = [];
  world.observers.push({
    schedulerCalled(client, { type, acknowledge }) {
      if (type === 'ACCEPT') atCalls.push([...client.memory.tasks.keys()]);
      if (acknowledge !== undefined) atCalls.push(client.memory.tasks.get(acknowledge.task_id.value)?.status?.state);
    },
  });
  runUntil(5_000);
  send({ type: 'OFFERS', offers: { offers: [OFFER] } });
  runUntil(6_000);
  for (const id of ['single', 'pod']) {
    const status = { task_id: { value: id }, state: 'TASK_RUNNING', agent_id, uuid: btoa(`uuid of ${id}`) } as const;
    send({ type: 'UPDATE', update: { status } });
  }
  runUntil(7_000);
  assert.deepEqual(atCalls, [['single', 'pod'], 'TASK_RUNNING', 'TASK_RUNNING']);
});

const taskView = (id: string, state: TaskState | undefined, changes: Partial<TaskView> = {}): [string, TaskView] => [
  id,
  {
    id,
    agentId: agent_id.value,
    executorId: undefined,
    launchedAtMs: 0,
    status: state === undefined ? undefined : { task_id: { value: id }, state },
    lastUpdateMs: 0,
    refused: false,
    killed: false,
    ...changes,
  },
];

test('SIMULATED-SCHEDULER-2: it reconciles its tasks at each subscription, and each after a minute without an update of it', () => {
  const memory: Memory = {
    ...createMemory(),
    tasks: new Map([
      taskView('launched', undefined),
      taskView('running', 'TASK_RUNNING'),
      taskView('unreachable', 'TASK_UNREACHABLE'),
      taskView('finished', 'TASK_FINISHED'),
      taskView('unknown', 'TASK_UNKNOWN'),
      taskView('refused', undefined, { refused: true }),
    ]),
  };
  const { world, send, runUntil, breakConnection } = startWithMaster(memory, {}, true);
  const reconciled: string[] = [];
  world.observers.push({
    schedulerCalled(_, { type, reconcile }: SchedulerCall) {
      if (type === 'SUBSCRIBE') reconciled.push(type);
      const { tasks = [] } = reconcile ?? {};
      if (tasks.length > 0) reconciled.push(tasks.map(({ task_id }) => task_id.value).join(' '));
      else if (type === 'RECONCILE') reconciled.push('all');
    },
  });
  const takeReconciled = (): readonly string[] => reconciled.splice(0);

  runUntil(10_000);
  assert.deepEqual(takeReconciled(), ['SUBSCRIBE', 'all', 'launched running unreachable']);
  runUntil(100_000);
  assert.deepEqual(takeReconciled(), []);
  send({ type: 'UPDATE', update: { status: { task_id: { value: 'running' }, state: 'TASK_RUNNING' } } });
  runUntil(130_000);
  assert.deepEqual(takeReconciled(), ['launched unreachable']);
  runUntil(190_000);
  assert.deepEqual(takeReconciled(), ['launched running unreachable']);

  breakConnection();
  runUntil(205_000);
  assert.deepEqual(takeReconciled(), ['SUBSCRIBE', 'all', 'launched running unreachable']);
});

/** The frameworks of the master after two processes with one memory were started together. */
function frameworksAfterStart(seed: number): number | undefined {
  const world = createWorld({ seed, encoded: false, network: { ...QUIET_NETWORK, meanDelayMs: 500 } });
  const masters = createMasters(world, 1, DEFAULT_MASTER_OPTIONS, [1]);
  const memory = createMemory();
  for (const [name, address] of [
    ['framework', '10.0.3.1:8000'],
    ['framework.2', '10.0.3.2:8000'],
  ] as const) {
    const info = { user: 'root', name: 'framework' };
    startScheduler({ world, masters, name, address, memory, info, acknowledges: true, reconciles: false, script: {} });
  }
  world.timeline.runUntil(30_000);
  return masters.leader()?.core.state.frameworks.size;
}

test('processes that share a memory without an id subscribe as one framework, whichever is first', () => {
  for (let seed = 0; seed < 10; seed++) assert.equal(frameworksAfterStart(seed), 1, `seed ${seed}`);
});
