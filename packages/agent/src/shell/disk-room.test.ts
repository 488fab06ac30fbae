import assert from 'node:assert/strict';
import { test } from 'node:test';
import { err, type Files, ok } from '@meseta/base';
import type { AgentInput } from '../core/io.js';
import { watchDiskRoom } from './disk-room.js';

const MIB = 2 ** 20;

/** A watched disk of 10,000 MiB with a floor of 100 MiB. The test advances the clock. */
async function watched(floorBytes = 100 * MIB) {
  const disk = { availableBytes: 500 * MIB, totalBytes: 10_000 * MIB, isKnown: true, hasSpare: true };
  const pushed: AgentInput[] = [];
  let look: (() => void) | undefined;
  const files: Pick<Files, 'diskSpace'> = {
    diskSpace: async (path) => {
      assert.equal(path, '/work');
      return disk.isKnown
        ? ok({ availableBytes: disk.availableBytes, totalBytes: disk.totalBytes })
        : err({ code: 'EIO', message: 'broken' });
    },
  };
  const stop = await watchDiskRoom({
    files: files as Files,
    clock: {
      setTimer(delayMs, callback) {
        assert.equal(delayMs, 1000);
        look = callback;
        return () => {
          look = undefined;
        };
      },
    },
    workDir: '/work',
    checkpoint: { hasSpare: () => disk.hasSpare },
    floorBytes,
    push: (input) => pushed.push(input),
  });
  return {
    disk,
    stop,
    isPlanned: () => look !== undefined,
    /** Returns what is reported to the core in the next second. */
    async next(change: Partial<typeof disk>): Promise<readonly unknown[]> {
      Object.assign(disk, change);
      const run = look;
      look = undefined;
      run?.();
      await new Promise(setImmediate);
      return pushed.splice(0).map((input) => (input.kind === 'diskRoom' ? input.shortage : input));
    },
  };
}

const FLOOR = 'the disk of /work has 99MB free, less than the 100MB of --disk_floor';
const SPARE = "the disk of /work has no room for the agent's checkpoint";

test('a shortage of disk space is reported to the core once, with its reason, and so is its end', async () => {
  const { next } = await watched();
  assert.deepEqual(await next({}), []);
  assert.deepEqual(await next({ availableBytes: 100 * MIB }), []);
  assert.deepEqual(await next({ availableBytes: 100 * MIB - 1 }), [FLOOR]);
  // A change of the number of free bytes alone is not reported.
  assert.deepEqual(await next({ availableBytes: 50 * MIB }), []);
  assert.deepEqual(await next({ availableBytes: 200 * MIB, hasSpare: false }), [SPARE]);
  assert.deepEqual(await next({}), []);
  assert.deepEqual(await next({ availableBytes: 99 * MIB }), [FLOOR]);
  assert.deepEqual(await next({ availableBytes: 200 * MIB, hasSpare: true }), [undefined]);
  assert.deepEqual(await next({}), []);
});

test('the floor of a small disk is a twentieth of it', async () => {
  const { next } = await watched();
  assert.deepEqual(await next({ totalBytes: 1000 * MIB, availableBytes: 50 * MIB }), []);
  assert.deepEqual(await next({ availableBytes: 50 * MIB - 1 }), [
    'the disk of /work has 49MB free, less than the 50MB of --disk_floor',
  ]);
});

test('a disk that can not be measured is taken to have room', async () => {
  const { next } = await watched();
  assert.deepEqual(await next({ availableBytes: 0 }), [
    'the disk of /work has 0MB free, less than the 100MB of --disk_floor',
  ]);
  assert.deepEqual(await next({ isKnown: false }), [undefined]);
});

test('a stopped watch measures and reports nothing more, not even a running measurement', async () => {
  const { stop, next, isPlanned } = await watched();
  assert.ok(isPlanned());
  const looking = next({ availableBytes: 0 });
  stop();
  assert.deepEqual(await looking, []);
  assert.equal(isPlanned(), false);
});
