import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ContainerSpec } from '@meseta/containers/types';
import type { ExecutorCall, ExecutorCallUpdate, ExecutorEvent } from '@meseta/wire';
import { createMachine } from '../engine/machine.js';
import { type End, type NetworkOptions, QUIET_NETWORK } from '../engine/network.js';
import { containerSpec } from '../engine/testing.js';
import { createWorld } from '../world.js';
import { startExecutor } from './executor.js';
import type { ExecutorResponse } from './executor-api.js';

const AGENT = createMachine('agent', '10.0.2.1:5051', 1);
const EXECUTOR_ADDRESS = '10.0.4.1:4000';
const executor_id = { value: 'executor' };

const SUBSCRIBED: ExecutorEvent = {
  type: 'SUBSCRIBED',
  subscribed: {
    executor_info: { executor_id },
    framework_info: { user: 'nobody', name: 'framework' },
    agent_info: { hostname: 'agent' },
  },
};

const launchOf = (id: string, data: string): ExecutorEvent => ({
  type: 'LAUNCH',
  launch: { task: { name: id, task_id: { value: id }, agent_id: { value: 'agent' }, data: btoa(data) } },
});

/** An executor and an agent that records the calls in the order in which they arrive, and answers each SUBSCRIBE. */
function startWithAgent(environment: ContainerSpec['environment'], network: NetworkOptions = QUIET_NETWORK) {
  const world = createWorld({ seed: 1, encoded: false, network });
  const calls: ExecutorCall[] = [];
  let stream: End | undefined;
  const write = (answer: ExecutorResponse): void => stream?.write(answer);
  const send = (event: ExecutorEvent): void => write({ kind: 'event', event });
  const startAgent = (): void =>
    world.network.listen(AGENT.address, {
      accepted: (end) => ({
        data(payload) {
          const call = payload as ExecutorCall;
          calls.push(call);
          if (call.type !== 'SUBSCRIBE') return;
          stream = end;
          write({ kind: 'opened' });
          send(SUBSCRIBED);
        },
        ended: () => {},
      }),
    });
  startAgent();
  const exitedAtMs: number[] = [];
  const executor = startExecutor({
    world,
    machine: AGENT,
    address: EXECUTOR_ADDRESS,
    spec: containerSpec('container', 'executor stays', {
      MESOS_FRAMEWORK_ID: 'framework',
      MESOS_EXECUTOR_ID: executor_id.value,
      MESOS_AGENT_ENDPOINT: AGENT.address,
      ...environment,
    }),
    exited() {
      exitedAtMs.push(world.timeline.nowMs());
      executor.stop('reset');
    },
  });
  const run = (ms: number): void => world.timeline.runUntil(world.timeline.nowMs() + ms);
  return {
    world,
    calls,
    subscribes: () => calls.flatMap(({ subscribe }) => (subscribe === undefined ? [] : [subscribe])),
    exitedAtMs,
    send,
    startAgent,
    run,
    resubscribe() {
      assert(world.network.breakConnections(EXECUTOR_ADDRESS, AGENT.address) > 0);
      run(5_000);
    },
  };
}

const CHECKPOINT = { MESOS_CHECKPOINT: '1', MESOS_SUBSCRIPTION_BACKOFF_MAX: '1secs' };

/** The updates that an agent received, in UPDATEs and in SUBSCRIBEs, each once, in the order of their first arrival. */
function distinctUpdates(calls: readonly ExecutorCall[]): readonly ExecutorCallUpdate[] {
  const byUuid = new Map<string | undefined, ExecutorCallUpdate>();
  for (const { update, subscribe } of calls) {
    for (const it of update === undefined ? (subscribe?.unacknowledged_updates ?? []) : [update]) {
      const known = byUuid.get(it.status.uuid);
      if (known === undefined) byUuid.set(it.status.uuid, it);
      else assert.deepEqual(it, known, 'an update that is sent again is the same update');
    }
  }
  return [...byUuid.values()];
}

test('SIMULATED-EXECUTOR-1: a SUBSCRIBE has the unacknowledged updates in order, and a task until its first acknowledgement', () => {
  const { calls, subscribes, send, run, resubscribe } = startWithAgent(CHECKPOINT);
  const acknowledge = ({ status }: ExecutorCallUpdate): void =>
    send({ type: 'ACKNOWLEDGED', acknowledged: { task_id: status.task_id, uuid: status.uuid ?? '' } });
  const lastSubscribe = () => {
    const { unacknowledged_updates, unacknowledged_tasks = [] } = subscribes().at(-1) ?? {};
    return { updates: unacknowledged_updates, tasks: unacknowledged_tasks.map(({ task_id }) => task_id.value) };
  };
  run(1_000);
  assert.deepEqual(lastSubscribe(), { updates: [], tasks: [] });
  send(launchOf('task', 'updates 20'));
  run(1_000);
  const early = distinctUpdates(calls);
  resubscribe();
  run(30_000);
  const updates = distinctUpdates(calls);
  assert(early.length > 0 && early.length < updates.length, 'the connection broke while the task sent updates');
  assert.equal(updates.at(-1)?.status.state, 'TASK_FINISHED');
  resubscribe();
  assert.deepEqual(lastSubscribe(), { updates, tasks: ['task'] });

  const [first, ...others] = updates;
  assert(first !== undefined);
  acknowledge(first);
  run(1_000);
  resubscribe();
  assert.deepEqual(lastSubscribe(), { updates: others, tasks: [] });

  others.forEach(acknowledge);
  run(1_000);
  resubscribe();
  assert.deepEqual(lastSubscribe(), { updates: [], tasks: [] });
});

test('SIMULATED-EXECUTOR-2: without checkpointing the executor ends with its connection', () => {
  const { subscribes, exitedAtMs, run, resubscribe } = startWithAgent({ MESOS_CHECKPOINT: '0' });
  run(60_000);
  assert.deepEqual(exitedAtMs, []);
  resubscribe();
  assert.equal(exitedAtMs.length, 1);
  assert.equal(subscribes().length, 1);
});

test('SIMULATED-EXECUTOR-2: with checkpointing it subscribes again, until the recovery timeout since the connection broke', () => {
  const { world, subscribes, exitedAtMs, startAgent, run } = startWithAgent({
    ...CHECKPOINT,
    MESOS_RECOVERY_TIMEOUT: '30secs',
  });
  run(1_000);
  for (const awayMs of [20_000, 20_000]) {
    world.network.endProcess(AGENT.address, 'reset');
    run(awayMs);
    startAgent();
    run(5_000);
  }
  assert.equal(subscribes().length, 3, 'once for each process of the agent');
  assert.deepEqual(exitedAtMs, []);

  const goneAtMs = world.timeline.nowMs();
  world.network.endProcess(AGENT.address, 'reset');
  run(60_000);
  assert.deepEqual(
    exitedAtMs.map((atMs) => Math.round((atMs - goneAtMs) / 1_000)),
    [30],
  );
});

test('SIMULATED-EXECUTOR-3: the agent receives the calls in the order in which the executor sends them', () => {
  const { world, calls, send, run } = startWithAgent(CHECKPOINT, { ...QUIET_NETWORK, meanDelayMs: 500 });
  const sent: ExecutorCall[] = [];
  world.observers.push({ executorCalled: (_, call) => void sent.push(call) });
  run(20_000);
  send(launchOf('task', 'updates 100'));
  run(300_000);
  assert(sent.length > 100);
  assert.deepEqual(calls, sent);
});
