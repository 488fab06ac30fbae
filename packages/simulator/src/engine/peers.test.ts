import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pidOf, seededRandom } from '@meseta/base';
import { createNetwork, QUIET_NETWORK } from './network.js';
import { createPeers } from './peers.js';
import { createTimeline } from './timeline.js';

test('SIMULATED-PEERS-1: a linked address is reported lost once per break, however many of its pids are linked', () => {
  const timeline = createTimeline();
  const network = createNetwork(timeline, seededRandom(1), QUIET_NETWORK);
  network.listen('b', { accepted: () => ({ data: () => {}, ended: () => {} }) });
  const lost: string[] = [];
  const peers = createPeers({
    network,
    address: 'a',
    encoded: false,
    onMessage: () => {},
    onPeerLost: (address) => void lost.push(address),
  });
  const breakConnection = (): void => {
    timeline.runUntil(timeline.nowMs() + 1_000);
    assert.equal(network.breakConnections('a', 'b'), 1);
    timeline.runUntil(timeline.nowMs() + 1_000);
  };

  peers.link(pidOf('first', 'b'));
  peers.link(pidOf('second', 'b'));
  breakConnection();
  assert.deepEqual(lost, ['b']);

  peers.send(pidOf('first', 'b'), 'sender', { name: 'PingAgentMessage', body: { connected: true } });
  breakConnection();
  assert.deepEqual(lost, ['b'], 'the break removed the link');

  peers.link(pidOf('first', 'b'));
  breakConnection();
  assert.deepEqual(lost, ['b', 'b'], 'a new link is reported again');
});
