// The log lines of a core. Lines that messages and calls of peers cause are limited, by the kind of the message or call; lines
// that the core's owner causes (ticks, detected masters) are not.
import type { LogLine } from '@meseta/base';
import type { Logger } from './log.js';

export function writeCoreLine(log: Logger, { level, text, cause }: LogLine): void {
  if (cause === undefined) log[level](text);
  else log.limited(level, cause, text);
}
