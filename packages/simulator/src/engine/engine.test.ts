import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRandom } from '@meseta/base';
import fc from 'fast-check';
import { createDisk } from './disk.js';
import { createNetwork, type End } from './network.js';
import { createTimeline, type Scheduled } from './timeline.js';

test('TIMELINE-1: callbacks due at the same time run in the order in which they were scheduled', () => {
  const timeline = createTimeline();
  const seen: string[] = [];
  for (const [atMs, name] of [
    [5, 'c'],
    [1, 'a'],
    [5, 'd'],
    [1, 'b'],
  ] as const)
    timeline.at(atMs, () => seen.push(name));
  timeline.runUntil(10);
  assert.deepEqual(seen, ['a', 'b', 'c', 'd']);
  assert.equal(timeline.nowMs(), 10);
});

const step = fc.record({
  kind: fc.constantFrom('at', 'at', 'at', 'cancel', 'run'),
  atMs: fc.nat(20),
  which: fc.nat(100),
});

test('TIMELINE-1, TIMELINE-3: entries happen in the order of a sorted list, without those that were cancelled', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const timeline = createTimeline();
      const asked: Scheduled[] = [];
      let expected: { readonly name: number; readonly atMs: number }[] = [];
      const seen: number[] = [];
      for (const { kind, atMs, which } of steps) {
        const dueMs = timeline.nowMs() + atMs;
        const name = which % Math.max(1, asked.length);
        if (kind === 'at') {
          const next = asked.length;
          asked.push(timeline.at(dueMs, () => seen.push(next)));
          expected.push({ name: next, atMs: dueMs });
        } else if (kind === 'run') {
          const due = expected.filter((it) => it.atMs <= dueMs).sort((a, b) => a.atMs - b.atMs);
          expected = expected.filter((it) => it.atMs > dueMs);
          seen.length = 0;
          timeline.runUntil(dueMs);
          assert.deepEqual(
            seen,
            due.map((it) => it.name),
          );
        } else {
          expected = expected.filter((it) => it.name !== name);
          timeline.cancel(asked[name]);
        }
        assert.equal(timeline.pending(), expected.length);
      }
    }),
  );
});

interface Heard {
  readonly got: number[];
  endings: number;
}

/** A connection over which numbers are sent, with breaks and cuts at random. */
function stormy(seed: number): { readonly reader: Heard; readonly writer: Heard; readonly sent: number } {
  const timeline = createTimeline();
  const random = seededRandom(seed);
  const options = { meanDelayMs: 20, breakChance: 0.01, stallChance: 0.05, repeatChance: 0, unacknowledgedMs: 5_000 };
  const network = createNetwork(timeline, random, options);
  const reader: Heard = { got: [], endings: 0 };
  const writer: Heard = { got: [], endings: 0 };
  const handlersOf = (heard: Heard) => ({
    data: (payload: unknown) => void heard.got.push(payload as number),
    ended: () => void heard.endings++,
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
    const { reader, writer, sent } = stormy(seed);
    assert.deepEqual(
      reader.got,
      Array.from({ length: reader.got.length }, (_, i) => i),
    );
    assert(reader.endings <= 1 && writer.endings <= 1, 'SIMULATED-NETWORK-3: an end is notified once');
    if (reader.got.length < sent) broken++;
  }
  assert(broken > 50 && broken < 200, `${broken} of 200 broke`);
});

test('SIMULATED-NETWORK-3: peers are notified when a process ends, the death of a host is noticed only by writers', () => {
  for (const how of ['reset', 'silent'] as const) {
    const timeline = createTimeline();
    const options = { meanDelayMs: 1, breakChance: 0, stallChance: 0, repeatChance: 0, unacknowledgedMs: 5_000 };
    const network = createNetwork(timeline, seededRandom(1), options);
    let ended = 0;
    network.listen('b', { accepted: () => ({ data: () => {}, ended: () => {} }) });
    const end = network.connect('a', 'b', 'x', { data: () => {}, ended: () => void ended++ });
    timeline.runUntil(1_000);
    network.gone('b', how);
    timeline.runUntil(60_000);
    assert.equal(ended, how === 'reset' ? 1 : 0);
    end.write('anybody?');
    timeline.runUntil(120_000);
    assert.equal(ended, 1);
  }
});

test('a connection attempt that outlasts the restart of its target reaches the new process', () => {
  const timeline = createTimeline();
  const options = { meanDelayMs: 1, breakChance: 0, stallChance: 0, repeatChance: 0, unacknowledgedMs: 5_000 };
  const network = createNetwork(timeline, seededRandom(1), options);
  const heard: unknown[] = [];
  const listen = (process: string): void =>
    network.listen('b', { accepted: () => ({ data: (it) => heard.push(`${process} ${it}`), ended: () => {} }) });
  listen('old');
  network.cut('b', 'a');
  network.connect('a', 'b', 'x', { data: () => {}, ended: () => {} }).write('hello');
  timeline.runUntil(2_000);
  network.gone('b', 'reset');
  listen('new');
  network.healAll();
  timeline.runUntil(10_000);
  assert.deepEqual(heard, ['new hello']);
});

test('SIMULATED-DISK-1, SIMULATED-DISK-2: a crash keeps all answered batches and a prefix of the others', () => {
  const kept = new Set<number>();
  for (let seed = 1; seed <= 100; seed++) {
    const timeline = createTimeline();
    const disk = createDisk(timeline, seededRandom(seed), false);
    let answered = 0;
    for (let i = 0; i < 5; i++) {
      const record = { kind: 'resources', resources: [] } as const;
      disk.write([{ key: `k${i}`, record }], () => void answered++);
    }
    timeline.runUntil(seed % 8);
    const before = answered;
    disk.crash();
    timeline.runUntil(1_000);
    assert.equal(answered, before, 'a lost batch is not answered');
    const keys = disk.read().map(({ key }) => key);
    assert.deepEqual(keys, ['k0', 'k1', 'k2', 'k3', 'k4'].slice(0, keys.length));
    assert(keys.length >= before);
    kept.add(keys.length);
  }
  assert(kept.size >= 4, `kept ${[...kept].join(', ')}`);
});
