// What bodies of all connections together may hold. Small ones go on when large ones have used it up: strangers who send
// large bodies slowly must not keep agents' messages out.
import { LIMITS } from '@meseta/base';

export interface ByteBudget {
  readonly most: number;
  readonly held: number;
  /** False, and nothing is taken, if there isn't so much left; `own` is what the body holds already. */
  take(bytes: number, own: number): boolean;
  give(bytes: number): void;
}

/** A body up to this length is always taken: connections have a limit of their own. */
export const FREE_BYTES = 65_536;

export function createByteBudget(most: number, freeBytes = FREE_BYTES): ByteBudget {
  let held = 0;
  return {
    most,
    get held() {
      return held;
    },
    take(bytes, own) {
      if (held + bytes > most && own + bytes > freeBytes) return false;
      held += bytes;
      return true;
    },
    give(bytes) {
      held -= bytes;
    },
  };
}

/** This process' own: whoever reads bodies takes from it. */
export const processBodies = createByteBudget(LIMITS.requestBodies.most);
