// How much is logged, as operators see it (0 and up, glog's levels) and change it for a while.
import type { Clock, Logger } from '@meseta/platform';
import type { LoggingLevel } from './operator-api.js';

export function createLoggingLevel(log: Logger, clock: Clock): LoggingLevel {
  const usual = log.level;
  let level = 0;
  let cancel = (): void => {};
  return {
    get: () => level,
    set(next, durationMs) {
      cancel();
      level = next;
      log.level = next > 0 ? 'debug' : usual;
      cancel = clock.setTimer(durationMs, () => {
        level = 0;
        log.level = usual;
      });
    },
  };
}
