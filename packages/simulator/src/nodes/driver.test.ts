import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pidOf } from '@meseta/base';
import type { LibprocessMessage, SchedulerCall } from '@meseta/wire';
import { createMachine } from '../engine/machine.js';
import { QUIET_NETWORK } from '../engine/network.js';
import { createPeers, type Peers } from '../engine/peers.js';
import { createWorld, type World } from '../world.js';
import { createDriver } from './driver.js';
import type { HttpResponse } from './http.js';

const DRIVER_ADDRESS = '10.0.3.1:4000';
const DRIVER = pidOf('scheduler-runner', DRIVER_ADDRESS);
const MASTER = createMachine('master', '10.0.1.1:5050', 1);
const framework_id = { value: 'framework' };

const REGISTERED: LibprocessMessage = {
  name: 'FrameworkRegisteredMessage',
  body: { framework_id, master_info: { id: 'master', ip: 0, port: 5050 } },
};

/** A process that can send to the driver; `received` are the types of the calls that it gets. */
function startPeer(world: World, address: string): { readonly peers: Peers; readonly received: string[] } {
  const received: string[] = [];
  const peers = createPeers({
    network: world.network,
    address,
    encoded: false,
    onMessage: ({ message }) =>
      void received.push(message.name === 'SchedulerCall' ? (message.body.type ?? '') : message.name),
    onPeerLost: () => {},
  });
  world.network.listen(address, { accepted: () => peers.accept() });
  return { peers, received };
}

/** A driver that dials the master; `answers` are what its process receives. */
function startDriver() {
  const world = createWorld({ seed: 1, encoded: false, network: QUIET_NETWORK });
  const dial = createDriver({ world, address: DRIVER_ADDRESS, name: 'runner', old: false, stopped: () => false });
  const answers: string[] = [];
  const end = dial(MASTER, {
    data(payload) {
      const answer = payload as HttpResponse;
      answers.push(answer.kind === 'event' ? (answer.event.type ?? '') : answer.kind);
    },
    ended: (how) => void answers.push(how),
  });
  const call = (it: SchedulerCall): void => end.write({ kind: 'schedulerCall', streamId: undefined, call: it });
  const subscribe = (): void =>
    call({ type: 'SUBSCRIBE', subscribe: { framework_info: { user: 'nobody', name: 'runner' } } });
  return { world, answers, call, subscribe };
}

test('SIMULATED-DRIVER-1: a registration is repeated until the master answers, any other call is sent once', () => {
  const { world, answers, call, subscribe } = startDriver();
  const { peers, received } = startPeer(world, MASTER.address);
  const count = (type: string): number => received.filter((it) => it === type).length;
  subscribe();
  call({ type: 'REVIVE', framework_id });
  world.timeline.runUntil(10_000);
  assert.equal(count('SUBSCRIBE'), 3, 'at once, after 2 s and after 4 s more');

  peers.send(DRIVER, 'master', REGISTERED);
  world.timeline.runUntil(200_000);
  assert.equal(count('SUBSCRIBE'), 3);
  assert.equal(count('REVIVE'), 1);
  assert.deepEqual(answers, ['opened', 'SUBSCRIBED']);
});

test('SIMULATED-DRIVER-1: a call that is lost with its connection is not sent again', () => {
  const { world, call } = startDriver();
  call({ type: 'REVIVE', framework_id });
  world.timeline.runUntil(1_000);
  const { received } = startPeer(world, MASTER.address);
  world.timeline.runUntil(200_000);
  assert.deepEqual(received, []);
  call({ type: 'SUPPRESS', framework_id });
  world.timeline.runUntil(201_000);
  assert.deepEqual(received, ['SUPPRESS'], 'a later call is delivered');
});

const LOST_AGENT: LibprocessMessage = { name: 'LostAgentMessage', body: { agent_id: { value: 'agent' } } };

const EXECUTOR_MESSAGE: LibprocessMessage = {
  name: 'ExecutorToFrameworkMessage',
  body: { agent_id: { value: 'agent' }, framework_id, executor_id: { value: 'executor' }, data: '' },
};

for (const [title, address, message, expected] of [
  ['its master', MASTER.address, LOST_AGENT, ['FAILURE']],
  ['another master', '10.0.1.2:5050', LOST_AGENT, []],
  ['another master, a registration', '10.0.1.2:5050', REGISTERED, []],
  ['an agent', '10.0.2.1:5051', LOST_AGENT, []],
  ['an agent, a message of an executor', '10.0.2.1:5051', EXECUTOR_MESSAGE, ['MESSAGE']],
] as const) {
  test(`SIMULATED-DRIVER-2: what its process receives of ${title}: ${expected.join() || 'nothing'}`, () => {
    const { world, answers, subscribe } = startDriver();
    const { peers } = startPeer(world, MASTER.address);
    const sender = address === MASTER.address ? peers : startPeer(world, address).peers;
    subscribe();
    world.timeline.runUntil(1_000);
    sender.send(DRIVER, 'master', message);
    world.timeline.runUntil(2_000);
    assert.deepEqual(answers, expected);
  });
}
