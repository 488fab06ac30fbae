// How much is logged, as operators see it (0 and up, glog's levels) and change it for a while.

import type { Clock } from '@meseta/base';
import { err, ok, type Result } from '@meseta/base';
import type { Logger } from './log.js';

export interface LoggingLevel {
  /** 0 shows what operators need; above it everything. */
  get(): number;
  /** The error names what was expected. */
  set(level: number, durationMs: number): Result<undefined, string>;
}

const MAX_LEVEL = 3;

export function createLoggingLevel(log: Logger, clock: Clock): LoggingLevel {
  const usual = log.level;
  let level = 0;
  let cancel = (): void => {};
  return {
    get: () => level,
    set(next, durationMs) {
      if (!Number.isInteger(next) || next < 0 || next > MAX_LEVEL) {
        return err(`level: expected a number from 0 to ${MAX_LEVEL}, got ${next}`);
      }
      if (!(durationMs > 0)) return err('duration: expected more than nothing');
      cancel();
      level = next;
      log.level = next > 0 ? 'debug' : usual;
      cancel = clock.setTimer(durationMs, () => {
        level = 0;
        log.level = usual;
      });
      return ok(undefined);
    },
  };
}
