// Plays a scenario and returns its text with the events that happened instead of those that it expects.
import { openStage, runCommand } from './commands.js';
import { parseScenario, renderBlock } from './parse.js';
import type { Stage } from './stage.js';

export function play(text: string): string {
  let stage: Stage | undefined;
  let played = '';
  for (const block of parseScenario(text)) {
    for (const command of block.commands) {
      if (stage === undefined) stage = openStage(command);
      else runCommand(stage, command);
    }
    const output = (stage?.lines.splice(0) ?? []).map((line) => `${line}\n`).join('');
    played += renderBlock(block, output);
  }
  return played;
}
