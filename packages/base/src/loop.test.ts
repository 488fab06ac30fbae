import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLoop, type LoopOptions } from './loop.js';
import { createTestClock } from './testing/clock.js';

type Input = { readonly kind: 'in'; readonly n: number } | { readonly kind: 'tick' } | { readonly kind: 'continue' };

function loopOf(options: Partial<LoopOptions<Input, string>> = {}) {
  const clock = createTestClock();
  const seen: string[] = [];
  let work = 0;
  let deadline: number | undefined;
  const loop = createLoop<Input, string>({
    step(input, now) {
      seen.push(input.kind === 'in' ? `in${input.n}` : `${input.kind}@${now.monoMs}`);
      if (input.kind === 'tick') deadline = undefined;
      if (input.kind === 'continue') work--;
      return input.kind === 'in' ? [`${input.n}a`, `${input.n}b`] : [];
    },
    nextDeadline: () => deadline,
    hasWork: () => work > 0,
    perform: (effect) => {
      seen.push(effect);
    },
    tick: { kind: 'tick' },
    continue: { kind: 'continue' },
    clock,
    ...options,
  });
  return {
    clock,
    loop,
    seen,
    setWork: (n: number) => {
      work = n;
    },
    setDeadline: (ms: number | undefined) => {
      deadline = ms;
    },
  };
}

test('LOOP-2: the effects of an input are performed in order, all of them before the next input', () => {
  const { loop, clock, seen } = loopOf();
  loop.push({ kind: 'in', n: 1 });
  loop.push({ kind: 'in', n: 2 });
  assert.deepEqual(seen, []);
  clock.runDeferred();
  assert.deepEqual(seen, ['in1', '1a', '1b', 'in2', '2a', '2b']);
});

test('LOOP-1: an input pushed while effects are performed waits for its turn', () => {
  const made = loopOf({
    perform(effect) {
      made.seen.push(effect);
      if (effect === '1a') made.loop.push({ kind: 'in', n: 9 });
    },
  });
  made.loop.push({ kind: 'in', n: 1 });
  made.clock.runDeferred();
  assert.deepEqual(made.seen, ['in1', '1a', '1b', 'in9', '9a', '9b']);
});

test('LOOP-3: due deadlines go before queued inputs, queued inputs before jobs', () => {
  const { loop, clock, seen, setWork, setDeadline } = loopOf();
  setWork(2);
  setDeadline(0);
  loop.push({ kind: 'in', n: 1 });
  clock.runDeferred();
  assert.deepEqual(seen, ['tick@0', 'in1', '1a', '1b', 'continue@0', 'continue@0']);
});

test('one timer is set for the earliest deadline, moved when the deadline changes, and fires as a tick', () => {
  const { loop, clock, seen, setDeadline } = loopOf();
  setDeadline(500);
  loop.push({ kind: 'in', n: 1 });
  clock.runDeferred();
  assert.equal(clock.timerCount(), 1);
  setDeadline(200);
  loop.push({ kind: 'in', n: 2 });
  clock.runDeferred();
  assert.equal(clock.timerCount(), 1);
  seen.length = 0;
  clock.advance(199);
  assert.deepEqual(seen, []);
  clock.advance(1);
  assert.deepEqual(seen, ['tick@200']);
  assert.equal(clock.timerCount(), 0);
});

test('LOOP-4: a turn ends with its slice, and the next turn takes the remaining inputs', () => {
  const made = loopOf({
    perform(effect) {
      made.seen.push(effect);
      if (effect.endsWith('b')) made.clock.passBusy(3);
    },
  });
  for (let n = 1; n <= 4; n++) made.loop.push({ kind: 'in', n });
  made.clock.runDeferred();
  assert.deepEqual(
    made.seen.filter((each) => each.startsWith('in')),
    ['in1', 'in2'],
  );
  made.clock.runDeferred();
  assert.deepEqual(
    made.seen.filter((each) => each.startsWith('in')),
    ['in1', 'in2', 'in3', 'in4'],
  );
});

test('a stopped loop takes no more inputs and leaves no timer', () => {
  const { loop, clock, seen, setDeadline } = loopOf();
  setDeadline(100);
  loop.push({ kind: 'in', n: 1 });
  clock.runDeferred();
  seen.length = 0;
  loop.push({ kind: 'in', n: 2 });
  loop.stop();
  clock.advance(1000);
  clock.runDeferred();
  assert.deepEqual(seen, []);
  assert.equal(clock.timerCount(), 0);
});

test('a hundred thousand inputs are taken in order, and the queue is not copied over and over', (t) => {
  const count = 100_000;
  const { loop, clock, seen } = loopOf({ perform: () => {} });
  for (let n = 0; n < count; n++) loop.push({ kind: 'in', n });
  const { slice } = Array.prototype;
  let copied = 0;
  t.after(() => {
    Array.prototype.slice = slice;
  });
  Array.prototype.slice = function (...range) {
    const copy = slice.apply(this, range);
    copied += copy.length;
    return copy;
  };
  clock.runDeferred();
  assert.deepEqual(
    seen,
    Array.from({ length: count }, (_, n) => `in${n}`),
  );
  assert.ok(copied <= count, `${copied} inputs copied`);
});
