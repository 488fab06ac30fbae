// Text for the terminal of the person who runs a command.
import { escapeControls } from '@meseta/base';

/** The text with visible escapes for control characters except line breaks: frameworks and agents choose names in it. */
export const terminalText = (text: string): string => text.split('\n').map(escapeControls).join('\n');

/** Writes the text and a line break to standard output. */
export const printText = (text: string): void => {
  process.stdout.write(`${terminalText(text)}\n`);
};
