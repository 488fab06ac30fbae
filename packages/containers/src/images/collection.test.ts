import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ok } from '@meseta/base';
import type { Image } from '@meseta/wire';
import { excludedNames, startCollection } from './collection.js';
import { files } from './testing/store.js';

const image = (name: string): Image => ({ type: 'DOCKER', docker: { name } });
const HOUR = { nanoseconds: 3.6e12 };

/** A disk of which a share is used, a clock that a test advances, and what was pruned. */
function start(used: () => number, headroom: number, excluded: readonly Image[] = []) {
  const timers: { readonly delayMs: number; readonly callback: () => void }[] = [];
  const pruned: (readonly string[])[] = [];
  const problems: string[] = [];
  const clock = {
    setTimer(delayMs: number, callback: () => void) {
      timers.push({ delayMs, callback });
      return () => timers.splice(0);
    },
  };
  const stop = startCollection(
    {
      prune: async (names) => {
        pruned.push([...names]);
        return pruned.length === 2 ? 'a layer stayed' : undefined;
      },
    },
    '/store',
    { image_disk_headroom: headroom, image_disk_watch_interval: HOUR, excluded_images: excluded },
    { files: { ...files, diskSpace: async () => ok({ totalBytes: 100, availableBytes: 100 - used() }) }, clock },
    (problem) => problems.push(problem),
  );
  const pass = async (): Promise<void> => {
    for (const { callback } of timers.splice(0)) callback();
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { stop, pass, timers, pruned, problems };
}

test('images are collected at each interval while the disk is fuller than the headroom allows', async () => {
  let used = 90;
  const { pass, timers, pruned, problems } = start(() => used, 0.1, [image('kept:1'), image('../bad')]);
  assert.deepEqual(
    timers.map(({ delayMs }) => delayMs),
    [3_600_000],
  );
  await pass();
  assert.deepEqual(pruned, []);
  used = 91;
  await pass();
  await pass();
  assert.deepEqual(pruned, [['kept:1'], ['kept:1']]);
  assert.deepEqual(problems, ['a layer stayed']);
  assert.equal(timers.length, 1);
});

test('a collection that was stopped sets no timer again', async () => {
  const { stop, pass, timers } = start(() => 100, 0.5);
  const passing = pass();
  stop();
  await passing;
  assert.equal(timers.length, 0);
});

test('excluded images are found by their canonical names', () => {
  assert.deepEqual(
    [...excludedNames([image('a'), image('host:5000/b:2'), { type: 'APPC' }])],
    ['a:latest', 'host:5000/b:2'],
  );
});
