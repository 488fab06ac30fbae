// Plays the stories of the agent's core (testdata/*.txt) and compares every effect to the letter. After an intended change
// MESETA_STORIES=write writes the stories with the effects of now; review the difference like a change of the code.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { playStory, storyDifference } from '@meseta/base/testing/story';
import { createStoryPlayer } from './testing/story-player.js';

const folder = 'packages/agent/src/core/testdata';

for (const name of readdirSync(folder).filter((it) => it.endsWith('.txt'))) {
  test(`the story of ${name.slice(0, -'.txt'.length).replaceAll('-', ' ')}`, () => {
    const path = `${folder}/${name}`;
    const story = readFileSync(path, 'utf8');
    const played = playStory(story, createStoryPlayer());
    if (process.env['MESETA_STORIES'] === 'write') writeFileSync(path, played);
    const difference = storyDifference(path, story, played);
    assert.ok(difference === undefined, difference);
  });
}
