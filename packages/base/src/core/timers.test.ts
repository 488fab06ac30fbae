import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { isDeepEqual } from '../equality.js';
import { cancelTimer, createTimers, earliestTimerAt, hasTimer, setTimer, setTimerAt, takeDueTimer } from './timers.js';

type Timer =
  | { readonly kind: 'ping' | 'kill'; readonly agentId: string }
  | { readonly kind: 'resend'; readonly frameworkId: string; readonly taskId: string }
  | { readonly kind: 'prune' };

const contextAt = (monoMs: number) => ({ state: { timers: createTimers<Timer>() }, now: { monoMs, wallMs: 0 } });

test('TIMERS-1: a timer is identified by its kind and ids, whatever the order of its fields', () => {
  const ctx = contextAt(1_000);
  setTimer(ctx, { kind: 'resend', frameworkId: 'f', taskId: 't' }, 10);
  assert.ok(hasTimer(ctx, { taskId: 't', kind: 'resend', frameworkId: 'f' }));
  setTimer(ctx, { taskId: 't', frameworkId: 'f', kind: 'resend' }, 20);
  assert.equal(earliestTimerAt(ctx.state.timers), 1_020);
  cancelTimer(ctx, { frameworkId: 'f', taskId: 't', kind: 'resend' });
  assert.equal(earliestTimerAt(ctx.state.timers), undefined);
  assert.equal(ctx.state.timers.byKey.size, 0);
});

test('TIMERS-1: timers whose kinds or ids differ are different timers', () => {
  const timers: readonly Timer[] = [
    { kind: 'ping', agentId: 'a' },
    { kind: 'kill', agentId: 'a' },
    { kind: 'ping', agentId: 'b' },
    { kind: 'ping', agentId: 'a b' },
    { kind: 'resend', frameworkId: 'a', taskId: 'b c' },
    { kind: 'resend', frameworkId: 'a b', taskId: 'c' },
    { kind: 'resend', frameworkId: 'c', taskId: 'a b' },
    { kind: 'prune' },
  ];
  const ctx = contextAt(0);
  for (const timer of timers) setTimer(ctx, timer, 1);
  assert.equal(ctx.state.timers.byKey.size, timers.length);
});

test('a timer with a delay below 0 is due at once, and not before the timers that were due already', () => {
  const ctx = contextAt(1_000);
  setTimer(ctx, { kind: 'prune' }, 0);
  setTimer(ctx, { kind: 'ping', agentId: 'a' }, -50);
  assert.equal(earliestTimerAt(ctx.state.timers), 1_000);
  assert.deepEqual([takeDueTimer(ctx)?.kind, takeDueTimer(ctx)?.kind, takeDueTimer(ctx)], ['prune', 'ping', undefined]);
});

test('TIMERS-2: due timers are taken in the order of (deadline, time of setting), the last setting counting', () => {
  const anyTimer: fc.Arbitrary<Timer> = fc.oneof(
    fc.record({ kind: fc.constantFrom('ping' as const, 'kill' as const), agentId: fc.constantFrom('a', 'b') }),
    fc.record({
      kind: fc.constant('resend' as const),
      frameworkId: fc.constantFrom('f', 'g'),
      taskId: fc.constant('t'),
    }),
    fc.constant({ kind: 'prune' as const }),
  );
  const anyAction = fc.record({
    action: fc.constantFrom('set' as const, 'set' as const, 'cancel' as const, 'take' as const),
    timer: anyTimer,
    atMs: fc.nat(50),
  });
  fc.assert(
    fc.property(fc.array(anyAction, { maxLength: 60 }), (actions) => {
      const { state } = contextAt(0);
      let model: { readonly timer: Timer; readonly atMs: number }[] = [];
      const without = (timer: Timer) => model.filter((entry) => !isDeepEqual(entry.timer, timer));
      for (const { action, timer, atMs } of actions) {
        if (action === 'set') {
          setTimerAt({ state }, timer, atMs);
          model = [...without(timer), { timer, atMs }];
        } else if (action === 'cancel') {
          cancelTimer({ state }, timer);
          model = without(timer);
        } else {
          const first = [...model].sort((a, b) => a.atMs - b.atMs)[0];
          const due = first !== undefined && first.atMs <= atMs ? first : undefined;
          assert.deepEqual(takeDueTimer({ state, now: { monoMs: atMs, wallMs: 0 } }), due?.timer);
          model = model.filter((entry) => entry !== due);
        }
        assert.equal(earliestTimerAt(state.timers), [...model].sort((a, b) => a.atMs - b.atMs)[0]?.atMs);
      }
    }),
  );
});
