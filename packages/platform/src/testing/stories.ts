// Stories in files: their tests, and writing the effects of now after an intended change (MESETA_STORIES=write).
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { storyDifference } from '@meseta/base/testing/story';

export interface StoryFile {
  /** `drain-agent.txt` */
  readonly name: string;
  readonly path: string;
  readonly story: string;
}

export const storiesIn = (folder: string): readonly StoryFile[] =>
  readdirSync(folder)
    .filter((name) => name.endsWith('.txt'))
    .map((name) => ({ name, path: `${folder}/${name}`, story: readFileSync(`${folder}/${name}`, 'utf8') }));

/** The test that every effect is as the story says. `play` returns the story with the effects of now. */
export function testStory({ name, path, story }: StoryFile, play: (story: string) => string): void {
  const [rule = ''] = /(?<=^# ).*/.exec(story) ?? [];
  test(`the story of ${name.slice(0, -'.txt'.length).replaceAll('-', ' ')}: ${rule}`, () => {
    const played = play(story);
    if (process.env['MESETA_STORIES'] === 'write') writeFileSync(path, played);
    checkPlayed({ name, path, story }, played);
  });
}

export function checkPlayed({ path, story }: StoryFile, played: string): void {
  const difference = storyDifference(path, story, played);
  assert.ok(difference === undefined, difference);
}
