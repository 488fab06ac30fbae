// Plays the stories of the master's core (testdata/*.txt) and compares every effect to the letter. After an intended change
// MESETA_STORIES=write writes the stories with the effects that the core gives now; review the difference like a change of
// the code.
import { test } from 'node:test';
import { snapshotOf } from '@meseta/base/testing/snapshot';
import { playStory } from '@meseta/base/testing/story';
import { checkPlayed, storiesIn, testStory } from '@meseta/platform/testing/stories';
import { resumeMaster } from './machine.js';
import { createStoryPlayer } from './testing/story-player.js';
import type { World } from './testing.js';

const folder = 'packages/master/src/core/testdata';

/** Replaces the master by one that continues from a copy of its state, with the same allocator. */
function resumeFromSnapshot(world: World): void {
  const { state } = world.master;
  const given: readonly object[] = [state.identity, state.options, state.idRandom, state.intern, state.allocator];
  // Bundles and compiled offer constraints never change.
  const isImmutable = (value: object): boolean => 'allocatedTo' in value || 'excludes' in value;
  world.master = resumeMaster(snapshotOf(state, (value) => given.includes(value) || isImmutable(value)));
}

for (const file of storiesIn(folder)) {
  testStory(file, (story) => playStory(story, createStoryPlayer()));

  test(`MACHINE-1: a master that continues from a snapshot after each input plays the same story (${file.name})`, () => {
    checkPlayed(file, playStory(file.story, createStoryPlayer(resumeFromSnapshot)));
  });
}
