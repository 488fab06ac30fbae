// Renders a failure: the invariant, the events that led to it, and the command that replays it.
import { replayCommand, type Selection } from './selection.js';
import type { Failure } from './simulation.js';

const STORY_LINES = 20;

export function renderFailure(seed: number, selection: Selection, failure: Failure): readonly string[] {
  const { invariant, explanation, atMs, story } = failure;
  return [
    `seed ${seed} broke at ${(atMs / 1000).toFixed(3)} s: ${invariant}`,
    `  ${explanation}`,
    ...story.slice(-STORY_LINES).map((line) => `    ${line}`),
    `  replay: ${replayCommand(seed, selection)}`,
  ];
}
