import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  addressOfPid,
  below,
  cancelDeadline,
  createDeadlines,
  earliestDeadline,
  formatByteSize,
  formatDuration,
  hostOf,
  parseByteSize,
  parseDuration,
  parsePid,
  pidOf,
  seededRandom,
  setDeadline,
  shuffle,
  takeDueDeadline,
  uuid,
  withoutTrailing,
} from './index.js';

test('durations are parsed and formatted as by Mesos', () => {
  const cases: readonly (readonly [text: string, ms: number, written: string])[] = [
    ['15secs', 15_000, '15secs'],
    ['60secs', 60_000, '1mins'],
    ['1.5mins', 90_000, '90secs'],
    ['2weeks', 1_209_600_000, '2weeks'],
    ['50ms', 50, '50ms'],
    ['0ns', 0, '0ns'],
    ['250us', 0.25, '250us'],
    ['-5secs', -5_000, '-5secs'],
    ['1ns', 1e-6, '1ns'],
    ['1us', 1e-3, '1us'],
    ['1.25ms', 1.25, '1250us'],
    ['36hrs', 129_600_000, '36hrs'],
    ['48hrs', 172_800_000, '2days'],
    ['7days', 604_800_000, '1weeks'],
    [' 1mins\n', 60_000, '1mins'],
  ];
  for (const [text, ms, written] of cases) {
    assert.deepEqual(parseDuration(text), { ok: true, value: ms }, text);
    assert.equal(formatDuration(ms), written);
  }
  for (const text of [
    '',
    '15',
    '15 secs',
    'secs',
    '1parsec',
    '--1secs',
    '1.secs',
    '1.5.5secs',
    'x1secs',
    '1secs2',
    '1SECS',
  ]) {
    const expected = 'expected a duration such as 15secs or 2mins (units ns us ms secs mins hrs days weeks), got';
    assert.deepEqual(parseDuration(text), { ok: false, error: `${expected} ${JSON.stringify(text)}` });
  }
  assert.equal(formatDuration(1 / 3), '333333ns');
});

test('byte sizes are parsed and formatted as by Mesos', () => {
  const table: readonly (readonly [text: string, bytes: number, written: string])[] = [
    ['0B', 0, '0B'],
    ['1023B', 1023, '1023B'],
    ['1024B', 1024, '1KB'],
    ['10kb', 10_240, '10KB'],
    ['1536KB', 1_572_864, '1536KB'],
    ['3MB', 3 * 2 ** 20, '3MB'],
    ['2GB', 2 ** 31, '2GB'],
    [' 5TB ', 5 * 2 ** 40, '5TB'],
    ['12tB', 12 * 2 ** 40, '12TB'],
  ];
  for (const [text, bytes, written] of table) {
    assert.deepEqual(parseByteSize(text), { ok: true, value: bytes }, text);
    assert.equal(formatByteSize(bytes), written);
  }
  for (const text of ['', '2', '2 GB', '-1MB', '1PB', 'MB', 'x1MB', '1MBx', '1.5MB']) {
    const expected = `expected a size such as 10MB (units B KB MB GB TB), got ${JSON.stringify(text)}`;
    assert.deepEqual(parseByteSize(text), { ok: false, error: expected });
  }
  fc.assert(
    fc.property(fc.nat(2 ** 40), (bytes) =>
      assert.deepEqual(parseByteSize(formatByteSize(bytes)), { ok: true, value: bytes }),
    ),
  );
});

test('a pid has an id and an address', () => {
  assert.deepEqual(parsePid('slave(1)@10.0.0.7:5051'), {
    ok: true,
    value: { id: 'slave(1)', address: '10.0.0.7:5051' },
  });
  assert.deepEqual(parsePid('a@b@[::1]:5050'), { ok: true, value: { id: 'a@b', address: '[::1]:5050' } });
  assert.deepEqual(parsePid('a@h:65535'), { ok: true, value: { id: 'a', address: 'h:65535' } });
  assert.deepEqual(parsePid('a@h:0'), { ok: true, value: { id: 'a', address: 'h:0' } });
  const longest = `${'a'.repeat(1024 - 5)}@h:65`;
  assert.ok(parsePid(longest).ok);
  assert.deepEqual(parsePid(`a${longest}`), { ok: false, error: 'pid: expected at most 1024 characters, got 1025' });
  for (const text of ['', 'master', '@1.2.3.4:5', '@']) {
    const error = `expected a pid such as master@10.0.0.1:5050, got ${JSON.stringify(text)}`;
    assert.deepEqual(parsePid(text), { ok: false, error });
  }
  for (const text of [
    'm@1.2.3.4',
    'm@',
    'm@:5',
    'm@h:',
    'm@h:65536',
    'm@h:000001',
    'm@h:5x',
    'm@h:-1',
    'm@h:5\n',
    'm@x\nh:5',
  ]) {
    const error = `expected an ip:port after the @ of a pid, got ${JSON.stringify(text)}`;
    assert.deepEqual(parsePid(text), { ok: false, error });
  }
  assert.equal(pidOf('master', '127.0.0.1:5050'), 'master@127.0.0.1:5050');
  assert.equal(addressOfPid(pidOf('a@b', '[::1]:5050')), '[::1]:5050');
  const hosts = ['10.0.0.1:5050', '[::1]:5050', 'h:1'].map(hostOf);
  assert.deepEqual(hosts, ['10.0.0.1', '::1', 'h']);
});

