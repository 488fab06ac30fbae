// Plays the stories of the master's core (testdata/*.txt) and compares every effect to the letter. After an intended change
// MESETA_STORIES=write writes the stories with the effects that the core gives now; review the difference like a change of
// the code.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { snapshotOf } from '@meseta/base/testing/snapshot';
import { playStory, storyDifference } from '@meseta/base/testing/story';
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

for (const name of readdirSync(folder).filter((it) => it.endsWith('.txt'))) {
  const path = `${folder}/${name}`;
  const story = readFileSync(path, 'utf8');
  const [rule = ''] = /(?<=^# ).*/.exec(story) ?? [];
  test(`the story of ${name.slice(0, -'.txt'.length).replaceAll('-', ' ')}: ${rule}`, () => {
    const played = playStory(story, createStoryPlayer());
    if (process.env['MESETA_STORIES'] === 'write') writeFileSync(path, played);
    const difference = storyDifference(path, story, played);
    assert.ok(difference === undefined, difference);
  });

  test(`MACHINE-1: a master that continues from a snapshot after each input plays the same story (${name})`, () => {
    const difference = storyDifference(path, story, playStory(story, createStoryPlayer(resumeFromSnapshot)));
    assert.ok(difference === undefined, difference);
  });
}
