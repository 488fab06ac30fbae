import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { cancelDeadline, createDeadlines, earliestDeadline, setDeadline, takeDueDeadline } from './deadlines.js';

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