test('the same seed gives the same numbers, each below its bound', () => {
  fc.assert(
    fc.property(fc.integer(), fc.integer({ min: 1, max: 2 ** 32 }), (seed, bound) => {
      const a = seededRandom(seed);
      const b = seededRandom(seed);
      for (let i = 0; i < 20; i++) {
        const value = below(a, bound);
        assert.equal(value, below(b, bound));
        assert.ok(value >= 0 && value < bound && Number.isInteger(value));
      }
    }),
  );
});

test('random numbers are uniformly distributed', () => {
  const random = seededRandom(7);
  const counts = new Array<number>(16).fill(0);
  for (let i = 0; i < 16_000; i++) {
    const at = below(random, 16);
    counts[at] = (counts[at] ?? 0) + 1;
  }
  for (const count of counts) assert.ok(count > 850 && count < 1150, String(count));
});

test('a uuid has version 4 and the RFC variant', () => {
  fc.assert(
    fc.property(fc.integer(), (seed) =>
      assert.match(uuid(seededRandom(seed)), /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/),
    ),
  );
});

test('a shuffled list has the same items', () => {
  fc.assert(
    fc.property(fc.integer(), fc.array(fc.integer()), (seed, items) =>
      assert.deepEqual(shuffle(seededRandom(seed), [...items]).sort(), [...items].sort()),
    ),
  );
});

test('DEADLINES-1, DEADLINES-2: due keys are taken in the order of their deadlines, each once at its last deadline', () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant('set' as const), key: fc.nat(9), atMs: fc.nat(50) }),
    fc.record({ kind: fc.constant('cancel' as const), key: fc.nat(9) }),
    fc.record({ kind: fc.constant('take' as const), nowMs: fc.nat(50) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const deadlines = createDeadlines<number>();
      let model: { key: number; atMs: number }[] = [];
      for (const s of steps) {
        if (s.kind !== 'take') model = model.filter((entry) => entry.key !== s.key);
        if (s.kind === 'cancel') cancelDeadline(deadlines, s.key);
        if (s.kind === 'set') {
          setDeadline(deadlines, s.key, s.atMs);
          model.push(s);
        }
        const first = [...model].sort((a, b) => a.atMs - b.atMs)[0];
        assert.equal(earliestDeadline(deadlines), first?.atMs);
        if (s.kind === 'take') {
          const due = first !== undefined && first.atMs <= s.nowMs ? first : undefined;
          assert.equal(takeDueDeadline(deadlines, s.nowMs), due?.key);
          model = model.filter((entry) => entry !== due);
        }
      }
    }),
  );
});

test('DEADLINES-3: a deadline that is set again and again takes no further memory', () => {
  const deadlines = createDeadlines<string>();
  setDeadline(deadlines, 'other', 1e6);
  for (let n = 0; n < 10_000; n++) {
    setDeadline(deadlines, 'again', 1e6 + n);
    setDeadline(deadlines, 'canceled', 1e6);
    cancelDeadline(deadlines, 'canceled');
    assert.ok(deadlines.heap.length < 100, `${deadlines.heap.length} entries for 2 deadlines`);
  }
  const due = Array.from({ length: 3 }, () => takeDueDeadline(deadlines, 2e6));
  assert.deepEqual(due, ['other', 'again', undefined]);
});

test('only characters at the end of a text are removed', () => {
  const table = [
    ['/a//', '/a'],
    ['//a', '//a'],
    ['//', ''],
    ['', ''],
  ] as const;
  for (const [text, without] of table) assert.equal(withoutTrailing(text, '/'), without, text);
});
