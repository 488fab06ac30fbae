import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createTestClock } from '@meseta/base/testing/clock';
import { createRenderQueue, type Rendering, type RenderRequest } from './render-queue.js';

const textOf = (rendering: Rendering): string => Buffer.concat(rendering.pieces).toString();

/** A view of `count` pieces that shows the state's version at its start; each piece takes `ms`. */
function viewOf(count: number, ms = 1, keptBytes = 10_000) {
  const clock = createTestClock();
  const queue = createRenderQueue({ clock, sliceMs: 2, keptBytes });
  const state = { version: 1, started: 0, pieces: [] as string[] };
  const request = (key: string): RenderRequest => ({
    key,
    version: () => state.version,
    *start() {
      state.started++;
      const { version } = state;
      for (let i = 0; i < count; i++) {
        clock.passBusy(ms);
        state.pieces.push(key);
        yield `${key}${version}.${i} `;
      }
    },
  });
  const turns = (n: number): void => {
    for (let i = 0; i < n; i++) clock.runDeferred();
  };
  return { clock, queue, state, request, turns };
}

test('pieces are collected as buffers with a total length', async () => {
  const { queue, request, turns } = viewOf(3);
  const rendering = queue.render(request('a'));
  turns(10);
  const done = await rendering;
  assert.equal(textOf(done), 'a1.0 a1.1 a1.2 ');
  assert.equal(done.bytes, 15);
});

test('texts and bytes keep their order, and large texts are split into buffers', async () => {
  const { queue, clock } = viewOf(0);
  const rendering = queue.render({
    key: 'k',
    version: () => 1,
    *start() {
      yield 'ä'.repeat(40_000);
      yield Buffer.from('-raw-');
      yield 'x'.repeat(70_000);
      yield 'y'.repeat(70_000);
    },
  });
  for (let i = 0; i < 9; i++) clock.runDeferred();
  const done = await rendering;
  assert.equal(textOf(done), `${'ä'.repeat(40_000)}-raw-${'x'.repeat(70_000)}${'y'.repeat(70_000)}`);
  assert.equal(done.bytes, 80_000 + 5 + 140_000);
  assert.equal(done.pieces.length, 4);
});

test('RENDERINGS-2: requests for the same state share a rendering, in progress or kept', async () => {
  const { queue, state, request, turns } = viewOf(5);
  const both = [queue.render(request('a')), queue.render(request('a'))];
  turns(10);
  both.push(queue.render(request('a')));
  const [first, second, third] = await Promise.all(both);
  assert.equal(state.started, 1);
  assert.equal(first, second);
  assert.equal(first, third);
});

test('RENDERINGS-1: a request during the rendering of an older state gets the next rendering', async () => {
  const { queue, state, request, turns } = viewOf(5);
  const old = queue.render(request('a'));
  state.version = 2;
  const next = [queue.render(request('a')), queue.render(request('a'))];
  state.version = 3;
  turns(20);
  assert.match(textOf(await old), /^a1\.0 .*a1\.4 $/);
  for (const each of await Promise.all(next)) assert.match(textOf(each), /^a3\.0 .*a3\.4 $/);
  assert.equal(state.started, 2);
});

test('RENDERINGS-1: a kept rendering of an older state is not used', async () => {
  const { queue, state, request, turns } = viewOf(1);
  const first = queue.render(request('a'));
  turns(5);
  await first;
  state.version = 2;
  const second = queue.render(request('a'));
  turns(5);
  assert.match(textOf(await second), /^a2/);
});

test('RENDERINGS-3: a turn has one slice, and renderings alternate', async () => {
  const { queue, state, request, turns } = viewOf(4);
  const all = ['a', 'b', 'c'].map((key) => queue.render(request(key)));
  assert.deepEqual(state.pieces, ['a', 'b', 'c']);
  state.pieces = [];
  turns(1);
  assert.equal(state.pieces.length, 2);
  turns(20);
  assert.deepEqual(state.pieces.slice(0, 6), ['a', 'b', 'c', 'a', 'b', 'c']);
  await Promise.all(all);
});

test('RENDERINGS-4: kept bytes stay within the budget; the least recently used are dropped first', async () => {
  const { queue, state, request, turns } = viewOf(1, 1, 2 * 512 + 12);
  const get = async (key: string): Promise<void> => {
    const rendering = queue.render(request(key));
    turns(3);
    await rendering;
  };
  for (const key of ['a', 'b', 'a', 'c']) await get(key);
  assert.equal(state.started, 3);
  assert.ok(queue.keptBytes <= 2 * 512 + 12);
  await get('a');
  assert.equal(state.started, 3);
  await get('b');
  assert.equal(state.started, 4);
});

test('RENDERINGS-4: keys count towards the budget, and renderings for a single client are not kept', async () => {
  const { queue, state, request, turns } = viewOf(1, 1, 10 * 1024);
  const get = async (asked: RenderRequest): Promise<void> => {
    const rendering = queue.render(asked);
    turns(3);
    await rendering;
  };
  const long = 'x'.repeat(60_000);
  const short = (key: string): RenderRequest => ({
    ...request(key),
    *start() {
      state.started++;
      yield 'nothing';
    },
  });
  for (let i = 0; i < 100; i++) await get(short(`${long}${i}`));
  assert.ok(queue.keptBytes <= 10 * 1024, `${queue.keptBytes} bytes of 100 renderings`);
  state.started = 0;
  await get(short(`${long}99`));
  assert.equal(state.started, 0, 'the last is still found by its long key');
  queue.clear();
  for (let i = 0; i < 2; i++) await get({ ...short('junk'), keep: false });
  assert.equal(state.started, 2);
  assert.equal(queue.keptBytes, 0);
});

/** A view that shows `text` and what it remembers of the last time. */
const remembering = (key: string, version: number, text: string): RenderRequest<string> => ({
  key,
  version: () => version,
  *start(earlier) {
    yield `${earlier ?? 'nothing'} then ${text}`;
    return text;
  },
});

test('RENDERINGS-5: a rendering receives the memory of the previous one of its key', async () => {
  const { queue, turns } = viewOf(0);
  const get = async (key: string, version: number, text: string): Promise<string> => {
    const rendering = queue.render(remembering(key, version, text));
    turns(3);
    const done = await rendering;
    assert.equal(done.memory, text);
    return textOf(done);
  };
  assert.equal(await get('a', 1, 'one'), 'nothing then one');
  assert.equal(await get('a', 2, 'two'), 'one then two');
  assert.equal(await get('b', 2, 'other'), 'nothing then other');
  queue.clear();
  assert.equal(await get('a', 3, 'three'), 'nothing then three');
});

test('RENDERINGS-4: a rendering that is not requested for a while is dropped', async () => {
  const { queue, clock, request, turns } = viewOf(1);
  const rendering = queue.render(request('a'));
  turns(3);
  await rendering;
  assert.ok(queue.keptBytes > 0);
  clock.advance(30_000);
  await queue.render(request('a'));
  clock.advance(31_000);
  assert.ok(queue.keptBytes > 0);
  clock.advance(60_000);
  assert.equal(queue.keptBytes, 0);
  assert.equal(clock.timerCount(), 0);
});

test('an exception of a view rejects the waiting requests and no others', async () => {
  const { queue, request, turns } = viewOf(2);
  const good = queue.render(request('a'));
  const failing = queue.render({
    key: 'f',
    version: () => 1,
    *start() {
      yield 'x';
      throw new Error('broken view');
    },
  });
  turns(10);
  await assert.rejects(failing, /broken view/);
  assert.equal(textOf(await good), 'a1.0 a1.1 ');
});
