import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRandom } from '@meseta/base';
import { createNetwork, type End, QUIET_NETWORK } from './network.js';
import { createTimeline } from './timeline.js';

interface Received {
  readonly packets: number[];
  endings: number;
}

/** A connection over which numbers are sent, with breaks and cuts at random. */
function connectUnderFaults(seed: number): {
  readonly reader: Received;
  readonly writer: Received;
  readonly sent: number;
} {
  const timeline = createTimeline();
  const random = seededRandom(seed);
  const options = { meanDelayMs: 20, breakChance: 0.01, stallChance: 0.05, repeatChance: 0, unacknowledgedMs: 5_000 };
  const network = createNetwork(timeline, random, options);
  const reader: Received = { packets: [], endings: 0 };
  const writer: Received = { packets: [], endings: 0 };
  const handlersOf = (received: Received) => ({
    data: (payload: unknown) => void received.packets.push(payload as number),
    ended: () => void received.endings++,
  });
  network.listen('b', { accepted: () => handlersOf(reader) });
  const end: End = network.connect('a', 'b', 'numbers', handlersOf(writer));
  let sent = 0;
  for (let at = 0; at < 30_000; at += 100) timeline.at(at, () => end.write(sent++));
  timeline.at(random.uint32() % 30_000, () => network.cut('a', 'b'));
  timeline.at(30_000, () => network.healAll());
  timeline.runUntil(120_000);
  return { reader, writer, sent };
}

test('SIMULATED-NETWORK-1, SIMULATED-NETWORK-2: a connection delivers a prefix of the packets, in order, each once', () => {
  let broken = 0;
  for (let seed = 1; seed <= 200; seed++) {
    const { reader, writer, sent } = connectUnderFaults(seed);
    assert.deepEqual(
      reader.packets,
      Array.from({ length: reader.packets.length }, (_, i) => i),
    );
    assert(reader.endings <= 1 && writer.endings <= 1, 'SIMULATED-NETWORK-3: an end is notified once');
    if (reader.packets.length < sent) broken++;
  }
  assert(broken > 50 && broken < 200, `${broken} of 200 broke`);
});

test('SIMULATED-NETWORK-3: peers are notified when a process ends, the death of a host is noticed only by writers', () => {
  for (const how of ['reset', 'silent'] as const) {
    const timeline = createTimeline();
    const options = { ...QUIET_NETWORK, unacknowledgedMs: 5_000 };
    const network = createNetwork(timeline, seededRandom(1), options);
    let ended = 0;
    network.listen('b', { accepted: () => ({ data: () => {}, ended: () => {} }) });
    const end = network.connect('a', 'b', 'x', { data: () => {}, ended: () => void ended++ });
    timeline.runUntil(1_000);
    network.endProcess('b', how);
    timeline.runUntil(60_000);
    assert.equal(ended, how === 'reset' ? 1 : 0);
    end.write('packet');
    timeline.runUntil(120_000);
    assert.equal(ended, 1);
  }
});

test('SIMULATED-NETWORK-3: a writer notices a dead host also when the notice of a break was lost with the host', () => {
  for (const comesBack of [false, true]) {
    const timeline = createTimeline();
    const options = { ...QUIET_NETWORK, meanDelayMs: 100, unacknowledgedMs: 5_000 };
    let lost = 0;
    for (let seed = 1; seed <= 50; seed++) {
      const network = createNetwork(timeline, seededRandom(seed), options);
      const listener = { accepted: () => ({ data: () => {}, ended: () => {} }) };
      network.listen('b', listener);
      let ended = 0;
      const end = network.connect('a', 'b', 'x', { data: () => {}, ended: () => void ended++ });
      timeline.runUntil(timeline.nowMs() + 10_000);
      assert.equal(network.breakConnections('a', 'b'), 1);
      network.endProcess('b', 'silent');
      if (comesBack) network.listen('b', listener);
      timeline.runUntil(timeline.nowMs() + 10_000);
      if (ended === 0) lost++;
      end.write('packet');
      timeline.runUntil(timeline.nowMs() + 10_000);
      assert.equal(ended, 1, `seed ${seed}`);
    }
    assert(lost > 0 && lost < 50, `the notice was lost ${lost} times of 50`);
  }
});

test('a connection attempt that outlasts the restart of its target reaches the new process', () => {
  const timeline = createTimeline();
  const options = { ...QUIET_NETWORK, unacknowledgedMs: 5_000 };
  const network = createNetwork(timeline, seededRandom(1), options);
  const received: unknown[] = [];
  const listen = (process: string): void =>
    network.listen('b', { accepted: () => ({ data: (it) => received.push(`${process} ${it}`), ended: () => {} }) });
  listen('old');
  network.cut('b', 'a');
  network.connect('a', 'b', 'x', { data: () => {}, ended: () => {} }).write('hello');
  timeline.runUntil(2_000);
  network.endProcess('b', 'reset');
  listen('new');
  network.healAll();
  timeline.runUntil(10_000);
  assert.deepEqual(received, ['new hello']);
});
