// The logging level that operators see (glog's verbosity, 0 to 3) and raise for a limited time.

import type { Clock } from '@meseta/base';
import { err, ok, type Result } from '@meseta/base';
import type { Logger } from './log.js';

export interface LoggingLevel {
  /** 0: the usual log; above 0 debug lines too. */
  get(): number;
  /** The error names what was expected. */
  set(level: number, durationMs: number): Result<undefined, string>;
}

const MAX_LEVEL = 3;

export function createLoggingLevel(log: Logger, clock: Clock): LoggingLevel {
  const usualLevel = log.level;
  let level = 0;
  let cancel = (): void => {};
  return {
    get: () => level,
    set(next, durationMs) {
      if (!Number.isInteger(next) || next < 0 || next > MAX_LEVEL) {
        return err(`level: expected a number from 0 to ${MAX_LEVEL}, got ${next}`);
      }
      if (!(durationMs > 0)) return err('duration: expected more than 0');
      cancel();
      level = next;
      log.level = next > 0 ? 'debug' : usualLevel;
      cancel = clock.setTimer(durationMs, () => {
        level = 0;
        log.level = usualLevel;
      });
      return ok(undefined);
    },
  };
}
