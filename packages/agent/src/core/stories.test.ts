// Plays the stories of the agent's core (testdata/*.txt) and compares every effect to the letter. After an intended change
// MESETA_STORIES=write writes the stories with the effects of now; review the difference like a change of the code.
import { test } from 'node:test';
import { snapshotOf } from '@meseta/base/testing/snapshot';
import { playStory } from '@meseta/base/testing/story';
import { checkPlayed, storiesIn, testStory } from '@meseta/platform/testing/stories';
import { resumeAgent } from './machine.js';
import { createStoryPlayer } from './testing/story-player.js';
import type { World } from './testing.js';

const folder = 'packages/agent/src/core/testdata';

/** Replaces the agent by one that continues from a copy of its state. */
function resumeFromSnapshot(world: World): void {
  const { state } = world.core;
  const given: readonly object[] = [state.options, state.random];
  world.core = resumeAgent(snapshotOf(state, (value) => given.includes(value)));
}

for (const file of storiesIn(folder)) {
  testStory(file, (story) => playStory(story, createStoryPlayer()));

  test(`MACHINE-1: an agent that continues from a snapshot after each input plays the same story (${file.name})`, () => {
    checkPlayed(file, playStory(file.story, createStoryPlayer(resumeFromSnapshot)));
  });
}
